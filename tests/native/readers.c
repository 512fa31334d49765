/*
 * A source that is not live: every walk reads through its reader, and nothing from a
 * descriptor; a stream has a copy of its own, for as long as it is there.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "kernel/scan.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/spans.h"
#include "analyses/tally.cdef.h"
#include "columns/arrow.h"
#include "columns/columns.cdef.h"
#include "rows/rows.cdef.h"

enum { FIRST = 16, PAGES = 3000, SHIFT = 12 };

/* What the reader gives differs from what the lying kernel has, by this bit. */
#define MARK (UINT64_C(1) << 57)

struct pm_saved {
	int error; /* errno of each read */
	unsigned calls;
};

static unsigned copies, drops;
static int copy_error;

static int64_t read_marked(struct pm_saved *saved, uint64_t vpn, uint64_t count, uint64_t *out)
{
	int64_t got = saved->error ? -saved->error : pm_read(3, vpn, count, out);

	saved->calls++;
	for (int64_t i = 0; i < got; i++)
		out[i] |= MARK;
	return got;
}

static int64_t scan_same(struct pm_saved *saved, const struct pm_query *query, uint64_t start,
			 uint64_t end, struct pm_region *out, uint64_t capacity, uint64_t *next)
{
	saved->calls++;
	return pm_scan(3, query, start, end, out, capacity, next);
}

static int64_t none_empty(struct pm_saved *saved, uint64_t vpn, uint64_t end)
{
	(void)vpn;
	(void)end;
	return saved->error ? -saved->error : 0;
}

static struct pm_saved *copy(const struct pm_saved *saved)
{
	struct pm_saved *other;

	if (copy_error) {
		errno = copy_error;
		return NULL;
	}
	other = exactly(sizeof(*other));
	*other = *saved;
	copies++;
	return other;
}

static void drop(struct pm_saved *saved)
{
	drops++;
	free(saved);
}

static const struct pm_range span = { FIRST, PAGES };
static struct pm_saved saved;
static const struct pm_reader reader = { read_marked, scan_same, none_empty, copy, drop, &saved };

static struct pm_source source_of(const struct pm_reader *with, uint32_t use_scan)
{
	/* no descriptor of the lying kernel: reading it would find another file */
	const struct pm_source source = { &span, 1, with ? LIE_FRAMES : 3, SHIFT, use_scan, with };

	return source;
}

static void test_populated(uint32_t use_scan)
{
	const struct pm_source live = source_of(NULL, use_scan),
			       kept = source_of(&reader, use_scan);
	static uint64_t seen[2][PM_READ_BLOCK];
	static struct pm_range runs[2][PM_READ_BLOCK];
	struct pm_place at[2] = { { 0, 0 }, { 0, 0 } };
	const struct pm_place to = { 1, 0 };
	uint64_t stored[2];
	int64_t got, again;

	got = pm_populated(&live, at, &to, seen[0], PM_READ_BLOCK, runs[0], PM_READ_BLOCK, stored);
	again = pm_populated(&kept, at + 1, &to, seen[1], PM_READ_BLOCK, runs[1], PM_READ_BLOCK,
			     stored + 1);
	CHECK(got > 0);
	CHECK_EQUAL(again, got);
	CHECK_EQUAL(stored[1], stored[0]);
	CHECK(!memcmp(runs[0], runs[1], stored[0] * sizeof(**runs)));
	for (int64_t i = 0; i < got; i++)
		CHECK(seen[1][i] == (seen[0][i] | MARK));
}

static void test_tally(uint32_t ways)
{
	static const uint8_t backing[1], kinds[PM_TYPES_OF_SWAP];
	struct pm_tally_job job = {
		.backing = backing,
		.kinds = kinds,
		.mapcounts = -1,
		.flags = -1,
		.ways = ways,
		.end = SCENE,
		.any_of = 1 << 3 | 1 << 4, /* present, swapped */
		.returned = 1 << 3 | 1 << 4,
	};
	static uint64_t scratch[PM_READ_BLOCK];
	const struct pm_place to = { 1, 0 };
	struct pm_counts live[2] = { { 0 } }, kept[2] = { { 0 } };
	struct pm_place at = { 0, 0 };
	int64_t got;

	job.source = source_of(NULL, 1);
	got = pm_tally_spans(&job, &at, &to, scratch, live);
	CHECK(got > 0);
	job.source = source_of(&reader, 1);
	at = (struct pm_place){ 0, 0 };
	CHECK_EQUAL(pm_tally_spans(&job, &at, &to, scratch, kept), got);
	CHECK_EQUAL(kept->present, live->present);
	CHECK_EQUAL(kept->pages, live->pages);
	if (ways == PM_BY_ENTRIES)
		CHECK_EQUAL(kept->uffd_wp, got);
}

static int64_t read_empty(struct pm_saved *empty, uint64_t vpn, uint64_t count, uint64_t *out)
{
	(void)vpn;
	empty->calls++;
	memset(out, 0, count * sizeof(*out));
	return (int64_t)count;
}

static int64_t scan_empty(struct pm_saved *empty, const struct pm_query *query, uint64_t start,
			  uint64_t end, struct pm_region *out, uint64_t capacity, uint64_t *next)
{
	(void)query, (void)start, (void)out, (void)capacity;
	empty->calls++;
	*next = end;
	return 0;
}

static int64_t all_empty(struct pm_saved *empty, uint64_t vpn, uint64_t end)
{
	empty->calls++;
	return (int64_t)(end - vpn);
}

/* A file may name a mapping of any size: what is empty in it is passed, not read. */
static void test_giant(void)
{
	static const struct pm_range giant = { 1, UINT64_C(1) << 35 };
	static struct pm_saved empty;
	static const struct pm_reader nothing = { read_empty, scan_empty, all_empty,
						  copy,	      drop,	  &empty };
	static const uint8_t kinds[PM_TYPES_OF_SWAP];
	const struct pm_source kept = { &giant, 1, LIE_FRAMES, SHIFT, 0, &nothing };
	static uint64_t out[PM_READ_BLOCK];
	static struct pm_range runs[8];
	const struct pm_place to = { 1, 0 };
	struct pm_place at = { 0, 0 };
	uint64_t stored;

	CHECK_EQUAL(pm_populated(&kept, &at, &to, out, PM_READ_BLOCK, runs, 8, &stored), 0);
	CHECK(!pm_before(&at, &to));
	CHECK(empty.calls < 10);
	for (uint8_t backing = 0; backing <= PM_BACKED_BY_HUGETLB;
	     backing += PM_BACKED_BY_HUGETLB) {
		const struct pm_tally_job job = {
			.source = kept,
			.backing = &backing,
			.kinds = kinds,
			.mapcounts = -1,
			.flags = -1,
			.ways = PM_BY_ENTRIES | (backing ? PM_OF_HUGETLB : PM_UNTOUCHED),
			.end = giant.vpn + giant.count,
		};
		struct pm_counts counts[2] = { { 0 } };

		at = (struct pm_place){ 0, 0 };
		CHECK_EQUAL(pm_tally_spans(&job, &at, &to, out, counts), 0);
		CHECK(!pm_before(&at, &to));
		CHECK_EQUAL(counts->pages, giant.count);
		CHECK(empty.calls < 20);
	}
}

/* A damaged file is an error of whoever reads it, and never the end of the pages. */
static void test_damage(void)
{
	const struct pm_source kept = source_of(&reader, 0);
	static uint64_t out[PM_READ_BLOCK];
	static struct pm_range runs[8];
	const struct pm_place to = { 1, 0 };
	struct pm_place at = { 0, 0 };
	uint64_t stored;

	saved.error = EBADMSG;
	CHECK_EQUAL(pm_populated(&kept, &at, &to, out, PM_READ_BLOCK, runs, 8, &stored), -EBADMSG);
	saved.error = 0;
}

static void test_rows(void)
{
	const struct pm_label label = { 0, 1 };
	static const char text[1 + PM_ROW_SLACK] = "\n";
	static char out[1 << 20], other[1 << 20];
	static uint64_t scratch[PM_READ_BLOCK];
	struct pm_rows rows = {
		.labels = &label,
		.label_bytes = text,
		.format = PM_TEXT,
		.mapcounts = -1,
	};
	const struct pm_place from = { 0, 0 }, to = { 1, 0 };
	uint64_t pages, missing;
	int64_t size;

	rows.source = source_of(NULL, 1);
	size = pm_rows_dump(&rows, &from, &to, scratch, out, &pages, &missing);
	CHECK(size > 0);
	rows.source = source_of(&reader, 1);
	/* the text has no column of the mark */
	CHECK_EQUAL(pm_rows_dump(&rows, &from, &to, scratch, other, &pages, &missing), size);
	CHECK(!memcmp(out, other, (size_t)size));
	CHECK_EQUAL(pages, PAGES);
}

static const struct pm_field field = { .name = "marked", .type = PM_TYPE_BOOL };
static const struct pm_schema schema = { .fields = &field, .count = 1 };

static struct pm_arrow_stream *stream_of(const struct pm_reader *with)
{
	static const uint8_t kinds[PM_TYPES_OF_SWAP];
	static const uint64_t start = FIRST << SHIFT;
	static const uint32_t column = 57;
	static const int32_t path;
	const struct pm_pages_job job = {
		.source = source_of(with, 1),
		.starts = &start,
		.paths = &path,
		.pid = 77,
		.words = { -1, -1, -1 },
		.mapcounts = -1,
		.kinds = kinds,
		.kinds_wanted = UINT32_MAX,
		.rows = 64,
	};

	return pm_arrow_pages(&schema, &column, &job);
}

/* It goes on when whoever lent the reader has taken it back. */
static void test_stream(void)
{
	struct pm_saved *lent = exactly(sizeof(*lent));
	const struct pm_reader with = { read_marked, scan_same, none_empty, copy, drop, lent };
	struct pm_arrow_stream *stream;
	struct pm_arrow_array batch;
	int64_t rows = 0;

	*lent = (struct pm_saved){ 0 };
	lie.pid = 77; /* its number is ours by chance: we are not what was kept */
	stream = stream_of(&with);
	CHECK(stream != NULL);
	CHECK_EQUAL(lent->calls, 0);
	free(lent);
	lie.pid = 78;
	for (;;) {
		CHECK_EQUAL(stream->get_next(stream, &batch), 0);
		if (!batch.release)
			break;
		for (int64_t row = 0; row < batch.length; row++, rows++)
			CHECK(((const uint8_t *)batch.children[0]->buffers[1])[row / 8] >>
				      (row % 8) &
			      1);
		batch.release(&batch);
	}
	CHECK_EQUAL(rows, PAGES);
	CHECK(copies == 1 && !drops);
	pm_arrow_free_stream(stream);
	CHECK(copies == 1 && drops == 1);

	copy_error = EMFILE;
	CHECK(stream_of(&reader) == NULL && errno == EMFILE);
	copy_error = 0;
	CHECK(copies == 1 && drops == 1);

	saved.error = EBADMSG;
	stream = stream_of(&reader);
	saved.error = 0;
	CHECK_EQUAL(stream->get_next(stream, &batch), EBADMSG);
	CHECK(strstr(stream->get_last_error(stream), "process 77 is damaged") != NULL);
	pm_arrow_free_stream(stream);
	CHECK(copies == 2 && drops == 2);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	draw_scene(SCENE, 40, 5);
	test_populated(0);
	test_populated(1);
	test_tally(PM_BY_ENTRIES);
	test_tally(PM_BY_SCAN);
	test_giant();
	test_damage();
	test_rows();
	test_stream();
	CHECK(saved.calls > 0);
	return 0;
}
