/*
 * The plan of a piece: as many rows as surely fit and not one more, never past
 * the spans, and none where not even one fits.
 */
#include "check.h"
#include "walk/spans.cdef.h"
#include "rows/rows.cdef.h"

static char bytes[200];

static void one_byte_less_is_one_row_less(uint32_t format)
{
	struct pm_range spans[] = { { 0, 1000 } };
	struct pm_label labels[] = { { 0, 100 } };
	struct pm_rows rows = { .source.spans = spans,
				.source.spans_count = 1,
				.labels = labels,
				.label_bytes = bytes,
				.format = format,
				.source.page_shift = 12 };
	const uint64_t row = pm_row_bound(format) + 100;
	struct pm_place from = { 0, 3 }, to = { 55, 55 };

	for (uint64_t fit = 1; fit < 997; fit++) {
		CHECK_EQUAL(pm_rows_plan(&rows, &from, fit * row + PM_ROW_SLACK, &to), fit);
		CHECK_EQUAL(to.span, 0);
		CHECK_EQUAL(to.page, 3 + fit);
		CHECK_EQUAL(pm_rows_plan(&rows, &from, (fit + 1) * row + PM_ROW_SLACK - 1, &to),
			    fit);
	}
	CHECK_EQUAL(pm_rows_plan(&rows, &from, UINT64_MAX, &to), 997);
	CHECK_EQUAL(to.span, 1);
	CHECK_EQUAL(to.page, 0);

	to = (struct pm_place){ 55, 55 };
	for (uint64_t size = 0; size < row + PM_ROW_SLACK; size++)
		CHECK_EQUAL(pm_rows_plan(&rows, &from, size, &to), -ENOSPC);
	CHECK_EQUAL(to.span, 55);
	CHECK_EQUAL(to.page, 55);
}

static void spans_share_a_piece(void)
{
	struct pm_range spans[] = { { 0, 0 }, { 5, 2 }, { 9, 0 }, { 9, 3 } };
	struct pm_label labels[] = { { 0, 0 }, { 0, 61 }, { 0, 200 }, { 0, 1 } };
	struct pm_rows rows = { .source.spans = spans,
				.source.spans_count = 4,
				.labels = labels,
				.label_bytes = bytes,
				.source.page_shift = 12 };
	const uint64_t bound = pm_row_bound(PM_TEXT), first = 2 * (bound + 61), row = bound + 1;
	struct pm_place from = { 0, 0 }, to;

	CHECK_EQUAL(pm_rows_plan(&rows, &from, first + 2 * row + PM_ROW_SLACK, &to), 4);
	CHECK_EQUAL(to.span, 3);
	CHECK_EQUAL(to.page, 2);
	CHECK_EQUAL(pm_rows_plan(&rows, &from, first + 3 * row + PM_ROW_SLACK, &to), 5);
	CHECK_EQUAL(to.span, 4);
	CHECK_EQUAL(to.page, 0);
	from = to;
	CHECK_EQUAL(pm_rows_plan(&rows, &from, 0, &to), 0);
	CHECK_EQUAL(to.span, 4);
	/* full to the byte after the first span: the rest waits, and it is no error */
	from = (struct pm_place){ 0, 0 };
	CHECK_EQUAL(pm_rows_plan(&rows, &from, first + PM_ROW_SLACK, &to), 2);
}

/* Spans of terabytes: no product of pages and bytes may wrap around. */
static void huge_spans(void)
{
	struct pm_range spans[] = { { 0, UINT64_C(1) << 60 }, { 0, UINT64_MAX >> 1 } };
	struct pm_label labels[] = { { 0, 200 }, { 0, 7 } };
	struct pm_rows rows = { .source.spans = spans,
				.source.spans_count = 2,
				.labels = labels,
				.label_bytes = bytes,
				.source.page_shift = 12 };
	const uint64_t row = pm_row_bound(PM_TEXT) + 200;
	struct pm_place from = { 0, 0 }, to;

	CHECK_EQUAL(pm_rows_plan(&rows, &from, UINT64_MAX, &to), (UINT64_MAX - PM_ROW_SLACK) / row);
	CHECK_EQUAL(to.span, 0);
	CHECK_EQUAL(pm_rows_plan(&rows, &from, 5 * row + PM_ROW_SLACK, &to), 5);
	rows.format = 3;
	CHECK_EQUAL(pm_rows_plan(&rows, &from, UINT64_MAX, &to), -EINVAL);
}

int main(void)
{
	for (uint32_t format = PM_TEXT; format <= PM_JSONL; format++)
		one_byte_less_is_one_row_less(format);
	spans_share_a_piece();
	huge_spans();
	return 0;
}
