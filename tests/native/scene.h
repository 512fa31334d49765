/*
 * Address spaces drawn at random for the tests of what finds pages: runs of
 * equal entries, with long holes between, and a naive way to find them.
 */
#ifndef SCENE_H
#define SCENE_H

#include "check.h"
#include "kernel/scan.cdef.h"

enum { SCENE = 1 << 15 }; /* pages */

#define SCENE_PRESENT (UINT64_C(1) << 63)
#define SCENE_SWAPPED (UINT64_C(1) << 62)
#define SCENE_FILE    (UINT64_C(1) << 61)
#define SCENE_ZERO    (UINT64_C(1) << 60) /* these two: see lie_categories */
#define SCENE_HUGE    (UINT64_C(1) << 59)
#define SCENE_GUARD   (UINT64_C(1) << 58)
#define SCENE_DIRTY   (UINT64_C(1) << 55)

static uint64_t scene[SCENE];

static inline uint64_t scene_entry(uint64_t vpn)
{
	return vpn < SCENE ? scene[vpn] : 0;
}

static inline uint64_t below(uint64_t limit)
{
	return (uint64_t)rand() % limit;
}

/* Runs of up to `longest` pages; `holes` of ten are empty. Present pages have a frame each. */
static inline void draw_scene(uint64_t pages, uint64_t longest, unsigned holes)
{
	static const uint64_t kinds[] = {
		SCENE_PRESENT,
		SCENE_PRESENT | SCENE_FILE,
		SCENE_PRESENT | SCENE_DIRTY,
		SCENE_SWAPPED | 5,
		SCENE_PRESENT | SCENE_HUGE,
		SCENE_PRESENT | UINT64_C(3) << 56,
		SCENE_SWAPPED | SCENE_GUARD,
		SCENE_SWAPPED | SCENE_FILE | SCENE_DIRTY,
		SCENE_PRESENT | SCENE_ZERO,
		SCENE_PRESENT | SCENE_ZERO | SCENE_HUGE | SCENE_FILE,
	};

	tell_truth(pages);
	memset(scene, 0, sizeof(scene));
	for (uint64_t at = 0; at < pages;) {
		uint64_t run = 1 + below(longest), empty = below(10) < holes;
		uint64_t kind = empty ? (below(4) ? 0 : SCENE_DIRTY) : kinds[below(10)];

		for (; run && at < pages; run--, at++)
			scene[at] = kind | (kind & SCENE_PRESENT ? at + 1 : 0);
	}
	lie.entry = scene_entry;
	lie.scan = 1;
}

/* Every second page present. */
static inline void alternate(uint64_t pages)
{
	tell_truth(pages);
	memset(scene, 0, sizeof(scene));
	for (uint64_t at = 0; at < pages; at += 2)
		scene[at] = SCENE_PRESENT | (at + 1);
	lie.entry = scene_entry;
	lie.scan = 1;
}

static inline int scene_matches(const struct pm_query *query, uint64_t categories)
{
	for (unsigned bit = 0; bit < 9; bit++) {
		const uint64_t one = UINT64_C(1) << bit;

		if (query->all_of & one && !(categories & one))
			return 0;
		if (query->none_of & one && categories & one)
			return 0;
	}
	return !query->any_of || (categories & query->any_of);
}

/* What a page with such an entry is: to a scan, unless a test knows better. */
static uint64_t (*scene_categories)(uint64_t entry) = lie_categories;

/* Regions of the scene's pages from `first` to `last`, page by page; returns their number. */
static inline uint64_t scene_regions(const struct pm_query *query, uint64_t first, uint64_t last,
				     struct pm_region *out)
{
	uint64_t count = 0, found = 0;

	for (uint64_t vpn = first; vpn < last; vpn++) {
		const uint64_t categories = scene_categories(scene_entry(vpn));
		struct pm_region one = { vpn * 4096, vpn * 4096 + 4096,
					 categories & query->returned };

		if (!scene_matches(query, categories))
			continue;
		if (query->max_pages && found++ == query->max_pages)
			break;
		if (count && out[count - 1].end == one.start &&
		    out[count - 1].categories == one.categories)
			out[count - 1].end = one.end;
		else
			out[count++] = one;
	}
	return count;
}

/* Put a region behind others, as one with the last where they are neighbours alike. */
static inline uint64_t join_region(struct pm_region *out, uint64_t count, struct pm_region one)
{
	CHECK(one.start < one.end);
	CHECK(!count || out[count - 1].end <= one.start);
	if (count && out[count - 1].end == one.start &&
	    out[count - 1].categories == one.categories) {
		out[count - 1].end = one.end;
		return count;
	}
	out[count] = one;
	return count + 1;
}

static inline void check_regions(const struct pm_region *got, uint64_t count,
				 const struct pm_region *wanted, uint64_t wanted_count)
{
	CHECK_EQUAL(count, wanted_count);
	for (uint64_t i = 0; i < count; i++) {
		CHECK_EQUAL(got[i].start, wanted[i].start);
		CHECK_EQUAL(got[i].end, wanted[i].end);
		CHECK_EQUAL(got[i].categories, wanted[i].categories);
	}
}

/* Mostly simple queries, now and then one of many categories, or that none can match. */
static inline struct pm_query draw_query(void)
{
	static const uint64_t bits[] = { 4, 8, 16, 128, 256 };
	struct pm_query query = { .returned = below(2) ? below(512) & 0x19c : 8 };

	if (below(4))
		query.any_of = below(3) ? 8 | 16 : bits[below(5)] | bits[below(5)];
	if (!below(3))
		query.all_of = bits[below(5)];
	if (!below(3))
		query.none_of = bits[below(5)] | (below(2) ? bits[below(5)] : 0);
	return query;
}

#endif
