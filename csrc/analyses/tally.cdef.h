/*
 * What whole mappings hold, in the words of smaps, out of entries and scans.
 */
#ifndef PM_ANALYSES_TALLY_CDEF_H
#define PM_ANALYSES_TALLY_CDEF_H

#include <stdint.h>

#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many pages carry each bit; the fields are named as in flags.py. */
struct pm_tally {
	uint64_t pages;
	uint64_t present;
	uint64_t swapped;
	uint64_t file_or_shared;
	uint64_t exclusive;
	uint64_t soft_dirty;
	uint64_t uffd_wp;
	uint64_t guard;
	uint64_t anonymous; /* present, and neither of a file nor shared */
};

/* Add the counts of `count` entries to *tally. */
void pm_tally_add(const uint64_t *entries, uint64_t count, struct pm_tally *tally);

/*
 * Counts of pages, of one mapping or of all. rss is file_or_shared and anonymous
 * together; present is rss, zero and hugetlb.
 */
struct pm_counts {
	uint64_t pages;
	uint64_t present;
	uint64_t rss;	  /* as smaps counts it: present, without the next two */
	uint64_t zero;	  /* the page of zeros, huge or not, mapped where nobody wrote */
	uint64_t hugetlb; /* present, of hugetlb */
	/* the kinds of entries of what is not present; see entry_kinds.cdef.h */
	uint64_t swap;
	uint64_t guard;
	uint64_t marker;
	uint64_t migrating;
	uint64_t poisoned;
	uint64_t device;
	/* of rss */
	uint64_t file_or_shared;
	uint64_t anonymous;
	uint64_t exclusive; /* mapped once: by bit 56, and see pm_exclusive_by_count */
	uint64_t soft_dirty;
	uint64_t uffd_wp;
	uint64_t huge; /* mapped by a huge entry, hugetlb too; not the huge page of zeros */
	/* what follows is no count of its own */
	uint64_t hidden; /* of swap, marker, migrating, poisoned, device: the kernel hides which */
	uint64_t marked_zero; /* of zero: marked as of a file, as the huge one is on Linux 6.18 */
};

/* Add `count` counts to others. */
void pm_counts_add(const struct pm_counts *from, uint64_t count, struct pm_counts *to);

enum pm_tally_ways {
	PM_BY_ENTRIES = 1, /* all but zero, huge and soft-dirty, so neither rss nor anonymous */
	PM_BY_SCAN =
		2, /* present, zero, hugetlb, rss, huge, soft-dirty, guard; whichever are asked */
	PM_UNTOUCHED = 4, /* by entries, those of untouched pages too: for soft-dirty */
	PM_ABSENT = 8,	  /* by scan: read the entries of what is not present, for their kinds */
	PM_ZEROS = 16,	  /* by entries: find zero pages by the words of their frames */
};

/* How a tally is made, and what it may cost. */
struct pm_tally_job {
	struct pm_source source; /* by entries it may scan for what is populated */
	const uint8_t *hugetlb;	 /* of each span, 1 where it is of hugetlb; NULL: none is */
	const uint8_t *kinds;	 /* what each type of swap entry is; see entry_kinds.cdef.h */
	int32_t mapcounts;	 /* /proc/kpagecount, or -1: exclusive is by bit 56 alone */
	int32_t flags;		 /* /proc/kpageflags, for PM_ZEROS */
	uint32_t ways;		 /* enum pm_tally_ways, added up */
	uint64_t end;		 /* pm_end: the first page past the address space */
	uint64_t any_of;	 /* by scan: which pages to find (categories of flags.py), */
	uint64_t returned;	 /* and what is to be known of them */
	uint64_t max_pages;	 /* stop after so many pages found; 0: never */
	uint64_t max_ns;	 /* stop after about so many nanoseconds; 0: never */
};

/*
 * Count the pages of the job's spans from *from up to *to: those of span i into
 * counts[i - from->span], which begins as zero. `scratch` holds PM_READ_BLOCK entries.
 * *from becomes the place to go on, at or past *to unless a limit was met.
 * Returns the number of pages found or -errno.
 *
 * What is asked of scans and of entries is seen at two moments.
 */
int64_t pm_tally_spans(const struct pm_tally_job *job, struct pm_place *from,
		       const struct pm_place *to, uint64_t *scratch, struct pm_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
