/*
 * What a stretch of pages adds to the counts of its mapping: by its entries, or by
 * what a scan says of it.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/entry_frames.cdef.h"
#include "kernel/entry_kinds.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/uapi.h"
#include "walk/source.h"
#include "analyses/tally.h"

/* Count what is not present of `count` entries, each by its kind. */
static void add_kinds(const struct pm_tally_walk *walk, const uint64_t *entries, uint64_t count,
		      struct pm_counts *to)
{
	uint64_t kinds[PM_ENTRY_KINDS] = { 0 };

	pm_entry_kinds_count(entries, count, walk->job->kinds, kinds);
	to->swap += kinds[PM_ENTRY_SWAP];
	to->guard += kinds[PM_ENTRY_GUARD];
	to->marker += kinds[PM_ENTRY_MARKER];
	to->migrating += kinds[PM_ENTRY_MIGRATING];
	to->poisoned += kinds[PM_ENTRY_POISONED];
	to->device += kinds[PM_ENTRY_DEVICE];
	to->hidden += kinds[PM_ENTRY_HIDDEN];
}

/* How many of `count` entries are not present and have bit 56 all the same. */
static uint64_t absent_exclusive(const uint64_t *entries, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += pm_flag(entries[i], PM_EXCLUSIVE_BIT) & !pm_flag(entries[i], PM_PRESENT_BIT);
	return sum;
}

int64_t pm_tally_entries(const struct pm_tally_walk *walk, uint64_t span, uint64_t vpn,
			 uint64_t *entries, uint64_t count)
{
	const struct pm_tally_job *job = walk->job;
	struct pm_counts *to = walk->counts + (span - walk->first);
	const int hugetlb = pm_is_hugetlb(job, span);
	struct pm_tally bits = { 0 };
	int64_t got;

	if (job->mapcounts >= 0 && !hugetlb) {
		got = pm_exclusive_by_count(job->mapcounts, vpn, entries, count,
					    job->source.page_shift);
		if (got < 0)
			return got;
	}
	pm_tally_add(entries, count, &bits);
	to->present += bits.present;
	to->uffd_wp += bits.uffd_wp;
	/* of populated pages it would be a part; a scan counts all */
	to->soft_dirty += job->ways & PM_UNTOUCHED ? bits.soft_dirty : 0;
	if (bits.swapped || hugetlb)
		add_kinds(walk, entries, count, to);
	if (hugetlb) {
		to->hugetlb += bits.present;
		return 0;
	}
	if (bits.swapped)
		bits.exclusive -= absent_exclusive(entries, count);
	to->uss += bits.exclusive;
	to->anon += bits.anonymous;
	to->file_or_shared += bits.present - bits.anonymous;
	if (job->ways & PM_ZEROS) {
		uint64_t marked;

		got = pm_zero_pages(job->flags, vpn, entries, count, job->source.page_shift,
				    &marked);
		if (got < 0)
			return got;
		to->zero += (uint64_t)got;
		to->marked_zero += marked;
	}
	return 0;
}

/* Read entries of pages of `span` for the kinds of what is not present. Returns 0 or -errno. */
static int64_t read_kinds(const struct pm_tally_walk *walk, uint64_t span, uint64_t vpn,
			  uint64_t count)
{
	uint64_t *entries = walk->scratch + PM_WORDS_OF_REGIONS;

	while (count) {
		const uint64_t room = PM_READ_BLOCK - PM_WORDS_OF_REGIONS;
		int64_t got = pm_source_read(&walk->job->source, vpn, count < room ? count : room,
					     entries);

		if (got <= 0)
			return got;
		add_kinds(walk, entries, (uint64_t)got, walk->counts + (span - walk->first));
		vpn += (uint64_t)got;
		count -= (uint64_t)got;
	}
	return 0;
}

/* Note whether `pages` of zeros have the mark of a file: those of one stretch are alike. */
static int64_t add_marks(const struct pm_tally_walk *walk, struct pm_counts *to, uint64_t vpn,
			 uint64_t pages)
{
	uint64_t entry = 0;
	int64_t got = pm_source_read(&walk->job->source, vpn, 1, &entry);

	to->marked_zero += got == 1 && pm_flag(entry, PM_FILE_BIT) ? pages : 0;
	return got < 0 ? got : 0;
}

int64_t pm_tally_region(const struct pm_tally_walk *walk, uint64_t span, uint64_t vpn,
			uint64_t pages, uint64_t categories)
{
	struct pm_counts *to = walk->counts + (span - walk->first);
	const uint64_t present = categories & PM_UAPI_IS_PRESENT ? pages : 0;
	const int zero = !!(categories & PM_UAPI_IS_PFNZERO);

	to->zero += zero ? present : 0;
	/* holes of hugetlb are huge too, and so is the huge page of zeros */
	to->huge += categories & PM_UAPI_IS_HUGE && !zero ? present : 0;
	to->soft_dirty += categories & PM_UAPI_IS_SOFT_DIRTY ? pages : 0;
	if (walk->job->ways & PM_BY_ENTRIES) /* which tell the rest */
		return zero && present ? add_marks(walk, to, vpn, pages) : 0;
	to->present += present;
	to->hugetlb += pm_is_hugetlb(walk->job, span) ? present : 0;
	if (pm_is_parted(walk->job, span) && walk->parts) {
		const int file = !!(categories & PM_UAPI_IS_FILE);

		*(file ? &to->file_or_shared : &to->anon) += present;
		to->marked_zero += file && zero ? present : 0;
	} else if (zero && present && pm_is_parted(walk->job, span)) {
		return add_marks(walk, to, vpn, pages);
	}
	if (!(categories & PM_UAPI_IS_SWAPPED))
		return 0;
	if (categories & PM_UAPI_IS_GUARD)
		to->guard += pages;
	else if (walk->job->ways & PM_ABSENT)
		return read_kinds(walk, span, vpn, pages);
	return 0;
}

static void take(uint64_t *count, uint64_t part)
{
	*count -= part < *count ? part : *count;
}

void pm_tally_parts(const struct pm_tally_walk *walk, uint64_t span, const uint64_t *entries,
		    uint64_t count)
{
	struct pm_counts *to = walk->counts + (span - walk->first);
	struct pm_tally bits = { 0 };

	pm_tally_add(entries, count, &bits);
	to->anon += bits.anonymous;
	to->file_or_shared += bits.present - bits.anonymous;
}

void pm_tally_conclude(const struct pm_tally_job *job, uint64_t span, struct pm_counts *counts)
{
	const uint64_t others = counts->zero + counts->hugetlb;

	counts->rss = counts->present > others ? counts->present - others : 0;
	if (job->ways & PM_PARTED && !pm_is_parted(job, span)) {
		if ((job->backing[span] & PM_BACKINGS) == PM_BACKED_BY_NONE)
			counts->anon = counts->rss;
		else
			counts->file_or_shared = counts->rss;
		return;
	}
	take(&counts->file_or_shared, counts->marked_zero);
	if (job->ways & (PM_BY_ENTRIES | PM_PARTED))
		take(&counts->anon, counts->zero - counts->marked_zero);
}

void pm_counts_add(const struct pm_counts *from, uint64_t count, struct pm_counts *to)
{
	for (uint64_t i = 0; i < count; i++) {
		to[i].pages += from[i].pages;
		to[i].present += from[i].present;
		to[i].rss += from[i].rss;
		to[i].zero += from[i].zero;
		to[i].hugetlb += from[i].hugetlb;
		to[i].swap += from[i].swap;
		to[i].guard += from[i].guard;
		to[i].marker += from[i].marker;
		to[i].migrating += from[i].migrating;
		to[i].poisoned += from[i].poisoned;
		to[i].device += from[i].device;
		to[i].file_or_shared += from[i].file_or_shared;
		to[i].anon += from[i].anon;
		to[i].uss += from[i].uss;
		to[i].soft_dirty += from[i].soft_dirty;
		to[i].uffd_wp += from[i].uffd_wp;
		to[i].huge += from[i].huge;
		to[i].hidden += from[i].hidden;
		to[i].marked_zero += from[i].marked_zero;
	}
}
