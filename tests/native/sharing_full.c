/*
 * With no more room for sets, frames are counted all the same, and nobody is named.
 */
#include "scene.h"
#include "walk/spans.cdef.h"
#include "analyses/sharing.h"

enum { FRAMES = 4, FIRST = 1000, SETS = PM_FIRST_SET + 2, MAPPED = 11, ANON = 12 };

static uint64_t anonymous(uint64_t pfn)
{
	(void)pfn;
	return UINT64_C(1) << ANON | UINT64_C(1) << MAPPED;
}

static uint64_t sum(const uint64_t *counts, unsigned count)
{
	uint64_t result = 0;

	for (unsigned i = 0; i < count; i++)
		result += counts[i];
	return result;
}

int main(void)
{
	static const uint32_t labels[1] = { 0 };
	uint32_t *table = exactly(FRAMES * 4), *buckets = exactly(16 * 4);
	uint8_t *touched = exactly(1);
	struct pm_set *sets = exactly(SETS * sizeof(*sets));
	uint64_t *scratch = exactly(2 * PM_READ_BLOCK * 8), merged[1] = { 0 }, count = 0;
	uint64_t own[4 * PM_KINDS] = { 0 }, told[PM_KINDS] = { 0 }, saved[1] = { 0 };
	struct pm_heavy top[1];
	struct pm_sharing sharing = { .table = table,
				      .touched = touched,
				      .first = FIRST,
				      .count = FRAMES,
				      .sets = sets,
				      .buckets = buckets,
				      .buckets_mask = 15,
				      .sets_capacity = SETS,
				      .sets_count = PM_FIRST_SET,
				      .labels = 1,
				      .end = FIRST + FRAMES,
				      .merged = merged };

	memset(table, 0, FRAMES * 4);
	memset(buckets, 0, 16 * 4);
	memset(touched, 0, 1);
	memset(sets, 0, SETS * sizeof(*sets));
	sets[PM_UNTOLD_ONE].size = 1;
	sets[PM_UNTOLD_SEVERAL].size = 2;
	for (uint32_t member = 0; member < 4; member++) {
		/* frame 0 is of all of them, 1 of 1 to 3, 2 of 2 and 3, 3 of 3 alone */
		const struct pm_stretch stretch = { FIRST, member + 1, 0 };
		struct pm_place at = { 0, 0 };

		if (pm_sharing_add(&sharing, &stretch, 1, labels, member, 0, &at)) {
			CHECK(member >= 1);
			sharing.full = 1;
			CHECK_EQUAL(pm_sharing_add(&sharing, &stretch, 1, labels, member, 0, &at),
				    0);
		}
	}
	CHECK_EQUAL(sharing.sets_count, SETS);
	CHECK_EQUAL(pm_set_of(table[0]), PM_UNTOLD_SEVERAL);
	CHECK_EQUAL(pm_set_of(table[1]), PM_UNTOLD_SEVERAL);
	CHECK_EQUAL(pm_set_of(table[2]), PM_UNTOLD_SEVERAL);
	CHECK_EQUAL(pm_set_of(table[3]), PM_UNTOLD_ONE);
	tell_truth(FIRST + FRAMES);
	lie.entry = anonymous;
	CHECK_EQUAL(pm_sharing_settle(&sharing, 3, 4, 0, FRAMES, scratch, top, 1, &count), 3);
	CHECK_EQUAL(sum(sets[PM_UNTOLD_SEVERAL].pages, PM_KINDS), 3);
	CHECK_EQUAL(count, 0); /* none of them is named */
	pm_sharing_labels(&sharing, told, saved);
	pm_sharing_accumulate(&sharing);
	pm_sharing_members(&sharing, own);
	CHECK_EQUAL(sum(own, 4 * PM_KINDS), 0);
	CHECK_EQUAL(saved[0], 0);
	/* the same of a file that ends before a frame that is in use */
	tell_truth(FIRST + 1);
	lie.entry = anonymous;
	CHECK_EQUAL(pm_sharing_settle(&sharing, 3, 4, 0, FRAMES, scratch, top, 1, &count),
		    -ENODATA);
	free(table);
	free(buckets);
	free(touched);
	free(sets);
	free(scratch);
	return 0;
}
