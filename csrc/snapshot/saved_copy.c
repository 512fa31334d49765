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

/* All in one piece of memory: this, the layers, the scratch, the blocks of each and its spans. */
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
		size += saved->layers[i].blocks_count * sizeof(*blocks) +
			saved->layers[i].spans_count * sizeof(struct pm_range);
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
		struct pm_layer *layer = copy->layers + i;
		struct pm_range *spans;

		*layer = saved->layers[i];
		if (layer->blocks_count)
			memcpy(blocks, layer->blocks, layer->blocks_count * sizeof(*blocks));
		layer->blocks = blocks;
		spans = (struct pm_range *)(void *)(blocks + layer->blocks_count);
		if (layer->spans_count)
			memcpy(spans, layer->spans, layer->spans_count * sizeof(*spans));
		layer->spans = spans;
		blocks = (struct pm_saved_block *)(void *)(spans + layer->spans_count);
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
