/*
 * All frames of the machine: what each is for, and how broken up free memory is.
 */
#ifndef PM_ANALYSES_MEMORY_CDEF_H
#define PM_ANALYSES_MEMORY_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "analyses/sharing.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a frame is for: exactly one of these. */
enum pm_memory_kind {
	PM_MEMORY_ANON,
	PM_MEMORY_KSM,	     /* merged */
	PM_MEMORY_SWAPCACHE, /* has a slot in swap, and nobody maps it */
	PM_MEMORY_FILE,
	PM_MEMORY_SHMEM,
	PM_MEMORY_HUGETLB,
	PM_MEMORY_HUGETLB_IDLE, /* of hugetlb, and nobody maps it: mostly the free pool */
	PM_MEMORY_ZERO,
	PM_MEMORY_SLAB,
	PM_MEMORY_PAGETABLES,
	PM_MEMORY_OFFLINE,
	PM_MEMORY_POISONED,
	PM_MEMORY_FREE,
	PM_MEMORY_UNNAMED, /* of the kernel, or on a list of one processor */
	PM_MEMORY_RESERVED,
	PM_MEMORY_MISSING, /* no frame has this number, or no word */
	PM_MEMORY_KINDS,
};

/* What is true of some frames of a kind; one may have several. */
enum pm_memory_mark {
	PM_MEMORY_MAPPED,
	PM_MEMORY_ACTIVE,
	PM_MEMORY_INACTIVE,
	PM_MEMORY_UNEVICTABLE,
	PM_MEMORY_LOCKED, /* by mlock */
	PM_MEMORY_DIRTY,
	PM_MEMORY_WRITEBACK,
	PM_MEMORY_SWAP, /* has a slot in swap */
	PM_MEMORY_THP,	/* in a folio of several frames; not of hugetlb */
	PM_MEMORY_MARKS,
};

enum pm_memory_limits {
	PM_MEMORY_ORDERS = 19, /* blocks of 2^k frames, and folios; 18: of more, too */
};

/*
 * What there is from one PFN to another, in frames but for the numbers of blocks. An
 * aligned block begins at a multiple of its size; of those that lie here as a whole,
 * `free_blocks` have free frames alone, `open_blocks` no frame that reclaim and compaction
 * cannot move (the free ones among them), and `blocks_with` at least one of a kind that
 * they cannot.
 */
struct pm_memory_sums {
	uint64_t frames[PM_MEMORY_KINDS];
	uint64_t marks[PM_MEMORY_KINDS][PM_MEMORY_MARKS];
	uint64_t folios[PM_MEMORY_KINDS][PM_MEMORY_ORDERS]; /* in folios of 2^k frames, k > 0 */
	uint64_t buddies[PM_MEMORY_ORDERS]; /* number of blocks that the allocator has */
	uint64_t blocks[PM_MEMORY_ORDERS];
	uint64_t free_blocks[PM_MEMORY_ORDERS];
	uint64_t open_blocks[PM_MEMORY_ORDERS];
	uint64_t blocks_with[PM_MEMORY_ORDERS][PM_MEMORY_KINDS];
};

/* An aligned block that is not free, and how many frames of each kind it has. */
struct pm_memory_block {
	uint64_t pfn;
	uint32_t frames[PM_MEMORY_KINDS];
};

/*
 * The frames charged to a memory cgroup, or that a group maps; `key` is its inode number, or
 * that of the group, and 1; 0: an empty slot.
 */
struct pm_memory_cgroup {
	uint64_t key;
	uint64_t frames[PM_MEMORY_KINDS];
};

struct pm_memory_job {
	int32_t flags_fd;     /* /proc/kpageflags */
	int32_t cgroup_fd;    /* /proc/kpagecgroup; -1: not asked for */
	uint32_t ksm_told;    /* 0: the flag KSM means nothing, see FrameReader.tells_ksm */
	uint32_t buddy_order; /* the largest order of the allocator's blocks */
	uint32_t block_order; /* of blocks that are listed, below PM_MEMORY_ORDERS */
	uint32_t least_run;   /* frames; free runs of fewer are listed only at an end of a step */

	/* The group of each frame from groups_from on, see pm_memory_claim; in the place of
	 * cgroups. NULL: not asked for. */
	const uint32_t *groups;
	uint64_t groups_from;
	uint64_t groups_count;
};

/* What one thread needs, and the lists of a step. NULL: not asked for. */
struct pm_memory_scratch {
	uint64_t *words;   /* PM_READ_BLOCK */
	uint64_t *cgroups; /* likewise, with cgroup_fd or groups */

	struct pm_memory_cgroup *slots; /* a power of two of them */
	uint64_t slots_count;
	uint64_t slots_used;

	struct pm_memory_block *blocks; /* one for each aligned block of the step, */
	uint64_t blocks_capacity;
	uint64_t blocks_count;

	struct pm_range *runs; /* and (frames / least_run + 2) free runs */
	uint64_t runs_capacity;
	uint64_t runs_count;
};

/*
 * What a frame is for, by its word in /proc/kpageflags; of a frame of a folio by that and the
 * word of its first frame, one or the other. `ksm_told` is as in a job.
 */
enum pm_memory_kind pm_memory_kind_of(uint64_t word, uint32_t ksm_told);

/*
 * Count the frames from `start` up to `end`, all of one zone, into *out, and fill the
 * lists that `scratch` has room for; both are empty before. Where `start` is a multiple
 * of the size of a compound page, the page is counted whole. Frames past the end of
 * flags_fd are PM_MEMORY_MISSING. Returns the number of frames or -errno; -ENOSPC: a
 * list, or the table of cgroups, has no room.
 */
int64_t pm_memory_walk(const struct pm_memory_job *job, uint64_t start, uint64_t end,
		       struct pm_memory_scratch *scratch, struct pm_memory_sums *out);

enum pm_memory_groups {
	PM_MEMORY_NO_GROUP = 0,
	PM_MEMORY_SEVERAL = 1,
	PM_MEMORY_FIRST_GROUP = 2,
};

/*
 * Let the frames of `count` stretches be those of `group`, a number from
 * PM_MEMORY_FIRST_GROUP on: groups[0] is that of frame `from`, of `frames` in all. What
 * another group maps too is of PM_MEMORY_SEVERAL. Frames outside are passed over.
 */
void pm_memory_claim(uint32_t *groups, uint64_t from, uint64_t frames,
		     const struct pm_stretch *stretches, uint64_t count, uint32_t group);

/* Add all counts of `from` to those of `to`. */
void pm_memory_add(const struct pm_memory_sums *from, struct pm_memory_sums *to);

#ifdef __cplusplus
}
#endif

#endif
