/*
 * Pages to physically contiguous segments: what a DMA engine, or who pins memory, has to
 * be told of a virtual range.
 */
#include <errno.h>
#include <stdint.h>

#include "analyses/segments.cdef.h"
#include "kernel/core.h"

static void store(const struct pm_joined *segment, uint32_t page_shift, uint64_t row,
		  const struct pm_segment_columns *out)
{
	const uint64_t size = segment->pages << page_shift;

	out->start[row] = segment->vpn << page_shift;
	out->end[row] = out->start[row] + size;
	out->size[row] = size;
	out->physical[row] = segment->pfn << page_shift;
	out->transfers[row] = out->most ? (size + out->most - 1) / out->most : 1;
}

int64_t pm_segments(const uint64_t *entries, const struct pm_range *runs, uint64_t runs_count,
		    uint32_t page_shift, struct pm_joined *open,
		    const struct pm_segment_columns *out)
{
	uint64_t rows = 0, most = 1;

	for (uint64_t run = 0; run < runs_count; run++)
		most += runs[run].count;
	if (most > out->capacity)
		return -ENOSPC;
	for (uint64_t run = 0; run < runs_count; run++) {
		for (uint64_t i = 0; i < runs[run].count; i++) {
			const uint64_t entry = *entries++, pfn = entry & PM_PLACE_MASK;
			const uint64_t vpn = runs[run].vpn + i;

			if (!pm_flag(entry, PM_PRESENT_BIT) || !pfn)
				continue;
			if (open->pages && open->vpn + open->pages == vpn &&
			    open->pfn + open->pages == pfn) {
				open->pages++;
				continue;
			}
			if (open->pages)
				store(open, page_shift, rows++, out);
			*open = (struct pm_joined){ vpn, pfn, 1 };
		}
	}
	if (!runs_count && open->pages) {
		store(open, page_shift, rows++, out);
		open->pages = 0;
	}
	return (int64_t)rows;
}
