/*
 * Sets of groups out of sets of processes, against masks of bits; with room for them that
 * has to grow, or may not.
 */
#include "scene.h"
#include "analyses/sharing.h"

enum { MOST_MEMBERS = 9, MOST_GROUPS = 6, LABELS = 2, CHAINS = 120, MASKS = 1 << MOST_MEMBERS };

static struct pm_sharing made(uint32_t capacity)
{
	struct pm_sharing sharing = { .sets_capacity = capacity,
				      .sets_count = PM_FIRST_SET,
				      .buckets_mask = 1 };

	while (sharing.buckets_mask + 1 < 2 * capacity)
		sharing.buckets_mask = 2 * sharing.buckets_mask + 1;
	sharing.sets = exactly(capacity * sizeof(struct pm_set));
	sharing.buckets = exactly((sharing.buckets_mask + 1) * 4);
	memset(sharing.sets, 0, PM_FIRST_SET * sizeof(struct pm_set));
	memset(sharing.buckets, 0, (sharing.buckets_mask + 1) * 4);
	sharing.sets[PM_UNTOLD_ONE].size = 1;
	sharing.sets[PM_UNTOLD_SEVERAL].size = 2;
	return sharing;
}

static void grow(struct pm_sharing *sharing)
{
	struct pm_sharing more = made(2 * sharing->sets_capacity);

	memcpy(more.sets, sharing->sets, sharing->sets_count * sizeof(struct pm_set));
	more.sets_count = sharing->sets_count;
	free(sharing->sets);
	free(sharing->buckets);
	*sharing = more;
	pm_sharing_rehash(sharing);
}

/* What each set of processes or groups has, by the mask of its members. */
static uint64_t wanted[MASKS][LABELS][PM_KINDS];

/* The processes' sets: of any masks, each with pages of any kind. */
static void draw(struct pm_sharing *from, uint32_t members, const uint32_t *groups)
{
	memset(wanted, 0, sizeof(wanted));
	for (unsigned i = 0; i < CHAINS; i++) {
		const uint32_t label = (uint32_t)below(LABELS);
		uint32_t set = 0, mask = 0;

		for (uint32_t member = 0; member < members; member++) {
			if (!below(3))
				continue;
			set = pm_sharing_grown(from, set, member, label);
			CHECK(set);
			mask |= 1u << groups[member];
		}
		for (unsigned kind = 0; set && kind < PM_KINDS; kind++) {
			const uint64_t pages = below(3) ? 0 : below(100);

			from->sets[set].pages[kind] += pages;
			wanted[mask][label][kind] += pages;
		}
	}
}

static void check_sets(const struct pm_sharing *to)
{
	for (uint32_t i = PM_FIRST_SET; i < to->sets_count; i++) {
		uint32_t mask = 0, size = 0, last = UINT32_MAX;

		for (uint32_t at = i; at; at = to->sets[at].parent, size++) {
			CHECK(to->sets[at].member < last); /* and so none is there twice */
			CHECK_EQUAL(to->sets[at].label, to->sets[i].label);
			last = to->sets[at].member;
			mask |= 1u << last;
		}
		CHECK_EQUAL(to->sets[i].size, size);
		for (unsigned kind = 0; kind < PM_KINDS && size > 1; kind++) {
			uint64_t *pages = &wanted[mask][to->sets[i].label][kind];

			CHECK_EQUAL(to->sets[i].pages[kind], *pages);
			*pages = 0; /* equal sets are one: there is no other */
		}
	}
}

/* What is left to be told: of one group alone, or of nobody knows which. */
static void check_rest(uint32_t groups, const uint64_t *within, const uint64_t *untold)
{
	for (unsigned kind = 0; kind < PM_KINDS; kind++) {
		uint64_t rest = 0;

		for (uint32_t group = 0; group < groups; group++) {
			uint64_t own = 0;

			for (unsigned label = 0; label < LABELS; label++) {
				own += wanted[1u << group][label][kind];
				wanted[1u << group][label][kind] = 0;
			}
			if (!untold)
				CHECK_EQUAL(within[group * PM_KINDS + kind], own);
			rest += own - within[group * PM_KINDS + kind];
		}
		for (unsigned mask = 0; mask < MASKS; mask++)
			for (unsigned label = 0; label < LABELS; label++)
				rest += wanted[mask][label][kind];
		CHECK_EQUAL(rest, untold ? untold[kind] : 0);
	}
}

static void drawn(uint32_t most)
{
	struct pm_sharing from = made(4 * MASKS * LABELS), to = made(PM_FIRST_SET + 1);
	const uint32_t members = 1 + (uint32_t)below(MOST_MEMBERS);
	const uint32_t count = 1 + (uint32_t)below(MOST_GROUPS);
	uint32_t groups[MOST_MEMBERS], at = 0, *sets, *scratch = exactly(count * 4);
	uint64_t *within = exactly(count * PM_KINDS * 8), *untold;

	for (uint32_t i = 0; i < MOST_MEMBERS; i++)
		groups[i] = (uint32_t)below(count);
	memset(within, 0, count * PM_KINDS * 8);
	draw(&from, members, groups);
	from.sets[PM_UNTOLD_SEVERAL].pages[PM_KIND_FILE] = 7;
	sets = exactly(from.sets_count * 4);
	memset(sets, 0, from.sets_count * 4);
	while (pm_sharing_groups(&from, groups, &at, sets, scratch, &to, within)) {
		CHECK(!to.full);
		if (to.sets_capacity < most)
			grow(&to);
		else
			to.full = 1;
	}
	CHECK_EQUAL(at, from.sets_count);
	untold = to.sets[PM_UNTOLD_SEVERAL].pages;
	CHECK(untold[PM_KIND_FILE] >= 7);
	untold[PM_KIND_FILE] -= 7;
	if (!to.full)
		check_sets(&to);
	else
		for (uint32_t i = PM_FIRST_SET; i < to.sets_count; i++)
			for (unsigned kind = 0; kind < PM_KINDS && to.sets[i].size > 1; kind++)
				untold[kind] += to.sets[i].pages[kind];
	check_rest(count, within, to.full ? untold : NULL);
	free(within);
	free(scratch);
	free(sets);
	free(to.sets);
	free(to.buckets);
	free(from.sets);
	free(from.buckets);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(200); round++)
		drawn(round % 3 ? 1 << 20 : 5 + (uint32_t)below(20));
	return 0;
}
