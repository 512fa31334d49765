/* The page table of a live process, into blocks. */
#ifndef PM_SNAPSHOT_TAKE_CDEF_H
#define PM_SNAPSHOT_TAKE_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "snapshot/block.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_take_limits {
	PM_TAKE_BYTES = 1 << 20, /* bytes of blocks that a step has to have memory for */
	PM_TAKE_BLOCKS = 1024,	 /* and how many it tells of, at most */
};

/* What is to be taken, and how. */
struct pm_taking {
	const struct pm_range *spans; /* in order, see walk/spans.cdef.h; none touch */
	uint64_t spans_count;
	int32_t fd;	     /* /proc/PID/pagemap */
	uint32_t page_shift; /* log2 of the page size: 12..16 */
	uint32_t use_scan;   /* PAGEMAP_SCAN finds what is populated, and the bits of a key */
	uint32_t categories; /* those of huge, pfnzero and soft-dirty that it may be asked for */
	uint32_t places;     /* PFNs and places in swap too; without, they are 0 in the file */
	uint32_t whose;
	/* a byte for each group of 1 << group_shift frames, 3 at least: 1 where a page lies in it;
	 * and a bit for each of its frames; or none */
	uint8_t *groups;
	uint8_t *frames;
	uint64_t groups_count;
	uint64_t group_shift;
	/* what pm_take_skipped left, or none */
	const struct pm_range *skipped;
	uint64_t skipped_count;
};

/* How many bytes of scratch a step needs; it begins at a multiple of 8 bytes. */
uint64_t pm_take_scratch(void);

/* Make the `count` spans that touch one; returns how many are left. */
uint64_t pm_take_join(struct pm_range *spans, uint64_t count);

/*
 * Keep those of the mappings spans[0..count) of which entries say that they are soft-dirty, and a
 * scan says nothing: VM_PFNMAP, as of a driver. To the kernel all of such a mapping is a hole.
 * Returns the number of those that are left, or -errno.
 */
int64_t pm_take_skipped(int32_t fd, uint32_t page_shift, struct pm_range *spans, uint64_t count);

/*
 * Take pages from *at on, up to, without, *to: until all are taken, or the blocks fill `out`, of
 * PM_TAKE_BYTES, or `blocks`, of PM_TAKE_BLOCKS. Their offsets count from `out`.
 *
 * Returns the number of bytes or -errno; *at becomes the place to go on, *stored the number of
 * blocks, and *looked how many pages were looked at, about. Where the kernel has no more entries
 * (the target is gone, or the address space ends) *at becomes *to, and *ended the page; else
 * that stays as it is.
 */
int64_t pm_take_step(const struct pm_taking *take, struct pm_place *at, const struct pm_place *to,
		     uint8_t *scratch, uint8_t *out, struct pm_saved_block *blocks,
		     uint64_t *stored, uint64_t *looked, uint64_t *ended);

/* The kernel's files about frames, of which 1 << `group_shift` are a group, at least 8. */
struct pm_frame_files {
	int32_t flags_fd;
	int32_t counts_fd;
	uint32_t group_shift;
};

/*
 * Read the words of the frames that have their bit in `frames` (frame 0 has bit 0), in `count`
 * groups from `group` on, and of all frames of huge pages that one of those is in: their bits are
 * set then. Other words become, or stay, 0: `flags` and `mapcounts` are zeroed. Returns 0 or -errno.
 */
int pm_take_frames(const struct pm_frame_files *files, uint8_t *frames, uint64_t group,
		   uint64_t count, uint64_t *flags, uint64_t *mapcounts);

#ifdef __cplusplus
}
#endif

#endif
