/*
 * Rows of populated pages in buffers of any size, with and without a scan and a
 * filter: those of a whole dump that have bit 62 or 63, and no byte past the
 * buffer.
 */
#include "scene.h"
#include "walk/spans.cdef.h"
#include "rows/rows.cdef.h"

enum { MOST_SPANS = 20, LABELS = 300 };

static struct pm_range spans[MOST_SPANS];
static struct pm_label labels[MOST_SPANS];
static char label_bytes[LABELS + PM_ROW_SLACK];

static uint64_t expected(const struct pm_rows *rows, char *out, uint64_t *shown)
{
	struct pm_rows plain = *rows;
	char *end = out;

	plain.all_of = plain.none_of = 0;
	for (uint64_t i = 0; i < rows->source.spans_count; i++)
		for (uint64_t page = 0; page < spans[i].count; page++) {
			const uint64_t vpn = spans[i].vpn + page, entry = scene_entry(vpn);

			if (vpn >= lie.end || !(entry >> 62) || ~entry & rows->all_of ||
			    entry & rows->none_of)
				continue;
			end += pm_rows_format(&plain, &entry, 1, vpn, label_bytes + labels[i].at,
					      labels[i].size, end);
			++*shown;
		}
	return (uint64_t)(end - out);
}

static void check_rows(const struct pm_rows *rows, uint64_t room, uint64_t size)
{
	char *wanted = exactly(room), *got = exactly(room);
	struct pm_place at = { 0, 0 }, to = { rows->source.spans_count, 0 };
	uint64_t bytes = 0, shown = 0, told = 0, wanted_bytes = expected(rows, wanted, &shown);
	uint64_t steps = 0;

	while (at.span < to.span) {
		uint64_t *scratch = exactly(PM_READ_BLOCK * 8), pages = 77;
		struct pm_range *runs = exactly(PM_READ_BLOCK * sizeof(*runs));
		char *out = exactly(size);
		int64_t written =
			pm_rows_populated(rows, &at, &to, scratch, runs, out, size, &pages);

		CHECK(written >= 0 && (uint64_t)written + PM_ROW_SLACK <= size);
		CHECK(bytes + (uint64_t)written <= wanted_bytes);
		memcpy(got + bytes, out, (size_t)written);
		bytes += (uint64_t)written;
		told += pages;
		free(out);
		free(runs);
		free(scratch);
		CHECK(++steps < SCENE);
	}
	CHECK_EQUAL(bytes, wanted_bytes);
	CHECK_EQUAL(memcmp(got, wanted, bytes), 0);
	CHECK_EQUAL(told, shown);
	free(wanted);
	free(got);
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(80); round++) {
		const uint64_t pages = 1 + below(5000);
		uint64_t at = below(40), longest = 0, all = 0;
		struct pm_rows rows = {
			.source.spans = spans,
			.source.spans_count = below(MOST_SPANS + 1),
			.labels = labels,
			.label_bytes = label_bytes,
			.format = (uint32_t)below(3),
			.source.page_shift = 12,
			.hidden = (uint32_t)below(2),
			.source.fd = 3,
			.source.use_scan = (uint32_t)below(2),
		};

		draw_scene(pages, 1 + below(below(2) ? 5 : 400), (unsigned)below(11));
		lie.interrupt = (unsigned)below(2);
		if (!below(3))
			rows.all_of = below(2) ? SCENE_FILE : SCENE_PRESENT;
		if (!below(3))
			rows.none_of = below(2) ? SCENE_DIRTY : SCENE_GUARD | SCENE_FILE;
		for (uint64_t i = 0; i < rows.source.spans_count; i++) {
			at += below(2) ? 0 : below(300);
			spans[i] = (struct pm_range){ at, below(700) };
			labels[i] = (struct pm_label){ below(100), below(200) };
			at += spans[i].count;
			all += spans[i].count;
			if (labels[i].size > longest)
				longest = labels[i].size;
		}
		longest += pm_row_bound(rows.format);
		check_rows(&rows, all * longest + PM_ROW_SLACK,
			   longest * (1 + below(below(2) ? 3 : 5000)) + PM_ROW_SLACK);
	}
}

static void refused(void)
{
	struct pm_rows rows = { .source.spans = spans,
				.source.spans_count = 1,
				.labels = labels,
				.label_bytes = label_bytes,
				.source.page_shift = 12 };
	struct pm_place at = { 0, 0 }, to = { 1, 0 };
	const uint64_t row = pm_row_bound(PM_TEXT) + 9;
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8), pages = 77;
	struct pm_range *runs = exactly(PM_READ_BLOCK * sizeof(*runs));
	char *out = exactly(row + PM_ROW_SLACK);

	draw_scene(100, 1, 0);
	spans[0] = (struct pm_range){ 0, 100 };
	labels[0] = (struct pm_label){ 0, 9 };
	CHECK_EQUAL(pm_rows_populated(&rows, &at, &to, scratch, runs, out, row + PM_ROW_SLACK - 1,
				      &pages),
		    -ENOSPC);
	CHECK_EQUAL(pm_rows_populated(&rows, &at, &to, scratch, runs, out, 0, &pages), -ENOSPC);
	lie.error = EIO;
	lie.error_at = 0;
	CHECK_EQUAL(
		pm_rows_populated(&rows, &at, &to, scratch, runs, out, row + PM_ROW_SLACK, &pages),
		-EIO);
	rows.format = 3;
	CHECK_EQUAL(pm_rows_populated(&rows, &at, &to, scratch, runs, out, row, &pages), -EINVAL);
	CHECK_EQUAL(pages, 77);
	CHECK(at.span == 0 && at.page == 0);
	check_untouched(out, row + PM_ROW_SLACK);
	free(scratch);
	free(runs);
	free(out);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (size_t i = 0; i < sizeof(label_bytes); i++)
		label_bytes[i] = (char)('a' + i % 26);
	drawn();
	if (PM_FUZZED)
		return 0;
	refused();
	return 0;
}
