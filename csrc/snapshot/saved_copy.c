/* A saved page table for readers that outlive Python's objects: streams of Arrow. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sys.h"
#include "snapshot/saved.cdef.h"

enum {
	ALIGNMENT = 16,
};

/* All in one piece of memory: this, the layers, their blocks, the scratch. */
struct copy {
	struct pm_saved saved; /* first: it is what is given out */
	void *memory;
	struct pm_layer layers[];
};

static uint64_t rounded(uint64_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

struct pm_saved *pm_saved_copy(const struct pm_saved *saved)
{
	const uint64_t scratch = pm_saved_scratch(saved->layers_count);
	const uint64_t head =
		rounded(sizeof(struct copy) + saved->layers_count * sizeof(*saved->layers));
	uint64_t size = head + scratch;
	struct pm_saved_block *blocks;
	struct copy *copy;
	void *memory;
	int error;

	for (uint64_t i = 0; i < saved->layers_count; i++)
		size += saved->layers[i].blocks_count * sizeof(*blocks);
	if (posix_memalign(&memory, ALIGNMENT, size)) {
		errno = ENOMEM;
		return NULL;
	}
	copy = memory;
	copy->saved = *saved;
	copy->memory = memory;
	copy->saved.layers = copy->layers;
	copy->saved.scratch = (uint8_t *)memory + head;
	/* what is decoded is of another: nothing is, here */
	memset(copy->saved.scratch, 0, scratch);
	blocks = (struct pm_saved_block *)(void *)(copy->saved.scratch + scratch);
	for (uint64_t i = 0; i < saved->layers_count; i++) {
		const uint64_t count = saved->layers[i].blocks_count;

		if (count)
			memcpy(blocks, saved->layers[i].blocks, count * sizeof(*blocks));
		copy->layers[i] = (struct pm_layer){ .blocks = blocks, .blocks_count = count };
		blocks += count;
	}
	copy->saved.fd = pm_sys_dup(saved->fd);
	if (copy->saved.fd < 0) {
		error = errno;
		free(memory);
		errno = error;
		return NULL;
	}
	return &copy->saved;
}

void pm_saved_drop(struct pm_saved *saved)
{
	struct copy *copy = (struct copy *)(void *)saved;

	pm_sys_close(copy->saved.fd);
	free(copy->memory);
}
