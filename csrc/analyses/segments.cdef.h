/* Virtual ranges as physically contiguous segments. */
#ifndef PM_ANALYSES_SEGMENTS_CDEF_H
#define PM_ANALYSES_SEGMENTS_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pages in a row whose frames are in a row too; `pages` 0: none. */
struct pm_joined {
	uint64_t vpn;
	uint64_t pfn;
	uint64_t pages;
};

/* Columns of segments, in bytes, each with room for `capacity` numbers. */
struct pm_segment_columns {
	uint64_t *start;
	uint64_t *end;
	uint64_t *size;
	uint64_t *physical;
	uint64_t *transfers; /* of at most `most` bytes that a segment takes */
	uint64_t capacity;
	uint64_t most; /* 0: no limit, and one transfer for each */
};

/*
 * Join the present pages among the entries of runs_count runs, which lie one after
 * another in `entries`, to segments. *open is the segment so far, with which the first
 * page may go on, and becomes the last one: it is stored by the call that finds another,
 * or none with runs_count 0. Pages whose PFN is hidden are left out. Returns the number
 * stored, from the first row on, or -ENOSPC where there is no room for one for each
 * entry, and one more.
 */
int64_t pm_segments(const uint64_t *entries, const struct pm_range *runs, uint64_t runs_count,
		    uint32_t page_shift, struct pm_joined *open,
		    const struct pm_segment_columns *out);

#ifdef __cplusplus
}
#endif

#endif
