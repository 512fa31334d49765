/*
 * Regions out of entries in memory against a walk page by page: any pattern,
 * any ranges, any query, any number of regions that fit, any limit of pages, any page size.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/classify.cdef.h"

/* What the swap type 5 of the scene is, and whether types that are hidden are swap. */
static uint8_t kinds[PM_TYPES_OF_SWAP];
static uint64_t hidden_is_swap;

/* Bit 62 is swap only where the type says so; the scene has types 5 and none. */
static uint64_t truly(uint64_t entry)
{
	uint64_t is = lie_categories(entry);

	if (!(is & 16))
		return is;
	if (is & (8 | 256))
		return is - 16;
	if (entry % 32 ? kinds[entry % 32] != PM_ENTRY_SWAP : !hidden_is_swap)
		return is - 16;
	return is;
}

static struct pm_region got[SCENE], wanted[SCENE], some[SCENE];
static struct pm_range ranges[SCENE];
static uint64_t ranges_count;

/* Ranges of the scene's first pages: some touch, some lie apart, some are empty. */
static void draw_ranges(uint64_t pages)
{
	const uint64_t longest = below(2) ? 4 : 1000;

	ranges_count = 0;
	for (uint64_t at = 0; at < pages;) {
		uint64_t size = below(longest);

		if (size > pages - at)
			size = pages - at;
		ranges[ranges_count++] = (struct pm_range){ at, size };
		at += size + (below(2) ? 0 : 1 + below(20));
	}
}

/* What the naive way finds in them; up to max_pages in all. */
static uint64_t want(struct pm_query query)
{
	uint64_t count = 0, limited = query.max_pages;

	for (uint64_t i = 0; i < ranges_count && !(limited && !query.max_pages); i++) {
		uint64_t here =
			scene_regions(&query, ranges[i].vpn, ranges[i].vpn + ranges[i].count, some);

		for (uint64_t k = 0; k < here; k++) {
			count = join_region(wanted, count, some[k]);
			query.max_pages -= limited ? (some[k].end - some[k].start) / 4096 : 0;
		}
	}
	return count;
}

static uint64_t *entries_in_a_row(uint64_t *total)
{
	uint64_t *entries, stored = 0;

	*total = 0;
	for (uint64_t i = 0; i < ranges_count; i++)
		*total += ranges[i].count;
	entries = exactly(*total * sizeof(*entries));
	for (uint64_t i = 0; i < ranges_count; i++)
		for (uint64_t k = 0; k < ranges[i].count; k++)
			entries[stored++] = scene[ranges[i].vpn + k];
	return entries;
}

/* The scene lies at page `base`, and its pages have another size. */
static void move(struct pm_region *region, uint64_t base, uint32_t shift)
{
	region->start = (base + region->start / 4096) << shift;
	region->end = (base + region->end / 4096) << shift;
}

static void check_classify(struct pm_query query, uint64_t pages, uint64_t capacity, uint32_t shift)
{
	const uint64_t base = below(2) ? 0 : 1 + below(1 << 20);
	uint64_t count = 0, total, wanted_count;
	struct pm_batch batch = {
		.ranges = ranges,
		.kinds = kinds,
		.hidden_is_swap = hidden_is_swap,
	};
	uint64_t *entries;

	draw_ranges(pages);
	batch.entries = entries = entries_in_a_row(&total);
	batch.ranges_count = ranges_count;
	wanted_count = want(query);
	for (uint64_t i = 0; i < wanted_count; i++)
		move(wanted + i, base, shift);
	for (uint64_t i = 0; i < ranges_count; i++)
		ranges[i].vpn += base;
	while (batch.range < ranges_count) {
		struct pm_region *out = exactly(capacity * sizeof(*out));
		uint64_t before = batch.entry, found_pages = 0;
		int64_t found = pm_classify(&batch, shift, &query, out, capacity);

		CHECK(found >= 0 && (uint64_t)found <= capacity);
		CHECK(batch.entry > before || !found);
		for (int64_t i = 0; i < found; i++) {
			found_pages += (out[i].end - out[i].start) >> shift;
			count = join_region(got, count, out[i]);
		}
		/* short of the end only where the vector or the limit said so */
		CHECK(batch.range == ranges_count || (uint64_t)found == capacity ||
		      (query.max_pages && found_pages == query.max_pages));
		CHECK(!query.max_pages || found_pages <= query.max_pages);
		check_untouched(out + found, (capacity - (uint64_t)found) * sizeof(*out));
		free(out);
		if (query.max_pages && found_pages == query.max_pages)
			break;
		query.max_pages -= query.max_pages ? found_pages : 0;
	}
	CHECK(batch.entry <= total);
	CHECK(batch.range < ranges_count || batch.entry == total);
	free(entries);
	check_regions(got, count, wanted, wanted_count);
}

static const uint64_t four[] = { SCENE_PRESENT, SCENE_PRESENT, 0, SCENE_PRESENT };

static void edges(void)
{
	const struct pm_range whole[] = { { 0, 4 } };
	struct pm_query query = { .any_of = 8, .returned = 8 };
	struct pm_batch batch = { .entries = four, .ranges = whole, .ranges_count = 1 };
	struct pm_batch nothing = { .ranges_count = 0 };
	struct pm_region out[2];

	CHECK_EQUAL(pm_classify(&batch, 12, &query, out, 0), -EINVAL);
	CHECK_EQUAL(batch.entry, 0);
	CHECK_EQUAL(pm_classify(&nothing, 12, &query, out, 1), 0);
	/* a region that does not fit is not judged */
	CHECK_EQUAL(pm_classify(&batch, 12, &query, out, 1), 1);
	CHECK_EQUAL(batch.entry, 3);
	CHECK_EQUAL(batch.page, 3);
	CHECK_EQUAL(out[0].end, 2 * 4096);
	CHECK_EQUAL(pm_classify(&batch, 12, &query, out, 1), 1);
	CHECK_EQUAL(out[0].start, 3 * 4096);
	CHECK_EQUAL(batch.range, 1);
}

/* What a scan said of a range, and no entry tells, is that of all its pages; the rest of what it
 * said is not believed: its SWAPPED is a marker, a migration entry and swap. */
static void scanned(void)
{
	static const uint64_t entries[] = {
		SCENE_SWAPPED | 31 | 1 << 5, SCENE_SWAPPED | 24, SCENE_SWAPPED | 1 << 5,
		SCENE_SWAPPED | 1 << 5,	     SCENE_PRESENT | 7,
	};
	static const uint64_t said[] = { 16 | 64 | 256, 16 | 2 };
	const struct pm_range two[] = { { 0, 3 }, { 3, 2 } };
	struct pm_query query = { .any_of = 511, .returned = 511 };
	struct pm_batch batch = {
		.entries = entries,
		.ranges = two,
		.ranges_count = 2,
		.kinds = kinds,
		.scanned = said,
	};
	struct pm_region out[5];

	kinds[31] = PM_ENTRY_MARKER;
	kinds[24] = PM_ENTRY_MIGRATING;
	CHECK_EQUAL(pm_classify(&batch, 12, &query, out, 5), 4);
	CHECK_EQUAL(out[0].end, 2 * 4096);
	CHECK_EQUAL(out[0].categories, 64);
	CHECK_EQUAL(out[1].categories, 64 | 16);
	CHECK_EQUAL(out[2].categories, 16 | 2);
	CHECK_EQUAL(out[3].start, 4 * 4096);
	CHECK_EQUAL(out[3].categories, 8 | 2);
}

/* The limit: up to and with the last page, whether the region ends there or not. */
static void limits(void)
{
	static const uint64_t judged[] = { 1, 2, 4, 4 };
	const struct pm_range apart[] = { { 0, 1 }, { 1, 1 }, { 9, 2 } };
	struct pm_region out[2];

	for (uint64_t limit = 1; limit < 5; limit++) {
		struct pm_query query = { .any_of = 8, .returned = 8, .max_pages = limit };
		struct pm_batch batch = { .entries = four, .ranges = apart, .ranges_count = 3 };

		CHECK_EQUAL(pm_classify(&batch, 12, &query, out, 2), limit < 3 ? 1 : 2);
		CHECK_EQUAL(batch.entry, judged[limit - 1]);
		CHECK_EQUAL(out[0].end, (limit == 1 ? 1 : 2) * 4096);
	}
}

int main(int argc, char **argv)
{
	static const uint64_t capacities[] = { 1, 2, 511, 512, 513, 4096 };

	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	scene_categories = truly;
	for (unsigned round = round_from(); round < round_to(600); round++) {
		uint64_t pages = 1 + below(2000);
		struct pm_query query = draw_query();

		draw_scene(pages, 1 + below(40), (unsigned)below(10));
		memset(kinds, PM_ENTRY_SWAP, sizeof(kinds));
		kinds[5] = (uint8_t)(below(2) ? PM_ENTRY_SWAP : PM_ENTRY_MIGRATING);
		hidden_is_swap = below(2);
		query.max_pages = below(2) ? 0 : 1 + below(pages);
		check_classify(query, pages, capacities[below(6)], 12 + 2 * (uint32_t)below(3));
	}
	if (PM_FUZZED)
		return 0;
	edges();
	scanned();
	limits();
	return 0;
}
