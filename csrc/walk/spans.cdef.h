/* Mappings as spans of pages, and where a walk over them stands. */
#ifndef PM_WALK_SPANS_CDEF_H
#define PM_WALK_SPANS_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A mapping to dump: its pages, and how their rows end: in the `label_size`
 * bytes at labels + label_at, quoted for the format, newline included. The
 * labels are copied in whole words: PM_ROW_SLACK readable bytes follow them.
 */
struct pm_span {
	uint64_t vpn;
	uint64_t count;
	uint64_t label_at;
	uint64_t label_size;
};

/*
 * Make spans, without labels, of `count` pairs of addresses, start and end in
 * bytes. Returns the number of pages in all, or -EINVAL where they are not in
 * order, overlap, or end before they begin. spans.c
 */
int64_t pm_spans_of(const uint64_t *bounds, uint64_t count, uint32_t page_shift,
		    struct pm_span *spans);

/*
 * Returns the number of pages in all spans, or -EINVAL where they are not in
 * order, overlap, or reach past 63 bits: a walk over such would not end. spans.c
 */
int64_t pm_spans_pages(const struct pm_span *spans, uint64_t count);

/* Where a walk over spans stands: `page` pages into spans[span]. */
struct pm_place {
	uint64_t span;
	uint64_t page;
};

#ifdef __cplusplus
}
#endif

#endif
