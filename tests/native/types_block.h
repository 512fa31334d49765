/* A block of exact columns, as a thread has one, and how it is given back. */
#ifndef TYPES_BLOCK_H
#define TYPES_BLOCK_H

#include "check.h"
#include "kernel/kpage.cdef.h"
#include "analyses/types.cdef.h"

static inline struct pm_types_block make_block(uint64_t capacity, int list, int all)
{
	uint64_t slots = 2;

	while (slots <= capacity)
		slots *= 2;
	uint64_t *flags = exactly(capacity * 8);

	return (struct pm_types_block){
		.capacity = capacity,
		.entries = exactly(capacity * 8),
		.pfns = list ? exactly(capacity * 8) : flags, /* as the library has it */
		.flags = flags,
		.mapcounts = all ? exactly(capacity * 8) : NULL,
		.cgroups = all ? exactly(capacity * 8) : NULL,
		.runs = exactly(capacity * sizeof(struct pm_range)),
		.wishes = exactly(capacity * sizeof(struct pm_wish)),
		.spare = exactly(capacity * sizeof(struct pm_wish)),
		.scratch = exactly(PM_READ_BLOCK * 8),
		.slots = exactly(slots * 4),
		.slots_count = slots,
		.shares = exactly(capacity * sizeof(struct pm_types_share)),
		.hits = exactly(capacity * sizeof(struct pm_types_hit)),
		.types = list ? NULL : exactly(capacity * sizeof(struct pm_type)),
		.rows = list ? exactly(capacity * sizeof(struct pm_types_run)) : NULL,
	};
}

static inline void free_block(struct pm_types_block *block)
{
	free(block->entries);
	if (block->pfns != block->flags)
		free(block->pfns);
	free(block->flags);
	free(block->mapcounts);
	free(block->cgroups);
	free(block->runs);
	free(block->wishes);
	free(block->spare);
	free(block->scratch);
	free(block->slots);
	free(block->shares);
	free(block->hits);
	free(block->types);
	free(block->rows);
}

#endif
