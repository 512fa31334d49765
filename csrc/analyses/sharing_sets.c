/*
 * Sets of processes, each set once: a tree whose nodes are found by hashing.
 *
 *   frame 7 ─► {1, 3}     frame 8 ─► {1, 3}     frame 9 ─► {1}
 *
 *   sets:  {} ── {1} ── {1, 3}        a child is its parent and one member more
 *
 * Processes come one after the other, so a set only ever grows at its end, and
 * which one it grows to is the same for all frames that had it: neighbours mostly
 * cost a comparison with the frame before, and nothing is ever merged.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "walk/spans.cdef.h"
#include "analyses/sharing.h"

static_assert(sizeof(struct pm_set) == 64, "a set is one cache line");

/* What was found last: where sets of `from` go. */
struct step {
	uint32_t from;
	uint32_t to;
	uint32_t label;
	int known;
};

static uint64_t bucket_of(uint32_t parent, uint32_t member, uint32_t label)
{
	uint64_t x = ((uint64_t)parent << 32 | member) ^
		     (uint64_t)label * UINT64_C(0xff51afd7ed558ccd);

	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

uint32_t pm_sharing_grown(struct pm_sharing *sharing, uint32_t parent, uint32_t member,
			  uint32_t label)
{
	uint64_t at = bucket_of(parent, member, label) & sharing->buckets_mask;
	struct pm_set *set;

	for (; sharing->buckets[at]; at = (at + 1) & sharing->buckets_mask) {
		set = sharing->sets + sharing->buckets[at];
		if (set->parent == parent && set->member == member && set->label == label)
			return sharing->buckets[at];
	}
	if (sharing->sets_count >= sharing->sets_capacity)
		return 0;
	set = sharing->sets + sharing->sets_count;
	*set = (struct pm_set){ .parent = parent,
				.member = member,
				.label = label,
				.size = sharing->sets[parent].size + 1 };
	sharing->buckets[at] = sharing->sets_count;
	return sharing->sets_count++;
}

/* The set of those in `from` and one more, where there is no room to tell who that is. */
static uint32_t untold(uint32_t from)
{
	return from ? PM_UNTOLD_SEVERAL : PM_UNTOLD_ONE;
}

/* The set that a frame of set `from` has once `member` maps it; 0: no room. */
static uint32_t next_set(struct pm_sharing *sharing, uint32_t from, uint32_t member, uint32_t label,
			 struct step *last)
{
	if (from && from < PM_FIRST_SET)
		return untold(from);
	if (from)
		label = sharing->sets[from].label; /* it stays what the first had it as */
	if (last->known && last->from == from && last->label == label)
		return last->to;
	last->from = from;
	last->label = label;
	if (from && sharing->sets[from].member == member)
		last->to = from; /* mapped by it already */
	else
		last->to = pm_sharing_grown(sharing, from, member, label);
	if (!last->to && sharing->full)
		last->to = untold(from);
	last->known = last->to != 0;
	return last->to;
}

int64_t pm_sharing_add(struct pm_sharing *sharing, const struct pm_stretch *stretches,
		       uint64_t count, const uint32_t *labels, uint32_t member, uint32_t join,
		       struct pm_place *at)
{
	struct step last = { 0 };

	for (; at->span < count; *at = (struct pm_place){ at->span + 1, 0 }) {
		const struct pm_stretch *stretch = stretches + at->span;

		for (; at->page < stretch->count; at->page++) {
			const uint64_t slot = stretch->pfn + at->page - sharing->first;
			uint32_t before, set;

			sharing->beyond += stretch->pfn + at->page >= sharing->end;
			if (slot >= sharing->count || (join && !sharing->table[slot]))
				continue;
			before = pm_set_of(sharing->table[slot]);
			set = next_set(sharing, before, member, labels[stretch->span], &last);
			if (!set)
				return -ENOSPC;
			/* what it maps already, it maps twice now */
			sharing->table[slot] = set == before ? set | PM_TWICE : set;
			sharing->touched[slot / PM_TOUCHED] = 1;
		}
	}
	return 0;
}

void pm_sharing_rehash(struct pm_sharing *sharing)
{
	for (uint32_t i = PM_FIRST_SET; i < sharing->sets_count; i++) {
		const struct pm_set *set = sharing->sets + i;
		uint64_t at = bucket_of(set->parent, set->member, set->label) &
			      sharing->buckets_mask;

		while (sharing->buckets[at])
			at = (at + 1) & sharing->buckets_mask;
		sharing->buckets[at] = i;
	}
}
