/*
 * The regions of a scan out of entries: for kernels without PAGEMAP_SCAN, and for what it
 * calls swapped, among which only entries tell what is in swap.
 */
#ifndef PM_WALK_CLASSIFY_CDEF_H
#define PM_WALK_CLASSIFY_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The entries of ranges of pages, one range after another, and how far they were
 * judged: up to entries[entry], which is `page` pages into ranges[range].
 *
 * Swapped are those whose kind (entry_kinds.cdef.h) is swap by `kinds`, and with
 * hidden_is_swap those whose kind is hidden. `scanned`, or NULL, are what a scan
 * said of each range: its categories that no entry tells are added.
 */
struct pm_batch {
	const uint8_t *kinds;
	const uint64_t *scanned;
	uint64_t hidden_is_swap;
	const uint64_t *entries;
	const struct pm_range *ranges;
	uint64_t ranges_count;
	uint64_t range;
	uint64_t page;
	uint64_t entry;
};

/*
 * Find regions in what of a batch is not judged yet, by the categories that an
 * entry tells (present, swapped, file, soft-dirty, guard): at most `capacity` (1
 * or more) into `out`. Ranges that touch share regions.
 *
 * Returns their number or -errno. Judged are all entries then, or those before a
 * region that did not fit, or up to and with the last of max_pages: range equals
 * ranges_count when all are.
 */
int64_t pm_classify(struct pm_batch *batch, uint32_t page_shift, const struct pm_query *query,
		    struct pm_region *out, uint64_t capacity);

#ifdef __cplusplus
}
#endif

#endif
