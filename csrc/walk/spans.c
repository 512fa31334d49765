/*
 * Mappings as spans of pages.
 */
#include <errno.h>
#include <stdint.h>

#include "walk/spans.h"

int64_t pm_spans_of(const uint64_t *bounds, uint64_t count, uint32_t page_shift,
		    struct pm_range *spans)
{
	uint64_t pages = 0, floor = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t vpn = bounds[2 * i] >> page_shift;
		const uint64_t end = bounds[2 * i + 1] >> page_shift;

		if (vpn < floor || end < vpn)
			return -EINVAL;
		spans[i] = (struct pm_range){ vpn, end - vpn };
		pages += end - vpn;
		floor = end;
	}
	return (int64_t)pages;
}

int64_t pm_spans_pages(const struct pm_range *spans, uint64_t count)
{
	uint64_t pages = 0, floor = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t vpn = spans[i].vpn;

		if (vpn < floor || vpn > INT64_MAX || spans[i].count > INT64_MAX - vpn)
			return -EINVAL;
		pages += spans[i].count;
		floor = vpn + spans[i].count;
	}
	return (int64_t)pages;
}

uint64_t pm_spans_advance(const struct pm_range *spans, uint64_t count, const struct pm_place *from,
			  uint64_t pages, struct pm_place *to)
{
	struct pm_place at = *from;
	uint64_t passed = 0;

	while (at.span < count) {
		const uint64_t rest = spans[at.span].count - at.page;

		if (pages - passed < rest) {
			at.page += pages - passed;
			passed = pages;
			break;
		}
		passed += rest;
		at = pm_next_span(&at);
	}
	*to = at;
	return passed;
}
