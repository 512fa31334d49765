/*
 * A dump in pieces of any size, over spans of any shape, with a kernel that
 * interrupts and gives little at a time: together the pieces are the rows of
 * every page that has an entry, each with its own label, and no piece passes
 * the buffer that it was planned for.
 */
#include "check.h"
#include "walk/spans.cdef.h"
#include "rows/rows.cdef.h"

enum { MOST_SPANS = 8, LABELS = 4000 };

static char *append_row(const struct pm_rows *rows, uint64_t span, uint64_t page, char *out)
{
	const struct pm_label *label = rows->labels + span;
	const uint64_t vpn = rows->source.spans[span].vpn + page, entry = lie_entry(vpn);

	return out + pm_rows_format(rows, &entry, 1, vpn, rows->label_bytes + label->at,
				    label->size, out);
}

/* Row by row; returns the pages without an entry. */
static uint64_t expected(const struct pm_rows *rows, char *out, uint64_t *size)
{
	uint64_t missing = 0;
	char *end = out;

	for (uint64_t s = 0; s < rows->source.spans_count; s++)
		for (uint64_t p = 0; p < rows->source.spans[s].count; p++)
			if (rows->source.spans[s].vpn + p < lie.end)
				end = append_row(rows, s, p, end);
			else
				missing++;
	*size = (uint64_t)(end - out);
	return missing;
}

static void check_dump(const struct pm_rows *rows, uint64_t room, uint64_t piece)
{
	char *wanted = exactly(room), *all = exactly(room), *end = all;
	uint64_t size, missing = 0, lost = expected(rows, wanted, &size);
	struct pm_place at = { 0, 0 };

	for (;;) {
		uint64_t *scratch = exactly(PM_READ_BLOCK * 8), shown = 0, hole = 0;
		char *out = exactly(piece);
		struct pm_place to;
		int64_t pages = pm_rows_plan(rows, &at, piece, &to), written;

		CHECK(pages >= 0);
		written = pm_rows_dump(rows, &at, &to, scratch, out, &shown, &hole);
		CHECK(written >= 0 && (uint64_t)written <= piece);
		CHECK((uint64_t)(end - all) + (uint64_t)written <= size);
		memcpy(end, out, (size_t)written);
		end += written;
		CHECK_EQUAL(shown + hole, pages);
		missing += hole;
		at = to;
		free(out);
		free(scratch);
		if (!pages)
			break;
	}
	CHECK_EQUAL(at.span, rows->source.spans_count);
	CHECK_EQUAL(end - all, size);
	CHECK_EQUAL(memcmp(all, wanted, size), 0);
	CHECK_EQUAL(missing, lost);
	free(wanted);
	free(all);
}

static void random_dump(void)
{
	struct pm_range spans[MOST_SPANS];
	struct pm_label labels[MOST_SPANS];
	char label_bytes[LABELS + PM_ROW_SLACK];
	uint64_t at = (uint64_t)rand() % 1000, room = PM_ROW_SLACK, longest = 0;
	struct pm_rows rows = {
		.source.spans = spans,
		.source.spans_count = (uint64_t)rand() % (MOST_SPANS + 1),
		.labels = labels,
		.label_bytes = label_bytes,
		.format = (uint32_t)rand() % 3,
		.source.page_shift = 12 + 2 * ((uint32_t)rand() % 3),
		.hidden = (uint32_t)rand() % 2,
		.source.fd = 3,
	};

	for (size_t i = 0; i < sizeof(label_bytes); i++)
		label_bytes[i] = (char)('a' + i % 26);
	for (uint64_t i = 0; i < rows.source.spans_count; i++) {
		/* touching, near enough to be read over, far, or going back */
		static const unsigned gaps[] = { 1, 2, 127, 140, 5000 };

		at = rand() % 6 ? at + (uint64_t)rand() % gaps[rand() % 5]
				: (uint64_t)rand() % 9000;
		spans[i].vpn = at;
		spans[i].count = rand() % 9 ? (uint64_t)rand() % 40 : (uint64_t)rand() % 6000;
		labels[i].size = rand() % 20 ? (uint64_t)rand() % 40 : (uint64_t)rand() % LABELS;
		labels[i].at = (uint64_t)rand() % (LABELS - labels[i].size + 1);
		at += spans[i].count;
		if (labels[i].size > longest)
			longest = labels[i].size;
		room += spans[i].count * (pm_row_bound(rows.format) + labels[i].size);
	}
	tell_truth(rand() % 2 ? UINT64_MAX : (uint64_t)rand() % (at + 1));
	lie.interrupt = rand() % 3 ? 0 : 2;
	lie.most = rand() % 2 ? 0 : 8 + (size_t)rand() % 3000;
	check_dump(&rows, room,
		   pm_row_bound(rows.format) + longest + PM_ROW_SLACK +
			   (rand() % 2 ? 0 : (uint64_t)rand() % 100000));
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 1;

	printf("seed %u\n", seed);
	srand(seed);
	for (unsigned round = round_from(); round < round_to(150); round++)
		random_dump();
	return 0;
}
