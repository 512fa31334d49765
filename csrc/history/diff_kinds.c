/*
 * What became of one page, by its two entries and no more than these.
 *
 * How each kind changes the counts of struct pm_counts, for each page ("part" is that of rss,
 * zero or hugetlb which the page is or was part of):
 *
 *   kind                 before, after                  present  part       other counts
 *   -------------------  -----------------------------  -------  ---------  --------------
 *   faulted in           none, marker, poisoned to P       +1    +1         -1 of before
 *   dropped              all but guard to none, marker   -1, 0   -1, 0      -1 of before
 *   swapped out          all but guard to swap           -1, 0   -1, 0      swap +1
 *   swapped in           swap to anon, hugetlb             +1    +1         swap -1
 *   copied from zero     zero to anon                       0    zero -1, anon +1
 *   copied from file     file to anon                       0    file -1, anon +1
 *   replaced             P or swap to another P           0, +1  -1 and +1  swap 0, -1
 *   moved                P to P, swap to swap, or          0, 0    0          0
 *                        migrating to P                    +1    +1         migrating -1
 *   guard set, cleared   any to guard, guard to any      -1, +1  -1, +1     guard +1, -1
 *   marker set, cleared  none to marker, to none            0      0        marker +1, -1
 *   migrating            all but guard to that           -1, 0   -1, 0      migrating +1
 *   poisoned             any to that                     -1, 0   -1, 0      poisoned +1
 *   to, from device      any to that, that to P          -1, +1  -1, +1     device +1, -1
 *   all others           P to the same P                    0      0          0
 *
 * P is present. On their own change uss (bit 56), soft_dirty, uffd_wp, and huge: as the marks do.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/entry_kinds.h"
#include "kernel/uapi.h"
#include "history/diff.h"

static int is_zero(const struct pm_look *look, uint64_t entry, uint64_t categories)
{
	if (look->any_of & PM_UAPI_IS_PFNZERO)
		return !!(categories & PM_UAPI_IS_PFNZERO);
	return (entry & PM_PLACE_MASK) - look->zero_from < look->zero_count;
}

struct pm_seen pm_seen_as(const struct pm_look *look, uint64_t entry, uint64_t categories,
			  int hugetlb)
{
	static const uint8_t states[PM_ENTRY_KINDS] = {
		[PM_ENTRY_NONE] = PM_STATE_NONE,	   [PM_ENTRY_SWAP] = PM_STATE_SWAP,
		[PM_ENTRY_GUARD] = PM_STATE_GUARD,	   [PM_ENTRY_MARKER] = PM_STATE_MARKER,
		[PM_ENTRY_MIGRATING] = PM_STATE_MIGRATING, [PM_ENTRY_POISONED] = PM_STATE_POISONED,
		[PM_ENTRY_DEVICE] = PM_STATE_DEVICE,
	};
	const uint32_t kind = pm_kind_of_entry(entry, look->kinds);
	struct pm_seen seen = { .entry = entry };

	if (kind == PM_ENTRY_HIDDEN) {
		seen.hidden = 1;
		seen.state = look->hidden_is_swap ? PM_STATE_SWAP : PM_STATE_MARKER;
	} else if (kind != PM_ENTRY_PRESENT) {
		seen.state = states[kind];
	} else if (hugetlb) {
		seen.state = PM_STATE_HUGETLB;
		seen.huge = !!(categories & PM_UAPI_IS_HUGE);
	} else if (is_zero(look, entry, categories)) {
		seen.state = PM_STATE_ZERO;
	} else {
		seen.state = pm_flag(entry, PM_FILE_BIT) ? PM_STATE_FILE : PM_STATE_ANON;
		seen.huge = !!(categories & PM_UAPI_IS_HUGE);
	}
	return seen;
}

static int is_present(const struct pm_seen *seen)
{
	return seen->state >= PM_STATE_ANON && seen->state <= PM_STATE_HUGETLB;
}

static uint32_t exclusive(const struct pm_seen *seen)
{
	return pm_flag(seen->entry, PM_EXCLUSIVE_BIT);
}

/* Whether bit 56 tells of this very page, and not of the first that its PMD maps. */
static int tells_sharing(const struct pm_look *look, const struct pm_seen *seen)
{
	return !seen->huge || look->counted || seen->state == PM_STATE_HUGETLB;
}

/* Present before and after, in memory of the same sort. */
static uint32_t kind_of_same(const struct pm_diff_job *job, const struct pm_seen *before,
			     const struct pm_seen *after)
{
	const uint64_t differ = (before->entry ^ after->entry) & job->compared;
	const int told = !!(job->compared & PM_BIT(PM_EXCLUSIVE_BIT)) &&
			 tells_sharing(&job->before, before) && tells_sharing(&job->after, after);
	const int alone = told ? (int)exclusive(after) - (int)exclusive(before) : 0;
	const int huge_told = !!(job->before.any_of & job->after.any_of & PM_UAPI_IS_HUGE);
	const int of_process = before->state != PM_STATE_FILE; /* a file's pages come and go */

	if (before->state == PM_STATE_ZERO)
		return differ ? PM_MARKS_CHANGED : PM_UNCHANGED;
	if (huge_told && after->huge && !before->huge)
		return PM_BECAME_HUGE;
	if (differ & PM_PLACE_MASK && of_process && alone)
		return alone > 0 ? PM_COPIED_FROM_SHARED : PM_BECAME_SHARED;
	if (differ & PM_PLACE_MASK)
		return PM_MOVED;
	if (huge_told && before->huge && !after->huge)
		return PM_SPLIT;
	if (alone < 0)
		return PM_BECAME_SHARED;
	/* a zero page that nobody knew as such, and of which a copy was written, looks alike */
	if (alone > 0 && (job->before.tells_zero || job->compared & PM_PLACE_MASK || !of_process))
		return PM_SOLE_AGAIN;
	if (differ & after->entry & PM_BIT(PM_SOFT_DIRTY_BIT))
		return PM_WRITTEN;
	return differ ? PM_MARKS_CHANGED : PM_UNCHANGED;
}

static uint32_t kind_of_present(const struct pm_diff_job *job, const struct pm_seen *before,
				const struct pm_seen *after)
{
	if (before->state == after->state)
		return kind_of_same(job, before, after);
	if (after->state == PM_STATE_ANON && before->state == PM_STATE_ZERO)
		return PM_COPIED_FROM_ZERO;
	if (after->state == PM_STATE_ANON && before->state == PM_STATE_FILE)
		return PM_COPIED_FROM_FILE;
	return PM_REPLACED;
}

/* Not present before and after, and the same sort of entry. */
static uint32_t kind_of_absent(const struct pm_diff_job *job, const struct pm_seen *before,
			       const struct pm_seen *after)
{
	uint64_t differ = (before->entry ^ after->entry) & job->compared;

	/* the marks of untouched pages are told by scans alone */
	if (before->state == PM_STATE_NONE &&
	    !(job->before.any_of & job->after.any_of & PM_UAPI_IS_SOFT_DIRTY))
		differ &= ~PM_BIT(PM_SOFT_DIRTY_BIT);
	if (before->state == PM_STATE_SWAP && differ & PM_PLACE_MASK)
		return PM_MOVED;
	return differ & ~PM_PLACE_MASK ? PM_MARKS_CHANGED : PM_UNCHANGED;
}

/* What became of a page that was swapped, migrating, of a device, or poisoned, and is present. */
static uint32_t kind_of_returned(uint32_t before, uint32_t after)
{
	switch (before) {
	case PM_STATE_SWAP: /* whatever else is there now, what was in swap is not */
		return after == PM_STATE_ANON || after == PM_STATE_HUGETLB ? PM_SWAPPED_IN
									   : PM_REPLACED;
	case PM_STATE_MIGRATING:
		return PM_MOVED;
	case PM_STATE_DEVICE:
		return PM_FROM_DEVICE;
	default:
		return PM_FAULTED_IN;
	}
}

uint32_t pm_kind_of_change(const struct pm_diff_job *job, const struct pm_seen *before,
			   const struct pm_seen *after)
{
	if (is_present(before) && is_present(after))
		return kind_of_present(job, before, after);
	if (before->state == after->state)
		return kind_of_absent(job, before, after);
	if (after->state == PM_STATE_GUARD)
		return PM_GUARD_SET;
	if (before->state == PM_STATE_GUARD)
		return PM_GUARD_CLEARED;
	switch (after->state) {
	case PM_STATE_NONE:
		return before->state == PM_STATE_MARKER ? PM_MARKER_CLEARED : PM_DROPPED;
	case PM_STATE_MARKER:
		return before->state == PM_STATE_NONE ? PM_MARKER_SET : PM_DROPPED;
	case PM_STATE_SWAP:
		return PM_SWAPPED_OUT;
	case PM_STATE_MIGRATING:
		return PM_MIGRATING;
	case PM_STATE_POISONED:
		return PM_POISONED;
	case PM_STATE_DEVICE:
		return PM_TO_DEVICE;
	default:
		return kind_of_returned(before->state, after->state);
	}
}

/* Add what `pages` like this one count, or, of fewer than none, take it away. */
static void count(struct pm_change_sum *sum, const struct pm_seen *seen, int64_t pages)
{
	const int64_t touched = pages < 0 ? -pages : pages;

	sum->soft_dirty += pm_flag(seen->entry, PM_SOFT_DIRTY_BIT) ? pages : 0;
	sum->uffd_wp += pm_flag(seen->entry, PM_UFFD_WP_BIT) ? pages : 0;
	sum->huge += seen->huge ? pages : 0;
	if (is_present(seen)) {
		sum->present += pages;
		sum->uss += seen->state != PM_STATE_HUGETLB && exclusive(seen) ? pages : 0;
	}
	if (seen->state == PM_STATE_ANON || seen->state == PM_STATE_FILE)
		sum->rss += pages;
	if (seen->hidden) {
		sum->hidden += touched;
		return;
	}
	switch (seen->state) {
	case PM_STATE_ANON:
		sum->anon += pages;
		break;
	case PM_STATE_FILE:
		sum->file_or_shared += pages;
		sum->mapped += touched;
		break;
	case PM_STATE_ZERO:
		sum->zero += pages;
		break;
	case PM_STATE_HUGETLB:
		sum->hugetlb += pages;
		break;
	case PM_STATE_SWAP:
		sum->swap += pages;
		break;
	case PM_STATE_GUARD:
		sum->guard += pages;
		break;
	case PM_STATE_MARKER:
		sum->marker += pages;
		break;
	case PM_STATE_MIGRATING:
		sum->migrating += pages;
		break;
	case PM_STATE_POISONED:
		sum->poisoned += pages;
		break;
	case PM_STATE_DEVICE:
		sum->device += pages;
		break;
	default:
		break; /* nothing is there */
	}
}

void pm_change_add(struct pm_change_sum *sum, const struct pm_seen *before,
		   const struct pm_seen *after, int64_t pages)
{
	sum->pages += pages;
	count(sum, before, -pages);
	count(sum, after, pages);
}
