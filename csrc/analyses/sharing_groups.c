/*
 * Sets of groups of processes, out of the sets of processes.
 *
 *   processes 1, 2 of group 1; 3 of group 2:
 *
 *   {1, 2} -> {1}: within group 1      {1, 2, 3}, {2, 3} -> {1, 2}
 *
 * A set's parent was made before it, so its set of groups is known, and the set's own
 * is that and the group of its last member. Processes of a group need not follow one
 * another: those that were asked for come first.
 */
#include <errno.h>
#include <stdint.h>

#include "analyses/sharing.h"

/* The set of the groups of `set` and one more; 0: there is no room. */
static uint32_t with_group(struct pm_sharing *to, uint32_t set, uint32_t group, uint32_t label,
			   uint32_t *above)
{
	uint32_t count = 0;

	for (; set && to->sets[set].member > group; set = to->sets[set].parent)
		above[count++] = to->sets[set].member;
	if (!set || to->sets[set].member != group)
		set = pm_sharing_grown(to, set, group, label);
	else if (!count)
		return set;
	while (set && count)
		set = pm_sharing_grown(to, set, above[--count], label);
	return set;
}

static void add_pages(const uint64_t *from, uint64_t *to)
{
	for (unsigned kind = 0; kind < PM_KINDS; kind++)
		to[kind] += from[kind];
}

int64_t pm_sharing_groups(const struct pm_sharing *from, const uint32_t *groups, uint32_t *at,
			  uint32_t *sets, uint32_t *scratch, struct pm_sharing *to,
			  uint64_t *within)
{
	if (*at < PM_FIRST_SET) {
		*at = PM_FIRST_SET;
		add_pages(from->sets[PM_UNTOLD_SEVERAL].pages, to->sets[PM_UNTOLD_SEVERAL].pages);
	}
	for (; *at < from->sets_count; ++*at) {
		const struct pm_set *set = from->sets + *at;
		const uint32_t group = groups[set->member], parent = sets[set->parent];
		uint32_t found = parent;

		if (parent != PM_UNTOLD_SEVERAL)
			found = with_group(to, parent, group, set->label, scratch);
		if (!found && !to->full)
			return -ENOSPC;
		if (!found)
			found = PM_UNTOLD_SEVERAL;
		sets[*at] = found;
		if (to->sets[found].size == 1)
			add_pages(set->pages, within + (uint64_t)group * PM_KINDS);
		else
			add_pages(set->pages, to->sets[found].pages);
	}
	return 0;
}
