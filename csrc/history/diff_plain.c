/*
 * Which entries need no scan: those of pages that no huge entry can map and that are not of
 * zeros, as their frames and marks show. In dense memory of small pages that is all of it,
 * and a scan costs nearly half of what their entries do.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/uapi.h"
#include "history/diff.h"

/* Whether some of these may be zero pages: of no file, and not exclusive. */
static int may_have_zeros(const uint64_t *entries, uint64_t count)
{
	const uint64_t marks = PM_BIT(PM_PRESENT_BIT) | PM_BIT(PM_FILE_BIT) |
			       PM_BIT(PM_EXCLUSIVE_BIT);
	unsigned found = 0;

	for (uint64_t i = 0; i < count; i++)
		found |= (entries[i] & marks) == PM_BIT(PM_PRESENT_BIT);
	return (int)found;
}

/* Whether a huge entry may map some of these, of pages from `vpn` on: their frames lie in a row
 * and in their place, as far as they are here. */
static int may_be_huge(const uint64_t *entries, uint64_t count, uint64_t vpn, uint32_t page_shift)
{
	/* a table of the lowest level is a page of entries: so much a PMD maps */
	const uint64_t pmd = UINT64_C(1) << (page_shift - 3);

	for (uint64_t at = 0, next; at < count; at = next) {
		next = at + pmd - ((vpn + at) & (pmd - 1));
		if (next > count)
			next = count;
		if (!pm_flag(entries[at], PM_PRESENT_BIT))
			continue;
		if (!(entries[at] & PM_PLACE_MASK)) /* hidden */
			return 1;
		if (((entries[at] ^ (vpn + at)) & (pmd - 1)) == 0 &&
		    entries[next - 1] == entries[at] + (next - 1 - at))
			return 1;
	}
	return 0;
}

int pm_diff_is_plain(const struct pm_look *look, const struct pm_diff_side *side)
{
	const uint64_t *entries = side->entries;

	/* a scan tells of untouched pages too */
	if (look->any_of & PM_UAPI_IS_SOFT_DIRTY)
		return 0;
	for (uint64_t i = 0; i < side->runs_count; i++) {
		const struct pm_range *run = side->runs + i;

		if (look->any_of & PM_UAPI_IS_PFNZERO && may_have_zeros(entries, run->count))
			return 0;
		if (may_be_huge(entries, run->count, run->vpn, look->source.page_shift))
			return 0;
		entries += run->count;
	}
	return 1;
}
