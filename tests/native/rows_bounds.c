/*
 * Rows never pass the room that pm_row_bound promises for them, and nothing is
 * touched beyond the slack behind labels and rows: the buffers are exact, so
 * one byte more and AddressSanitizer stops the program.
 */
#include "check.h"
#include "rows/rows.cdef.h"

enum { COUNT = 9 };

static const uint64_t words[COUNT] = {
	UINT64_MAX, /* the longest of every column */
	0,
	UINT64_C(1) << 63 | ((UINT64_C(1) << 55) - 1),
	UINT64_C(1) << 62 | ((UINT64_C(1) << 55) - 1),
	UINT64_C(1) << 63 | 1,
	UINT64_C(1) << 63,
	UINT64_C(1) << 62,
	UINT64_C(1) << 55,
	UINT64_C(0x7fffffffffffff),
};

static void check_room(uint32_t format, uint32_t page_shift, uint32_t hidden, uint64_t vpn,
		       uint64_t label_size)
{
	const uint64_t bound = pm_row_bound(format), room = COUNT * (bound + label_size);
	struct pm_rows rows = { .format = format,
				.source.page_shift = page_shift,
				.hidden = hidden };
	char *label = exactly(label_size + PM_ROW_SLACK);
	char *out = exactly(room + PM_ROW_SLACK);
	uint64_t *entries = exactly(sizeof(words));
	int64_t written;

	memcpy(entries, words, sizeof(words));
	memset(label, 'l', label_size);
	written = pm_rows_format(&rows, entries, COUNT, vpn, label, label_size, out);
	CHECK(written > 0 && (uint64_t)written <= room);
	for (uint64_t i = 0; i < label_size; i++)
		CHECK_EQUAL(out[(uint64_t)written - 1 - i], 'l');
	for (uint64_t i = 0; i < COUNT; i++) {
		written = pm_rows_format(&rows, entries + i, 1, vpn + i, label, label_size, out);
		CHECK(written > 0 && (uint64_t)written <= bound + label_size);
	}
	free(entries);
	free(out);
	free(label);
}

int main(void)
{
	struct pm_rows unknown = { .format = 3, .source.page_shift = 12 };
	char nothing = 'n';

	for (uint32_t format = PM_TEXT; format <= PM_JSONL; format++)
		for (uint32_t shift = 12; shift <= 16; shift += 2)
			for (uint32_t hidden = 0; hidden < 2; hidden++)
				for (uint64_t size = 0; size <= 5000; size += size < 70 ? 1 : 617) {
					check_room(format, shift, hidden, 0, size);
					check_room(format, shift, hidden, UINT64_MAX >> shift,
						   size);
					check_room(format, shift, hidden,
						   (UINT64_C(1) << 63) >> shift, size);
				}

	CHECK_EQUAL(pm_row_bound(3), 0);
	CHECK_EQUAL(pm_row_bound(UINT32_MAX), 0);
	CHECK_EQUAL(pm_rows_format(&unknown, words, 1, 0, "", 0, &nothing), -EINVAL);
	CHECK_EQUAL(nothing, 'n');
	return 0;
}
