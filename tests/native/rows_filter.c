/*
 * Rows of those entries alone that have all bits of one mask and none of
 * another: the rows of a whole dump, one by one, without the others.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "rows/rows.cdef.h"

static const uint64_t bits[] = { SCENE_PRESENT, SCENE_SWAPPED,	   SCENE_FILE,	     SCENE_GUARD,
				 SCENE_DIRTY,	UINT64_C(1) << 56, UINT64_C(1) << 57 };

/* What a kernel says of its swap types; the scene has 5, and entries without a type. */
static uint8_t kinds[PM_TYPES_OF_SWAP];

/* By plain words: 62 is swap, but for guards, and hidden where there is no type. */
static unsigned kind_of(uint64_t entry)
{
	if (entry & SCENE_PRESENT)
		return PM_ENTRY_PRESENT;
	if (!(entry & SCENE_SWAPPED))
		return entry & UINT64_C(1) << 57 ? PM_ENTRY_MARKER : PM_ENTRY_NONE;
	if (entry & SCENE_GUARD)
		return PM_ENTRY_GUARD;
	return entry % 32 ? kinds[entry % 32] : PM_ENTRY_HIDDEN;
}

static int wanted(const struct pm_rows *rows, uint64_t entry)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t one = UINT64_C(1) << bit;

		if ((rows->all_of & one && !(entry & one)) || (rows->none_of & one && entry & one))
			return 0;
	}
	return !rows->kinds || (rows->kinds_wanted >> kind_of(entry) & 1);
}

/* The rows that pass, each formatted alone; returns their bytes. */
static uint64_t one_by_one(const struct pm_rows *rows, uint64_t first, uint64_t count,
			   const char *label, uint64_t label_size, char *out, uint64_t *shown)
{
	struct pm_rows plain = *rows;
	char *end = out;

	plain.all_of = plain.none_of = 0;
	plain.kinds = NULL;
	for (uint64_t vpn = first; vpn < first + count; vpn++) {
		const uint64_t entry = scene_entry(vpn);

		if (vpn >= lie.end || !wanted(rows, entry))
			continue;
		end += pm_rows_format(&plain, &entry, 1, vpn, label, label_size, end);
		++*shown;
	}
	return (uint64_t)(end - out);
}

static void check_filter(uint64_t pages)
{
	char label_bytes[40 + PM_ROW_SLACK] = "the first label\nand another\n";
	struct pm_range spans[] = { { below(pages), below(3000) }, { 0, 0 } };
	struct pm_label labels[] = { { 0, 16 }, { 16, 12 } };
	struct pm_rows rows = {
		.source.spans = spans,
		.source.spans_count = 2,
		.labels = labels,
		.label_bytes = label_bytes,
		.format = (uint32_t)below(3),
		.source.page_shift = 12,
		.hidden = (uint32_t)below(2),
		.source.fd = 3,
		.all_of = below(2) ? bits[below(7)] | (below(2) ? bits[below(7)] : 0) : 0,
		.none_of = below(2) ? bits[below(7)] | (below(2) ? bits[below(7)] : 0) : 0,
		.kinds = below(2) ? kinds : NULL,
		.kinds_wanted = (uint32_t)below(1 << PM_ENTRY_KINDS),
		.untold = below(2) ? 0 : bits[below(7)],
	};
	const uint64_t room = 6000 * (pm_row_bound(rows.format) + 16) + PM_ROW_SLACK;
	char *got = exactly(room), *expected = exactly(room);
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8), shown = 77, missing = 77, rows_wanted = 0;
	uint64_t size, in_memory, lost = 0;
	struct pm_place from = { 0, 0 }, to = { 2, 0 };

	spans[1].vpn = spans[0].vpn + spans[0].count + below(200);
	spans[1].count = below(3000);
	for (unsigned i = 0; i < 2; i++)
		for (uint64_t page = 0; page < spans[i].count; page++)
			lost += spans[i].vpn + page >= lie.end;
	size = one_by_one(&rows, spans[0].vpn, spans[0].count, label_bytes, 16, expected,
			  &rows_wanted);
	in_memory = size;
	size += one_by_one(&rows, spans[1].vpn, spans[1].count, label_bytes + 16, 12,
			   expected + size, &rows_wanted);
	CHECK_EQUAL(pm_rows_dump(&rows, &from, &to, scratch, got, &shown, &missing), size);
	CHECK_EQUAL(memcmp(got, expected, size), 0);
	CHECK_EQUAL(shown, rows_wanted);
	CHECK_EQUAL(missing, lost);

	/* and from memory */
	if (spans[0].vpn + spans[0].count <= lie.end) {
		CHECK_EQUAL(pm_rows_format(&rows, scene + spans[0].vpn, spans[0].count,
					   spans[0].vpn, label_bytes, 16, got),
			    in_memory);
		CHECK_EQUAL(memcmp(got, expected, in_memory), 0);
	}
	free(scratch);
	free(got);
	free(expected);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	memset(kinds, PM_ENTRY_SWAP, sizeof(kinds));
	for (unsigned round = round_from(); round < round_to(150); round++) {
		const uint64_t pages = 1 + below(8000);

		draw_scene(pages, 1 + below(below(2) ? 3 : 300), (unsigned)below(10));
		kinds[5] = (uint8_t)(below(2) ? PM_ENTRY_SWAP : PM_ENTRY_MIGRATING);
		check_filter(pages);
	}
	return 0;
}
