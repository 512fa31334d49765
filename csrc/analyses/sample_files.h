/* What the files of a process in /proc tell for a sample, in memory of the caller. */
#ifndef PM_SAMPLE_FILES_H
#define PM_SAMPLE_FILES_H

#include <stdint.h>

#include "analyses/sample.cdef.h"

/* sample_maps.c: the mappings one by one. Where a reading of maps stands: */
struct pm_sample_maps {
	int32_t fd;
	uint32_t page_shift;
	char *text; /* PM_SAMPLE_TEXT bytes */
	uint64_t offset;
	uint32_t filled, at;
	uint64_t end; /* of the mapping before */
};

/* A mapping: from `start` up to `end`, in bytes. */
struct pm_sample_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t inode;
	uint32_t dev_major; /* 0 of memory without a file too, */
	uint32_t dev_minor; /* where alone this is 0 then */
};

/*
 * Open maps, each time anew, for another thread that read by the same descriptor would spoil it.
 * *maps has its text, and zeros. Returns 0 or -errno; maps->fd is the caller's to close.
 */
int64_t pm_sample_maps_open(const struct pm_sample_job *job, struct pm_sample_maps *maps);

/* The next mapping. Returns 1, 0 at the end, or -errno: -EINVAL for what is no text of maps. */
int64_t pm_sample_maps_next(struct pm_sample_maps *maps, struct pm_sample_mapping *out);

/* Whether it is of hugetlb: 1, 0, or -errno; -ENOTTY before Linux 6.11. */
int64_t pm_sample_is_hugetlb(const struct pm_sample_maps *maps,
			     const struct pm_sample_mapping *mapping);

/*
 * Whether a mapping may be of shared memory, of which no page table tells what is in swap: 1, 0,
 * or -errno. Files on no block device are taken for such: those of overlayfs and btrfs too.
 */
int64_t pm_sample_may_share(const struct pm_sample_job *job, char *text);

/* sample_sums.c: the bytes of a line of status, as "VmSwap:"; 0 where it has none, or -errno. It
 * is read at once, for others may read by the same descriptor. */
int64_t pm_sample_status_bytes(const struct pm_sample_job *job, char *text, const char *name);

/* The kernel's own sums, in bytes; -1: not known. */
struct pm_sample_sums {
	int64_t rss;
	int64_t anon;
	int64_t swap;
};

/* Those of smaps_rollup. It costs a walk over all pages, under the target's mmap_lock. */
void pm_sample_read_sums(const struct pm_sample_job *job, char *text, struct pm_sample_sums *out);

#endif
