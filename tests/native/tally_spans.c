/*
 * What whole mappings hold, in each way of counting, against a count page by
 * page: spans that touch, lie apart, hold nothing, or end past the address
 * space; in pieces, and with limits of pages and of time.
 */
#include "scene.h"

enum { MOST_SPANS = 30 };

static struct pm_span spans[MOST_SPANS + 1];
static uint64_t spans_count;

/* The fields that a way tells, each a function of the entry alone. */
static void count_page(struct pm_tally *tally, uint64_t entry, uint32_t ways, uint64_t categories)
{
	uint64_t is = lie_categories(entry);
	const int there = (is & 24) != 0;

	tally->pages++;
	if (ways & PM_BY_ENTRIES && (there || ways & PM_UNTOUCHED)) {
		tally->present += !!(is & 8);
		tally->swapped += !!(is & 16);
		tally->file_or_shared += !!(is & 4);
		tally->guard += !!(is & 256);
		tally->anonymous += (is & 12) == 8;
		tally->exclusive += entry >> 56 & 1;
		tally->uffd_wp += entry >> 57 & 1;
		tally->soft_dirty += ways & PM_UNTOUCHED ? !!(is & 128) : 0;
	}
	if (ways & PM_BY_SCAN) {
		is &= categories;
		tally->present += !!(is & 8);
		tally->swapped += !!(is & 16);
		tally->file_or_shared += !!(is & 4);
		tally->huge += !!(is & 64);
		tally->soft_dirty += !!(is & 128);
		tally->guard += !!(is & 256);
		tally->anonymous += (is & 12) == 8;
	}
}

static void check_tally(const struct pm_tally *got, const struct pm_tally *wanted)
{
	CHECK_EQUAL(got->pages, wanted->pages);
	CHECK_EQUAL(got->present, wanted->present);
	CHECK_EQUAL(got->swapped, wanted->swapped);
	CHECK_EQUAL(got->file_or_shared, wanted->file_or_shared);
	CHECK_EQUAL(got->exclusive, wanted->exclusive);
	CHECK_EQUAL(got->soft_dirty, wanted->soft_dirty);
	CHECK_EQUAL(got->uffd_wp, wanted->uffd_wp);
	CHECK_EQUAL(got->guard, wanted->guard);
	CHECK_EQUAL(got->anonymous, wanted->anonymous);
	CHECK_EQUAL(got->huge, wanted->huge);
}

/* Of the pages from `from` up to `to`, span by span. */
static void count_naively(const struct pm_tally_job *job, struct pm_place from, struct pm_place to,
			  struct pm_tally *tallies)
{
	for (uint64_t i = from.span; i <= to.span && i < spans_count; i++) {
		const uint64_t last = i == to.span ? to.page : spans[i].count;

		for (uint64_t page = i == from.span ? from.page : 0; page < last; page++) {
			const uint64_t vpn = spans[i].vpn + page;

			count_page(tallies + i, vpn < lie.end ? scene_entry(vpn) : 0, job->ways,
				   job->categories);
		}
	}
}

static int past(const struct pm_place *at, const struct pm_place *to)
{
	return at->span > to->span || (at->span == to->span && at->page >= to->page);
}

/* From `from` on, once; the counts must be those of the pages passed. Returns the pages found. */
static int64_t step(const struct pm_tally_job *job, struct pm_place *from,
		    const struct pm_place *to, struct pm_tally *sums)
{
	const struct pm_place began = *from;
	const uint64_t room = to->span - began.span + 1;
	struct pm_tally *got = calloc(room, sizeof(*got)), wanted[MOST_SPANS + 1];
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8);
	int64_t found = pm_tally_spans(job, from, to, scratch, got);

	CHECK(found >= 0);
	memset(wanted, 0, sizeof(wanted));
	count_naively(job, began, past(from, to) ? *to : *from, wanted);
	for (uint64_t i = 0; i < room; i++)
		check_tally(got + i, wanted + began.span + i);
	if (sums)
		pm_tally_add(got, room, sums + began.span);
	free(scratch);
	free(got);
	return found;
}

static void draw_spans(uint64_t pages)
{
	uint64_t at = below(50);

	memset(spans, 0, sizeof(spans));
	spans_count = 1 + below(MOST_SPANS);
	for (uint64_t i = 0; i < spans_count; i++) {
		at += below(3) ? 0 : below(300);
		spans[i] = (struct pm_span){ at, below(4) ? below(900) : below(2), 0, 0 };
		at += spans[i].count;
	}
	if (!below(4))
		spans[spans_count - 1].count += pages;
}

static struct pm_tally_job draw_job(uint64_t pages)
{
	static const uint32_t ways[] = { PM_BY_SCAN, PM_BY_ENTRIES, PM_BY_ENTRIES | PM_UNTOUCHED,
					 PM_BY_ENTRIES | PM_BY_SCAN };
	static const uint64_t asked[] = { 8, 8 | 16, 64, 128, 256, 8 | 16 | 64 | 128 | 256 | 4 };
	struct pm_tally_job job = {
		.spans = spans,
		.fd = 3,
		.page_shift = 12,
		.ways = ways[below(4)],
		.use_scan = (uint32_t)below(2),
		.end = pages,
	};

	if (job.ways == PM_BY_SCAN)
		job.categories = asked[below(6)];
	else if (job.ways & PM_BY_SCAN)
		job.categories = below(3) ? 64 | 128 : below(2) ? 64 : 128;
	return job;
}

static void drawn(void)
{
	for (unsigned round = 0; round < 200; round++) {
		const uint64_t pages = 1 + below(9000);
		struct pm_tally sums[MOST_SPANS + 1] = { 0 }, wanted[MOST_SPANS + 1] = { 0 };
		struct pm_place at = { 0, 0 }, end;
		struct pm_tally_job job;

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		draw_spans(pages);
		job = draw_job(pages);
		end = (struct pm_place){ spans_count, 0 };
		lie.interrupt = (unsigned)below(2);
		lie.scan_interrupt = (unsigned)below(2);
		lie.short_by = below(4) ? 0 : below(20);
		/* in pieces, as threads take them */
		while (!past(&at, &end)) {
			struct pm_place to = end;

			if (below(4) && at.span < spans_count) {
				to.span = at.span + below(spans_count - at.span);
				to.page = below(spans[to.span].count + 1);
				if (past(&at, &to))
					continue;
			}
			step(&job, &at, &to, sums);
			CHECK(past(&at, &to));
			at = to;
		}
		count_naively(&job, (struct pm_place){ 0, 0 }, end, wanted);
		for (uint64_t i = 0; i < spans_count; i++)
			check_tally(sums + i, wanted + i);
	}
}

/* Stopped by a limit it says where, has counted all before that and nothing behind it, and goes on. */
static void limits(void)
{
	for (unsigned round = 0; round < 200; round++) {
		const uint64_t pages = SCENE - below(500);
		struct pm_tally sums[MOST_SPANS + 1] = { 0 }, wanted[MOST_SPANS + 1] = { 0 };
		struct pm_place at = { 0, 0 }, end = { 1, 0 };
		struct pm_tally_job job;
		uint64_t steps = 0;

		draw_scene(pages, 40, 3);
		spans[0] = (struct pm_span){ 0, pages, 0, 0 };
		spans_count = 1;
		job = draw_job(pages);
		if (below(2)) {
			job.max_pages = 1 + below(pages);
		} else {
			lie.tick = 1000;
			job.max_ns = 1 + below(9000);
		}
		while (!past(&at, &end)) {
			const struct pm_place before = at;
			const uint64_t clock = lie.now;
			int64_t found = step(&job, &at, &end, sums);

			CHECK(past(&at, &before) &&
			      (at.span > before.span || at.page > before.page));
			if (!past(&at, &end) && job.max_pages)
				CHECK((uint64_t)found >= job.max_pages);
			if (!past(&at, &end) && job.max_ns)
				CHECK(lie.now - clock - lie.tick >= job.max_ns);
			CHECK(++steps <= pages);
		}
		count_naively(&job, (struct pm_place){ 0, 0 }, end, wanted);
		check_tally(sums, wanted);
	}
}

/* However little is found, limits of time are looked at: a minute is read of an empty space. */
static void time_of_nothing(void)
{
	struct pm_place at = { 0, 0 }, end = { 1, 0 };
	struct pm_tally tally[2] = { 0 };
	uint64_t scratch[PM_READ_BLOCK];
	struct pm_tally_job job = { .spans = spans,
				    .fd = 3,
				    .page_shift = 12,
				    .end = 1 << 22,
				    .ways = PM_BY_ENTRIES,
				    .max_ns = 2000 };

	tell_truth(1 << 22);
	memset(scene, 0, sizeof(scene));
	lie.entry = scene_entry;
	lie.tick = 1000;
	spans[0] = (struct pm_span){ 0, 1 << 22, 0, 0 };
	CHECK_EQUAL(pm_tally_spans(&job, &at, &end, scratch, tally), 0);
	CHECK(!past(&at, &end));
	CHECK_EQUAL(tally[0].pages, at.page);
}

static void errors(void)
{
	static const uint32_t ways[] = { PM_BY_SCAN, PM_BY_ENTRIES, PM_BY_ENTRIES | PM_UNTOUCHED,
					 PM_BY_ENTRIES | PM_BY_SCAN };

	for (unsigned i = 0; i < 4; i++) {
		struct pm_tally_job job = { .spans = spans,
					    .fd = 3,
					    .page_shift = 12,
					    .ways = ways[i],
					    .end = 5000,
					    .categories = 64 };
		struct pm_place at = { 0, 0 }, end = { 1, 0 };
		uint64_t scratch[PM_READ_BLOCK];
		struct pm_tally tally[2] = { 0 };

		draw_scene(5000, 40, 3);
		spans[0] = (struct pm_span){ 0, 5000, 0, 0 };
		if (ways[i] & PM_BY_SCAN) {
			lie.scan_error = ENOTTY;
			CHECK_EQUAL(pm_tally_spans(&job, &at, &end, scratch, tally), -ENOTTY);
		} else {
			lie.error = EIO;
			lie.error_at = 0;
			CHECK_EQUAL(pm_tally_spans(&job, &at, &end, scratch, tally), -EIO);
		}
		CHECK(at.span == 0 && at.page == 0);
		/* the target is gone: nothing is there, and it ends */
		draw_scene(5000, 40, 3);
		lie.dies_after = 1;
		CHECK(pm_tally_spans(&job, &at, &end, scratch, tally) >= 0);
		CHECK(past(&at, &end));
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	limits();
	errors();
	time_of_nothing();
	return 0;
}
