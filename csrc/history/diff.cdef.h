/*
 * What became of pages between two looks at an address space, by their entries alone.
 *
 * Each page gets one kind, for which there is evidence in the two entries. Several may fit:
 * then the one that is named first in pm_kind_of_change (diff_kinds.c).
 */
#ifndef PM_HISTORY_DIFF_CDEF_H
#define PM_HISTORY_DIFF_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds of change; pagemap/_vocabulary/page_changes.py has them in words. */
enum pm_change {
	PM_UNCHANGED = 0,
	PM_FAULTED_IN = 1,
	PM_DROPPED = 2,
	PM_SWAPPED_OUT = 3,
	PM_SWAPPED_IN = 4,
	PM_COPIED_FROM_ZERO = 5,
	PM_COPIED_FROM_FILE = 6,
	PM_COPIED_FROM_SHARED = 7,
	PM_BECAME_SHARED = 8,
	PM_SOLE_AGAIN = 9,
	PM_BECAME_HUGE = 10,
	PM_SPLIT = 11,
	PM_MOVED = 12,
	PM_REPLACED = 13,
	PM_WRITTEN = 14,
	PM_GUARD_SET = 15,
	PM_GUARD_CLEARED = 16,
	PM_MARKER_SET = 17,
	PM_MARKER_CLEARED = 18,
	PM_MIGRATING = 19,
	PM_POISONED = 20,
	PM_TO_DEVICE = 21,
	PM_FROM_DEVICE = 22,
	PM_MARKS_CHANGED = 23,
	PM_CHANGES = 24, /* how many there are */
};

/* What a page was at one look. */
enum pm_page_state {
	PM_STATE_NONE = 0,
	PM_STATE_ANON = 1,
	PM_STATE_FILE = 2, /* of a file, or shared memory */
	PM_STATE_ZERO = 3,
	PM_STATE_HUGETLB = 4,
	PM_STATE_SWAP = 5,
	PM_STATE_GUARD = 6,
	PM_STATE_MARKER = 7,
	PM_STATE_MIGRATING = 8,
	PM_STATE_POISONED = 9,
	PM_STATE_DEVICE = 10,
};

/* One of the two looks. */
struct pm_look {
	struct pm_source source; /* its spans need not be in order of address */
	/* what scans, if it is not the source's: a saved one has its last block decoded */
	const struct pm_reader *scanner;
	const uint8_t *hugetlb;	 /* 1 for each span that hugetlb backs */
	const uint8_t *kinds;	 /* what each type of swap entry is; see entry_kinds.cdef.h */
	uint64_t end;		 /* the first page past the address space */
	uint64_t any_of;	 /* which pages a scan finds (categories of flags.py); 0: none */
	uint64_t zero_from;	 /* without a scan: the first frame of zeros, */
	uint64_t zero_count;	 /* and how many there are in a row */
	int32_t mapcounts;	 /* /proc/kpagecount, or -1: bit 56 is as the source has it */
	uint32_t counted;	 /* bit 56 is right for pages that a PMD maps, too */
	uint32_t tells_zero;	 /* by a scan or by frames, which pages are of zeros */
	uint32_t hidden_is_swap; /* what kind the kernel hides is swap, and not a marker */
};

/*
 * Page p of span i of one look is page p of span i of the other. A span that has none
 * there is paired with an empty one; all others are equally long.
 */
struct pm_diff_job {
	struct pm_look before;
	struct pm_look after;
	uint64_t compared; /* bits of entries that mean the same in both */
};

/*
 * How many pages of one span one kind of change befell, and by how much each count of
 * struct pm_counts grew by that; below 0 it shrank.
 */
struct pm_change_sum {
	uint64_t span;
	uint64_t kind;
	int64_t pages;
	int64_t present;
	int64_t rss;
	int64_t zero;
	int64_t hugetlb;
	int64_t swap;
	int64_t guard;
	int64_t marker;
	int64_t migrating;
	int64_t poisoned;
	int64_t device;
	int64_t file_or_shared;
	int64_t anon;
	int64_t uss;
	int64_t soft_dirty;
	int64_t uffd_wp;
	int64_t huge;
	/* what follows is no change of a count */
	int64_t hidden; /* pages of either look of whose kind the kernel hides which it is */
	int64_t mapped; /* pages of either look of a file or shared memory */
};

/* Neighbours of one span that are alike before, after, and in what became of them. */
struct pm_change_region {
	uint64_t span;
	uint64_t page; /* of the span */
	uint64_t pages;
	uint64_t kind;
	uint64_t before; /* enum pm_page_state */
	uint64_t after;
};

enum pm_diff_sizes {
	PM_DIFF_RUNS = 1024,
	PM_DIFF_REGIONS = 512,
};

/* How far a walk has read one look. */
struct pm_diff_side {
	struct pm_place read;	 /* the entries before it are known, */
	struct pm_place scanned; /* and the categories before this */
	uint64_t run;		 /* runs[run..runs_count) are yet to be compared, */
	uint64_t runs_count;
	uint64_t run_span; /* the first lies in this span, */
	uint64_t entry;	   /* and its entries begin here */
	uint64_t region;   /* regions[region..regions_count) likewise */
	uint64_t regions_count;
	uint64_t plain; /* no scan would find any of what was read last */
	uint64_t entries[PM_READ_BLOCK];
	struct pm_range runs[PM_DIFF_RUNS];
	struct pm_region regions[PM_DIFF_REGIONS];
};

/* Where a walk stands, and what it needs: memory of the caller's. */
struct pm_diff_walk {
	struct pm_place at;
	struct pm_place to;
	uint64_t seen; /* entries compared, of both looks together */
	struct pm_diff_side before;
	struct pm_diff_side after;
	struct pm_change_sum sums[PM_CHANGES]; /* of the span at `at` */
};

/* Begin a walk from *from up to, without, *to. */
void pm_diff_begin(struct pm_diff_walk *walk, const struct pm_place *from,
		   const struct pm_place *to);

/*
 * Compare pages of the job's spans from walk->at on: up to walk->to, or as far as the results
 * fit. Into `sums` (of `sums_capacity`, PM_CHANGES or more) goes a row for each span and kind
 * of change that occurs, into `regions` (of `regions_capacity`; none where that is 0) the
 * pages themselves. Rows of one span may come in several steps, and regions that touch too.
 *
 * Returns the number of sums or -errno; *regions_stored becomes that of regions. All was
 * seen when walk->at has reached walk->to.
 */
int64_t pm_diff_step(const struct pm_diff_job *job, struct pm_diff_walk *walk,
		     struct pm_change_sum *sums, uint64_t sums_capacity,
		     struct pm_change_region *regions, uint64_t regions_capacity,
		     uint64_t *regions_stored);

#ifdef __cplusplus
}
#endif

#endif
