/*
 * Memory of columns that several batches, and whoever took them, may hold.
 */
#include <stdlib.h>

#include "columns/arrow.h"

struct pm_memory *pm_memory_new(uint64_t size)
{
	struct pm_memory *memory = malloc(sizeof(*memory));
	void *bytes = NULL;

	if (!memory)
		return NULL;
	/* Arrow advises 64, the width of the widest vectors */
	if (posix_memalign(&bytes, 64, size ? size : 1)) {
		free(memory);
		return NULL;
	}
	memory->bytes = bytes;
	atomic_init(&memory->holders, 1);
	return memory;
}

void pm_memory_hold(struct pm_memory *memory)
{
	atomic_fetch_add_explicit(&memory->holders, 1, memory_order_relaxed);
}

void pm_memory_drop(struct pm_memory *memory)
{
	if (atomic_fetch_sub_explicit(&memory->holders, 1, memory_order_acq_rel) != 1)
		return;
	free(memory->bytes);
	free(memory);
}
