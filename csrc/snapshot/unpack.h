/* A block, decoded. */
#ifndef PM_SNAPSHOT_UNPACK_H
#define PM_SNAPSHOT_UNPACK_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "snapshot/block.h"
#include "snapshot/squeeze.h"

/* Pages in a row whose entries are `entry`, then each `step` more than the one before. */
struct pm_segment {
	uint64_t vpn;
	uint64_t count;
	uint64_t entry;
	uint32_t step;
	uint32_t key;
};

enum pm_unpack_limits {
	PM_BLOCK_UNCUT = PM_BLOCK_RUNS + PM_BLOCK_TOKENS, /* a run begins one, and each token */
	/* and each mapping that a run goes on in */
	PM_BLOCK_SEGMENTS = PM_BLOCK_UNCUT + PM_BLOCK_SPLITS,
};

/* The mappings of a process, in order, none empty, as pages of kind PM_CHUNK_WITHIN need them. */
struct pm_within {
	const struct pm_range *spans;
	uint64_t count;
};

/* What decoding needs beside memory for the segments. */
struct pm_unpacking {
	struct pm_squeeze squeeze;
	uint64_t begun; /* whether `squeeze` is */
	uint8_t arena[PM_INFLATE_ARENA];
	uint8_t chunk[PM_BLOCK_BYTES];
	uint8_t runs[PM_RUNS_MOST];
	uint8_t tokens[PM_TOKENS_MOST];
	uint64_t counts[PM_BLOCK_RUNS];
};

/*
 * Decode a chunk of `size` bytes that holds a block into `segments`, of which there may be
 * PM_BLOCK_SEGMENTS. Returns their number, or -EBADMSG. *found becomes its first page, that past
 * its last, its size and whose it is.
 */
int64_t pm_unpack(struct pm_unpacking *unpack, const uint8_t *chunk, uint64_t size,
		  struct pm_within within, struct pm_segment *segments,
		  struct pm_saved_block *found);

#endif
