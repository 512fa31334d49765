/*
 * Transparent huge pages: how much of each mapping lies in folios of which size.
 */
#ifndef PM_ANALYSES_HUGE_CDEF_H
#define PM_ANALYSES_HUGE_CDEF_H

#include <stdint.h>

#include "kernel/kpage.cdef.h"
#include "kernel/read.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_huge_limits {
	PM_HUGE_ORDERS = 16,   /* a folio of order k has 2^k pages; 15: of more, too */
	PM_HUGE_BATCH = 16384, /* entries that are looked at together */
	PM_HUGE_RUNS = 4096,   /* runs of populated pages among them */
};

/*
 * Pages of one kind: anonymous, or of a file or shared memory. An aligned folio is
 * mapped whole, in one piece, at an address that is a multiple of its size; an
 * unaligned one at another; of a partial one less is mapped, or not in one piece.
 * `cont` are pages in blocks of 2^k pages of one folio each, in a row and
 * aligned both in memory and in the address space. Neither `aligned` nor `cont`
 * has what is mapped by a PMD: that is in `pmd`.
 */
struct pm_huge_kind {
	uint64_t pmd;
	uint64_t partial;
	uint64_t aligned[PM_HUGE_ORDERS];
	uint64_t unaligned[PM_HUGE_ORDERS];
	uint64_t cont[PM_HUGE_ORDERS];
};

/* What a mapping holds, in pages. */
struct pm_huge {
	uint64_t present;
	uint64_t anonymous; /* neither of a file nor shared, as entries say; no zeros, no hugetlb */
	uint64_t zero;	    /* the kernel's pages of zeros, small and huge: nobody's memory */
	uint64_t hugetlb;   /* present, of hugetlb */
	uint64_t thp;	    /* in transparent huge pages of any size, other than that of zeros */
	uint64_t unknown;   /* of frames without a word; none of these is in `thp` */
	struct pm_huge_kind anon;
	struct pm_huge_kind file;
};

/* How pages are counted; pmd stays 0 without `use_scan`. */
struct pm_huge_job {
	struct pm_source source; /* PFNs visible; scans find what is mapped by PMDs, too */
	int32_t flags_fd;	 /* /proc/kpageflags */
	uint32_t pmd_order;	 /* a PMD maps 2^pmd_order pages; 0: nothing is mapped so */
	uint32_t conts;		 /* bit k: count blocks of 2^k pages */
	uint32_t anon_order; /* no anonymous folio is of an order from 1 to below this; 0: not known */
	const uint8_t *shared;	/* 1 for each span of shared memory, 0 for others */
	const uint8_t *hugetlb; /* likewise of hugetlb; NULL: none is */
	uint64_t zero_pfn;	/* the first of the small pages of zeros, */
	uint64_t zero_count;	/* and how many there are, in a row */
	uint64_t frames_end;	/* each frame below has a word in flags_fd, */
	uint32_t lossy; /* or some have PM_NO_VALUE there, or none: nothing is known of them */
};

/* What one thread needs: room for PM_HUGE_BATCH each, of `runs` for PM_HUGE_RUNS. */
struct pm_huge_scratch {
	uint64_t *entries;
	uint64_t *words;
	uint64_t *pfns;
	struct pm_wish *wishes;
	struct pm_wish *spare;
	struct pm_range *runs;
};

/*
 * Count the pages of the job's spans from *from up to *to: those of span i into
 * tallies[i - from->span], which begins as zero. A folio's pages belong to the
 * stretch in which the first of them that is mapped lies, also those past *to: so pieces add
 * up to the whole, wherever they were cut (`anonymous` of one piece may wrap around
 * 0). *from becomes *to. Returns the number
 * of pages found or -errno; -ENODATA: flags_fd ends before the word of a frame that is
 * mapped.
 *
 * The kernel shows frames as they are when it is asked: of memory that is split,
 * joined or moved meanwhile, the counts are of no one moment.
 */
int64_t pm_huge_spans(const struct pm_huge_job *job, struct pm_place *from,
		      const struct pm_place *to, const struct pm_huge_scratch *scratch,
		      struct pm_huge *tallies);

/* Add `count` tallies to others. */
void pm_huge_add(const struct pm_huge *from, uint64_t count, struct pm_huge *to);

#ifdef __cplusplus
}
#endif

#endif
