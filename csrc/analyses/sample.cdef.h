/*
 * What a whole process holds, counted again and again: by a scan, from entries, or by the
 * kernel's own sums, whichever is cheapest on this kernel and with these rights.
 */
#ifndef PM_ANALYSES_SAMPLE_CDEF_H
#define PM_ANALYSES_SAMPLE_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "analyses/tally.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Amounts; bit 1 << n stands for amount n. */
enum pm_sample_amount {
	PM_SAMPLE_RSS = 0,
	PM_SAMPLE_SWAP = 1,
	PM_SAMPLE_ANON = 2,
	PM_SAMPLE_FILE_OR_SHARED = 3,
	PM_SAMPLE_HUGE = 4,
	PM_SAMPLE_USS = 5,
	PM_SAMPLE_PRESENT = 6,
	PM_SAMPLE_ZERO = 7,
	PM_SAMPLE_HUGETLB = 8,
	PM_SAMPLE_AMOUNTS = 9,
};

enum pm_sample_scratch {
	PM_SAMPLE_TEXT = 4096, /* bytes of text that are read at a time */
	PM_SAMPLE_SCRATCH = PM_READ_BLOCK + PM_SAMPLE_TEXT / 8, /* words */
};

/*
 * How to count. The caller fills in what is there to count with, and pm_sample_plan how. Of
 * `tally` that is: fd, page_shift and use_scan of the source, kinds, mapcounts, flags, end.
 */
struct pm_sample_job {
	struct pm_tally_job tally;
	int32_t folder;		 /* the folder of the target in /proc, */
	char maps[32];		 /* and where below it its maps are: "maps", or of one thread */
	int32_t status;		 /* of the target; -1: it has no hugetlb */
	int32_t rollup;		 /* smaps_rollup of the target; -1: it cannot be read */
	uint32_t guards;	 /* a scan knows the category of guard regions */
	uint32_t wanted;	 /* bits of amounts */
	uint32_t by_sums;	 /* those of them that only the kernel's sums tell */
	const uint32_t *stop;	 /* NULL; or give up soon (-ECANCELED) where this is not 0 */
	const uint64_t *devices; /* of hugetlb, as major << 32 | minor, for a kernel that */
	uint64_t devices_count;	 /* does not tell (before 6.11) */
};

/* What to count this time. Limits of 0 are none; see struct pm_tally_job. */
struct pm_sample_part {
	uint64_t first; /* the first address */
	uint64_t max_pages;
	uint64_t max_ns;
	int32_t swap_used; /* something of the machine is in swap: 1, 0; -1: ask the kernel */
};

/* A sample: amounts in bytes; 0 where its bit of `known` is not set. */
struct pm_sample {
	uint64_t known;
	uint64_t amounts[PM_SAMPLE_AMOUNTS];
	uint64_t resume;  /* the address where a limit stopped; 0: at the end */
	uint32_t partial; /* 1: of a part of the addresses alone */
	uint32_t untold;  /* 1: the kernel does not tell which mappings are of hugetlb */
};

/* sample_plan.c: choose how to count `wanted`; what cannot be counted is left out of it. */
void pm_sample_plan(struct pm_sample_job *job, uint32_t wanted);

/*
 * sample.c: count. `scratch` holds PM_SAMPLE_SCRATCH words. Returns 0 or -errno: -ESRCH where
 * the target is gone, or is another program by now; -ECANCELED. What only sums of the whole tell
 * is not known of a part: swapped shared memory, all of swap where the kernel hides what an entry
 * is, `by_sums`. Where a mapping may be of hugetlb and nobody tells, nothing is known that
 * depends on it.
 */
int64_t pm_sample_take(const struct pm_sample_job *job, const struct pm_sample_part *part,
		       uint64_t *scratch, struct pm_sample *out);

#ifdef __cplusplus
}
#endif

#endif
