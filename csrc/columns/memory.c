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
	memory->holders.count = 1;
	return memory;
}

void pm_memory_hold(struct pm_memory *memory)
{
	pm_hold(&memory->holders);
}

void pm_memory_drop(struct pm_memory *memory)
{
	if (!pm_drop(&memory->holders))
		return;
	free(memory->bytes);
	free(memory);
}
