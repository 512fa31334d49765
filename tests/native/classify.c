/*
 * Regions out of entries in memory against a walk page by page: any pattern,
 * any query, any number of regions that fit, any limit of pages, any page size.
 */
#include "scene.h"

static struct pm_region got[SCENE], wanted[SCENE];

/* The scene's regions lie at multiples of 4096; those of other page sizes do not. */
static void resize(struct pm_region *region, uint64_t start, uint32_t shift)
{
	region->start = start + (region->start / 4096 << shift);
	region->end = start + (region->end / 4096 << shift);
}

static void check_classify(struct pm_query query, uint64_t pages, uint64_t capacity, uint32_t shift)
{
	const uint64_t start = below(2) ? 0 : (1 + below(1 << 20)) << shift;
	const uint64_t wanted_count = scene_regions(&query, 0, pages, wanted);
	uint64_t count = 0, at = 0, left = query.max_pages, *entries = exactly(pages * 8);

	memcpy(entries, scene, pages * 8);
	for (uint64_t i = 0; i < wanted_count; i++)
		resize(wanted + i, start, shift);
	while (at < pages) {
		struct pm_region *out = exactly(capacity * sizeof(*out));
		uint64_t used = 0, found_pages = 0;
		int64_t found;

		query.max_pages = left;
		found = pm_classify(entries + at, pages - at, start + (at << shift), shift, &query,
				    out, capacity, &used);
		CHECK(found >= 0 && (uint64_t)found <= capacity);
		CHECK(used > 0 && used <= pages - at);
		/* short of the end only where the vector or the limit said so */
		for (int64_t i = 0; i < found; i++) {
			found_pages += (out[i].end - out[i].start) >> shift;
			count = join_region(got, count, out[i]);
		}
		CHECK(used == pages - at || (uint64_t)found == capacity ||
		      (left && found_pages == left));
		CHECK(!left || found_pages <= left);
		check_untouched(out + found, (capacity - (uint64_t)found) * sizeof(*out));
		free(out);
		at += used;
		if (left && found_pages == left)
			break;
		left -= left ? found_pages : 0;
	}
	free(entries);
	check_regions(got, count, wanted, wanted_count);
}

static void edges(void)
{
	const uint64_t entries[] = { SCENE_PRESENT, SCENE_PRESENT, 0, SCENE_PRESENT };
	struct pm_query query = { .any_of = 8, .returned = 8 };
	struct pm_region out[2];
	uint64_t used = 77;

	CHECK_EQUAL(pm_classify(entries, 4, 0, 12, &query, out, 0, &used), -EINVAL);
	CHECK_EQUAL(used, 77);
	CHECK_EQUAL(pm_classify(NULL, 0, 0, 12, &query, out, 1, &used), 0);
	CHECK_EQUAL(used, 0);
	/* a region that does not fit is not judged */
	CHECK_EQUAL(pm_classify(entries, 4, 0, 12, &query, out, 1, &used), 1);
	CHECK_EQUAL(used, 3);
	CHECK_EQUAL(out[0].end, 2 * 4096);
	/* the limit: up to and with the last page, whether the region ends there or not */
	query.max_pages = 1;
	CHECK_EQUAL(pm_classify(entries, 4, 0, 12, &query, out, 2, &used), 1);
	CHECK_EQUAL(used, 1);
	query.max_pages = 2;
	CHECK_EQUAL(pm_classify(entries, 4, 0, 12, &query, out, 2, &used), 1);
	CHECK_EQUAL(used, 2);
	query.max_pages = 3;
	CHECK_EQUAL(pm_classify(entries, 4, 0, 12, &query, out, 2, &used), 2);
	CHECK_EQUAL(used, 4);
}

int main(int argc, char **argv)
{
	static const uint64_t capacities[] = { 1, 2, 511, 512, 513, 4096 };

	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = 0; round < 600; round++) {
		uint64_t pages = 1 + below(2000);
		struct pm_query query = draw_query();

		draw_scene(pages, 1 + below(40), (unsigned)below(10));
		query.max_pages = below(2) ? 0 : 1 + below(pages);
		check_classify(query, pages, capacities[below(6)], 12 + 2 * (uint32_t)below(3));
	}
	edges();
	return 0;
}
