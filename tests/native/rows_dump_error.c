/* A dump that the kernel stops: its error is the result, `pages` and `missing` stay as they were. */
#include "check.h"
#include "walk/spans.cdef.h"
#include "rows/rows.cdef.h"

int main(void)
{
	char label_bytes[8 + PM_ROW_SLACK] = " label\n";
	struct pm_range spans[] = { { 100, 10 }, { 110, 0 }, { 300, 5000 } };
	struct pm_label labels[] = { { 0, 7 }, { 0, 7 }, { 0, 7 } };
	struct pm_rows rows = { .source.spans = spans,
				.source.spans_count = 3,
				.labels = labels,
				.label_bytes = label_bytes,
				.source.page_shift = 12 };
	struct pm_place from = { 0, 0 }, end = { 3, 0 };
	const uint64_t room = 5010 * (pm_row_bound(PM_TEXT) + 7) + PM_ROW_SLACK;
	static const uint64_t places[] = { 100, 105, 109, 300, 4000, 5299 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t *scratch = exactly(PM_READ_BLOCK * 8), pages = 66, missing = 77;
		char *out = exactly(room);

		tell_truth(1 << 20);
		lie.error = EIO;
		lie.error_at = places[i];
		CHECK_EQUAL(pm_rows_dump(&rows, &from, &end, scratch, out, &pages, &missing), -EIO);
		CHECK_EQUAL(pages, 66);
		CHECK_EQUAL(missing, 77);
		free(out);
		free(scratch);
	}

	rows.format = 3;
	CHECK_EQUAL(pm_rows_dump(&rows, &from, &end, NULL, NULL, NULL, NULL), -EINVAL);
	return 0;
}
