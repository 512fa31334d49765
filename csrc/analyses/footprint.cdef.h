/*
 * Footprints out of pagemap, kpagecount and kpageflags, a chunk at a time: what
 * smaps sums up, without holding the target's lock for as long as that takes.
 */
#ifndef PM_ANALYSES_FOOTPRINT_CDEF_H
#define PM_ANALYSES_FOOTPRINT_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	PM_FOOTPRINT_CHUNK =
		512, /* pages of one read: what the kernel does under one hold of the lock */
};

/* What some pages hold, in pages but for pss. Fields as in smaps. */
struct pm_footprint {
	uint64_t rss;
	uint64_t pss; /* each page's size by its map count; in 2^-12 bytes, as the kernel sums */
	uint64_t shared_clean;
	uint64_t shared_dirty;
	uint64_t private_clean;
	uint64_t private_dirty;
	uint64_t shared_untold; /* in rss and not in the four above: clean or dirty, who knows */
	uint64_t private_untold;
	uint64_t anon;	/* of rss */
	uint64_t shmem; /* of rss */
	uint64_t swap;
	uint64_t swap_untold;	 /* in swap or not: the kernel hides it */
	uint64_t shared_hugetlb; /* hugetlb pages are in none of the fields above */
	uint64_t private_hugetlb;
	uint64_t hugetlb_pss;	 /* as pss */
	uint64_t hugetlb_untold; /* of how many hugetlb_pss is not to be believed */
};

/* How the target's lock was held: reads and scans of its page table, one by one. */
struct pm_chunks {
	uint64_t count;
	uint64_t longest_ns;
	uint64_t total_ns;
};

/* What a walk needs; everything is read only. */
struct pm_footprint_job {
	struct pm_source source; /* its pagemap open with PFNs visible */
	int32_t counts;		 /* /proc/kpagecount */
	int32_t flags;		 /* /proc/kpageflags */
	uint64_t frames_end;	 /* each frame below has a word in both files */
	const uint8_t *shared;	 /* 1 for each span of shared memory, 0 for others */
	const uint8_t *kinds;	 /* what types of swap are: entry_kinds.cdef.h */
	uint32_t came_back;	 /* 1: some page of the machine may have come back from swap */
};

/* Room for the pages of one step. */
struct pm_footprint_room {
	uint64_t entries[PM_READ_BLOCK];
	uint64_t spans[PM_READ_BLOCK];
	uint64_t vpns[PM_READ_BLOCK];
	uint64_t counts[PM_READ_BLOCK];
	uint64_t flags[PM_READ_BLOCK];
	uint64_t block[PM_READ_BLOCK];
	uint64_t wishes[2 * PM_READ_BLOCK]; /* struct pm_wish of kpage.cdef.h */
	uint64_t spare[2 * PM_READ_BLOCK];
};

/*
 * Walk on from *from towards, without, *to, as far as one step goes: some
 * thousand pages found, or some dozen chunks. A chunk is one call that may hold
 * the target's mmap_lock, for 512 pages that are there or 2^18 that are not; the
 * lock is given back after each. What was found in span i is added to sums[i].
 *
 * *from becomes the place to go on, at or past *to when all was seen. Returns
 * the number of present and swapped pages found, or -errno; then *from and the
 * sums are untouched. -ENODATA: a file ends before the word of a frame that is mapped.
 */
int64_t pm_footprint_step(const struct pm_footprint_job *job, struct pm_place *from,
			  const struct pm_place *to, struct pm_footprint_room *room,
			  struct pm_footprint *sums, struct pm_chunks *chunks);

/* Pages of one mapping, in order, with their frames' words (PM_NO_VALUE: there is none). */
struct pm_footprint_pages {
	const uint64_t *entries;
	const uint64_t *vpns;
	const uint64_t *counts; /* of kpagecount */
	const uint64_t *flags;	/* of kpageflags */
	uint64_t count;
	const uint8_t *kinds;
	uint32_t page_shift;
	uint32_t shared;    /* the mapping is */
	uint32_t came_back; /* as in the job */
};

/*
 * Add pages to *sum as smaps would count them. What belongs together in a block of
 * PM_FOOTPRINT_CHUNK page numbers, which a PMD may map, is to be added together.
 */
void pm_footprint_add(const struct pm_footprint_pages *pages, struct pm_footprint *sum);

#ifdef __cplusplus
}
#endif

#endif
