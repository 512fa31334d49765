/*
 * What the sets amount to: by kind, by path, by process, by pair.
 *
 * Sets that begin alike are a tree, so each sum over all sets that hold a process, or
 * two of them, is a sum over subtrees: every set is looked at once, with the members
 * above it, however many sets its members are in.
 */
#include <stdint.h>

#include "analyses/sharing.h"

static void add_kinds(const uint64_t *from, uint64_t *to)
{
	for (unsigned kind = 0; kind < PM_KINDS; kind++)
		to[kind] += from[kind];
}

void pm_sharing_labels(const struct pm_sharing *sharing, uint64_t *labels, uint64_t *saved)
{
	for (uint32_t i = PM_FIRST_SET; i < sharing->sets_count; i++) {
		const struct pm_set *set = sharing->sets + i;

		add_kinds(set->pages, labels + (uint64_t)set->label * PM_KINDS);
		for (unsigned kind = 0; kind < PM_KINDS; kind++)
			if (kind != PM_KIND_ZERO)
				saved[set->label] += set->pages[kind] * (set->size - 1);
	}
	for (uint32_t label = 0; label < sharing->labels; label++)
		saved[label] += sharing->merged[label];
}

void pm_sharing_accumulate(const struct pm_sharing *sharing)
{
	/* a child was made after its parent, so backwards each is whole when it is added */
	for (uint32_t i = sharing->sets_count - 1; i >= PM_FIRST_SET; i--)
		if (sharing->sets[i].parent)
			add_kinds(sharing->sets[i].pages,
				  sharing->sets[sharing->sets[i].parent].pages);
}

void pm_sharing_members(const struct pm_sharing *sharing, uint64_t *members)
{
	for (uint32_t i = PM_FIRST_SET; i < sharing->sets_count; i++)
		add_kinds(sharing->sets[i].pages,
			  members + (uint64_t)sharing->sets[i].member * PM_KINDS);
}

static uint64_t pair_of(uint64_t one, uint64_t other)
{
	return one < other ? other * (other - 1) / 2 + one : one * (one - 1) / 2 + other;
}

/* A set as the walk up the tree wants it: eight to a cache line, not one. */
struct step {
	uint32_t parent;
	uint32_t rank; /* of the member; UINT32_MAX: pass over */
};

/* Add `pages` of one kind to all pairs of a member with those above it in the tree. */
static void add_pairs(const struct step *steps, uint32_t at, uint64_t rank, uint64_t pages,
		      uint64_t *pairs)
{
	for (; at; at = steps[at].parent)
		if (steps[at].rank != UINT32_MAX)
			pairs[pair_of(rank, steps[at].rank) * PM_KINDS] += pages;
}

void pm_sharing_pairs(const struct pm_sharing *sharing, const uint32_t *ranks, uint32_t below,
		      uint32_t *scratch, uint64_t *pairs)
{
	struct step *steps = (struct step *)scratch;

	/* of two members the one above in the tree has the lesser number */
	for (uint32_t i = PM_FIRST_SET; i < sharing->sets_count; i++) {
		const struct pm_set *set = sharing->sets + i;

		steps[i].parent = set->parent;
		steps[i].rank = set->member < below ? ranks[set->member] : UINT32_MAX;
		if (ranks[set->member] == UINT32_MAX)
			continue;
		for (unsigned kind = 0; kind < PM_KINDS; kind++)
			if (set->pages[kind])
				add_pairs(steps, set->parent, ranks[set->member], set->pages[kind],
					  pairs + kind);
	}
}
