/*
 * What is in the page cache, of many files: part of the C API of pagemap, read by cffi and
 * by the compiler; kernel/read.cdef.h has the rules for all of it.
 */
#ifndef PM_CACHE_CDEF_H
#define PM_CACHE_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who told how much of a file is cached. */
enum pm_cache_told {
	PM_CACHE_UNTOLD = 0,	/* nobody: see `error` */
	PM_CACHE_CACHESTAT = 1, /* cachestat(2), since Linux 6.5 */
	PM_CACHE_MINCORE = 2	/* a mapping: nothing is known of the rest */
};

enum pm_cache_parts {
	PM_CACHE_PARTS = 32,   /* of a file, about equally long; of fewer pages, a page each */
	PM_CACHE_NO_PART = 255 /* there are fewer, or nobody told */
};

/* A file: 88 bytes, eleven words, the last of which are two numbers. Amounts are bytes. */
struct pm_cache_file {
	uint64_t size;
	uint64_t device;
	uint64_t inode;
	uint64_t links;
	uint64_t cached; /* in whole pages, as are the next ones */
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
	double share;  /* cached, as a share of its pages; 0 of an empty file */
	int32_t error; /* an errno, where nobody told; 0: it is neither a file nor a device */
	int32_t told;  /* an enum pm_cache_told */
};

/*
 * What is cached of the open regular file or block device `file`. Nothing of it is read in, or
 * marked as used. `owned` says that it was opened with O_NOATIME: who may do that is told the
 * truth by mincore, which tells others that all is cached. `parts`, NULL or PM_CACHE_PARTS
 * bytes, get how much of each part of the file is cached, in percent: 0 is nothing, 100 all of
 * it. Fills all of `out`; returns 1 where it is known, else 0.
 */
int64_t pm_cache_of(int file, uint32_t page_shift, int32_t owned, uint8_t *parts,
		    struct pm_cache_file *out);

/*
 * The same of `count` entries of the open folder, whose names stand in `names`, each with a NUL
 * at its end. Symbolic links are not followed; an entry that is no regular file by now has
 * the error 0. `parts` has PM_CACHE_PARTS bytes for each. Returns for how many it is known.
 */
int64_t pm_cache_below(int folder, const char *names, uint64_t count, uint32_t page_shift,
		       uint8_t *parts, struct pm_cache_file *out);

#ifdef __cplusplus
}
#endif
#endif
