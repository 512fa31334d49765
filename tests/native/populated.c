/*
 * Only what is there, in steps of any size, over spans of any shape, with and
 * without PAGEMAP_SCAN: the entries of each populated page once, in order, with
 * runs that say where they belong, none over the end of a span.
 */
#include "scene.h"
#include "walk/populated.cdef.h"
#include "walk/spans.cdef.h"

enum { MOST_SPANS = 40 };

static struct pm_range spans[MOST_SPANS];
static uint64_t spans_count;

static int there(uint64_t entry)
{
	return (entry & (SCENE_PRESENT | SCENE_SWAPPED)) != 0;
}

static uint64_t place_vpn(const struct pm_place *at)
{
	return spans[at->span].vpn + at->page;
}

static int past(const struct pm_place *at, const struct pm_place *to)
{
	return at->span > to->span || (at->span == to->span && at->page >= to->page);
}

/* The next populated page at or after *at and before *to; 0: none. */
static int next_there(struct pm_place *at, const struct pm_place *to)
{
	while (!past(at, to)) {
		if (at->page == spans[at->span].count) {
			at->span++;
			at->page = 0;
		} else if (place_vpn(at) < lie.end && there(scene_entry(place_vpn(at)))) {
			return 1;
		} else {
			at->page++;
		}
	}
	return 0;
}

/* Walk from `from` to `to` in steps; each must tell what comes next, and no more. */
static void check_walk(struct pm_place from, struct pm_place to, int use_scan, uint64_t capacity,
		       uint64_t runs_capacity)
{
	const struct pm_source source = { spans, spans_count, 3, 12, (uint32_t)use_scan, NULL };
	struct pm_place at = from, wanted = from;
	uint64_t steps = 0;

	while (!past(&at, &to)) {
		uint64_t *out = exactly(capacity * 8), stored = 0, seen = 0;
		struct pm_range *runs = exactly(runs_capacity * sizeof(*runs));
		struct pm_place before = at;
		int64_t got = pm_populated(&source, &at, &to, out, capacity, runs, runs_capacity,
					   &stored);

		CHECK(got >= 0 && (uint64_t)got <= capacity && stored <= runs_capacity);
		check_untouched(runs + stored, (runs_capacity - stored) * sizeof(*runs));
		for (uint64_t i = 0; i < stored; i++) {
			CHECK(runs[i].count > 0);
			for (uint64_t page = 0; page < runs[i].count; page++, wanted.page++) {
				CHECK(next_there(&wanted, &to));
				CHECK_EQUAL(runs[i].vpn + page, place_vpn(&wanted));
				/* within one span: its last page ends the run */
				CHECK(page == 0 || wanted.page > 0);
				CHECK(out[seen++] == scene_entry(place_vpn(&wanted)));
			}
		}
		CHECK_EQUAL(seen, got);
		/* it goes on, and leaves nothing out between what it told and where it stands */
		CHECK(!past(&before, &at));
		next_there(&wanted, &to);
		CHECK(past(&at, &to) ? past(&wanted, &to) : past(&wanted, &at));
		free(runs);
		free(out);
		CHECK(++steps < 2 * SCENE);
	}
	CHECK(!next_there(&wanted, &to));
}

/* Spans that touch, of one page, of none, apart, and past the end of the address space. */
static void draw_spans(uint64_t pages)
{
	uint64_t at = below(50);

	spans_count = 1 + below(MOST_SPANS);
	for (uint64_t i = 0; i < spans_count; i++) {
		at += below(3) ? 0 : below(300);
		spans[i] = (struct pm_range){ at, below(4) ? below(900) : below(2) };
		at += spans[i].count;
	}
	if (!below(4))
		spans[spans_count - 1].count += pages;
}

static void drawn(void)
{
	static const uint64_t capacities[] = { 1, 2, 3, 64, 65, 513, 4096, 5000 };

	for (unsigned round = round_from(); round < round_to(80); round++) {
		const uint64_t pages = 1 + below(PM_FUZZED ? 900 : 9000),
			       capacity = capacities[below(8)];
		struct pm_place from = { 0, 0 }, to;

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		draw_spans(pages);
		to = (struct pm_place){ spans_count, 0 };
		if (!below(3)) {
			from.span = below(spans_count);
			from.page = below(spans[from.span].count + 1);
			to.span = from.span + below(spans_count - from.span);
			to.page = below(spans[to.span].count + 1);
		}
		lie.interrupt = (unsigned)below(2);
		lie.scan_interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		lie.short_by = below(4) ? 0 : below(20);
		check_walk(from, to, below(3) > 0, capacity, capacities[below(8)]);
	}
}

/* Each step as small as it can be. */
static void one_by_one(void)
{
	for (int use_scan = 0; use_scan < 2; use_scan++) {
		alternate(250);
		spans[0] = (struct pm_range){ 0, 250 };
		spans_count = 1;
		check_walk((struct pm_place){ 0, 0 }, (struct pm_place){ 1, 0 }, use_scan, 1, 1);
		check_walk((struct pm_place){ 0, 0 }, (struct pm_place){ 1, 0 }, use_scan, 250, 1);
		check_walk((struct pm_place){ 0, 0 }, (struct pm_place){ 1, 0 }, use_scan, 1, 250);
	}
}

/* Spans that touch, all pages present: a run each, and not one for all. */
static void touching(void)
{
	struct pm_range runs[MOST_SPANS];
	uint64_t out[MOST_SPANS + 1], stored;

	for (int use_scan = 0; use_scan < 2; use_scan++) {
		const struct pm_source source = {
			spans, MOST_SPANS, 3, 12, (uint32_t)use_scan, NULL
		};
		struct pm_place at = { 0, 0 }, to = { MOST_SPANS, 0 };

		draw_scene(100, 1, 0);
		for (uint64_t i = 0; i < MOST_SPANS; i++)
			spans[i] = (struct pm_range){ i, 1 };
		CHECK_EQUAL(pm_populated(&source, &at, &to, out, MOST_SPANS + 1, runs, MOST_SPANS,
					 &stored),
			    MOST_SPANS);
		CHECK_EQUAL(stored, MOST_SPANS);
		CHECK(past(&at, &to));
	}
}

/* Without a scan all is read; with one a wide hole is not. */
static void holes_are_skipped(void)
{
	uint64_t out[8], stored;
	struct pm_range runs[8];

	for (int use_scan = 0; use_scan < 2; use_scan++) {
		const struct pm_source source = { spans, 1, 3, 12, (uint32_t)use_scan, NULL };
		struct pm_place at = { 0, 0 }, to = { 1, 0 };

		tell_truth(SCENE);
		memset(scene, 0, sizeof(scene));
		scene[3] = scene[SCENE - 2] = SCENE_PRESENT | 1;
		lie.entry = scene_entry;
		lie.scan = 1;
		spans[0] = (struct pm_range){ 0, SCENE };
		CHECK_EQUAL(pm_populated(&source, &at, &to, out, 8, runs, 8, &stored), 2);
		if (use_scan)
			CHECK(lie.pages_asked < 1000 && lie.scans < 5);
		else
			CHECK(lie.pages_asked >= SCENE && lie.scans == 0);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	one_by_one();
	touching();
	holes_are_skipped();
	return 0;
}
