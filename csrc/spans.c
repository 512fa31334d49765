/*
 * Mappings as spans of pages.
 */
#include <stdint.h>

#include "core.h"

uint64_t pm_spans_of(const uint64_t *bounds, uint64_t count, uint32_t page_shift,
		     struct pm_span *spans)
{
	uint64_t pages = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t vpn = bounds[2 * i] >> page_shift;

		spans[i] = (struct pm_span){ vpn, (bounds[2 * i + 1] >> page_shift) - vpn, 0, 0 };
		pages += spans[i].count;
	}
	return pages;
}
