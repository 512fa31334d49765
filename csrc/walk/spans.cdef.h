/*
 * Spans: ranges of pages in order of address, none of which overlap, as mappings are; and where
 * a walk over them stands.
 */
#ifndef PM_WALK_SPANS_CDEF_H
#define PM_WALK_SPANS_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a walk stands: `page` pages into spans[span]; at its end behind the last span. */
struct pm_place {
	uint64_t span;
	uint64_t page;
};

/*
 * Make spans of `count` pairs of addresses, start and end in bytes. Returns the
 * number of pages in all, or -EINVAL where they are not in order, overlap, or end
 * before they begin.
 */
int64_t pm_spans_of(const uint64_t *bounds, uint64_t count, uint32_t page_shift,
		    struct pm_range *spans);

/*
 * Returns the number of pages in all spans, or -EINVAL where they are not in
 * order, overlap, or reach past 63 bits: a walk over such would not end.
 */
int64_t pm_spans_pages(const struct pm_range *spans, uint64_t count);

/* Make *to the place `pages` pages after *from, or the end of the `count` spans; returns how
 * many pages lie between. */
uint64_t pm_spans_advance(const struct pm_range *spans, uint64_t count, const struct pm_place *from,
			  uint64_t pages, struct pm_place *to);

#ifdef __cplusplus
}
#endif

#endif
