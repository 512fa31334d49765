/*
 * What the walk over all frames (memory.c) and the blocks that they make
 * (memory_blocks.c) share.
 */
#ifndef PM_ANALYSES_MEMORY_H
#define PM_ANALYSES_MEMORY_H

#include <stdint.h>

#include "analyses/memory.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far a walk has come with runs of frames, and with the block that is listed. */
struct pm_memory_place {
	uint64_t start;				/* of the step */
	uint64_t end;				/* likewise */
	uint64_t free_from;			/* all from here on are free, */
	uint64_t open_from;			/* and from here on free or movable */
	uint64_t last_of_kind[PM_MEMORY_KINDS]; /* PM_NO_VALUE: none so far */
	struct pm_memory_block block;
};

/* Whether reclaim or compaction may free a frame of this kind; one that is free is no such. */
static inline int pm_memory_is_movable(enum pm_memory_kind kind)
{
	return kind <= PM_MEMORY_SHMEM;
}

/* The frames from `from` up to `to`, which follow those before, are of this kind. */
int pm_memory_blocks_add(const struct pm_memory_job *job, struct pm_memory_place *place,
			 enum pm_memory_kind kind, uint64_t from, uint64_t to,
			 struct pm_memory_scratch *scratch, struct pm_memory_sums *out);

/* All frames of the step were added. */
int pm_memory_blocks_end(const struct pm_memory_job *job, struct pm_memory_place *place,
			 struct pm_memory_scratch *scratch, struct pm_memory_sums *out);

#ifdef __cplusplus
}
#endif

#endif
