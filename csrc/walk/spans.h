/* Steps of a walk over spans. */
#ifndef PM_WALK_SPANS_H
#define PM_WALK_SPANS_H

#include <stdint.h>

#include "walk/spans.cdef.h"

static inline int pm_before(const struct pm_place *at, const struct pm_place *to)
{
	return at->span < to->span || (at->span == to->span && at->page < to->page);
}

/* The beginning of the span behind that of *at. */
static inline struct pm_place pm_next_span(const struct pm_place *at)
{
	const struct pm_place next = { at->span + 1, 0 };

	return next;
}

/* The page at which a walk up to *to leaves the span of *at. */
static inline uint64_t pm_last_page(const struct pm_range *spans, const struct pm_place *at,
				    const struct pm_place *to)
{
	return at->span == to->span ? to->page : spans[at->span].count;
}

/* The first span that ends behind the page `vpn`, or `count`. */
static inline uint64_t pm_span_at(const struct pm_range *spans, uint64_t count, uint64_t vpn)
{
	uint64_t low = 0, high = count;

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (spans[middle].vpn + spans[middle].count > vpn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The span that has the page `vpn`, from `span` on: one of them does. */
static inline uint64_t pm_span_of(const struct pm_range *spans, uint64_t vpn, uint64_t span)
{
	while (vpn - spans[span].vpn >= spans[span].count)
		span++;
	return span;
}

#endif
