/*
 * Rows of a list, column by column, as a table has them.
 *
 * Flags are few and rows are many, so a row tells which of the different flags it has,
 * and their names are made once for each.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "analyses/types.h"

/* The number of `flags` among those met so far, which they join if they are new. */
static int32_t number_of(struct pm_types_columns *columns, uint64_t flags)
{
	const uint64_t mask = columns->slots_count - 1;
	/* the top bits of a product depend on all bits of its factors */
	uint64_t slot = flags * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	while (columns->slots[slot & mask]) {
		const uint32_t number = columns->slots[slot & mask] - 1;

		if (columns->words[number] == flags)
			return (int32_t)number;
		slot++;
	}
	columns->words[columns->words_count] = flags;
	columns->slots[slot & mask] = (uint32_t)++columns->words_count;
	return (int32_t)columns->words_count - 1;
}

void pm_types_split(const struct pm_types_run *rows, uint64_t count, uint64_t unit,
		    struct pm_types_columns *columns)
{
	uint64_t last = 0;
	int32_t number = -1;

	columns->words_count = 0;
	for (uint64_t i = 0; i < count; i++) {
		const struct pm_types_run *row = rows + i;

		if (number < 0 || row->flags != last)
			number = number_of(columns, row->flags);
		last = row->flags;
		columns->place[i] = row->place * unit;
		columns->has_pfn[i] = !row->swapped && row->pfn != PM_NO_VALUE;
		columns->pfn[i] = columns->has_pfn[i] ? row->pfn : 0;
		columns->swap_offset[i] = row->swapped == 1 ? row->pfn : 0;
		columns->in_swap[i] = row->swapped == 1;
		columns->pages[i] = row->count;
		columns->mapcount[i] = row->mapcount;
		columns->has_mapcount[i] = !row->swapped && row->mapcount != PM_NO_VALUE;
		columns->cgroup[i] = row->cgroup;
		columns->has_cgroup[i] = !row->swapped && row->cgroup != PM_NO_VALUE;
		columns->flags[i] = row->flags;
		columns->has_flags[i] = row->flags != PM_NO_VALUE;
		columns->numbers[i] = number;
	}
}
