/* Blocks in the making. */
#ifndef PM_SNAPSHOT_PACK_H
#define PM_SNAPSHOT_PACK_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "snapshot/block.h"
#include "snapshot/squeeze.h"

struct pm_packed_run {
	uint64_t number; /* of its first page */
	uint64_t count;
	uint64_t key;
};

/* One block: what was added to it so far. */
struct pm_pack {
	struct pm_packed_run runs[PM_BLOCK_RUNS];
	uint64_t runs_count;
	uint8_t tokens[PM_BLOCK_TOKENS];
	uint64_t tokens_count;
	uint8_t repeats[UINT64_C(1) * PM_BLOCK_TOKENS * PM_VARINT_MOST];
	uint64_t repeats_size;
	uint8_t low[PM_LOW_MOST];
	uint64_t low_bits;
	uint64_t place;	   /* of the last page with one */
	uint64_t expected; /* that of the next */
	uint64_t first;	   /* page of the block */
	uint64_t end;	   /* behind its last one */
	/* Within these pages are numbered, if there are any; where the last one was, in spans[span]:
	 * `before` is the number of the first page there. */
	const struct pm_range *spans;
	uint64_t spans_count;
	uint64_t span;
	uint64_t before;
	uint64_t splits; /* of runs of this block */
	/* Here are the finished blocks. */
	uint8_t *out;
	uint64_t capacity;
	uint64_t size;
	struct pm_saved_block *blocks;
	uint64_t blocks_capacity;
	uint64_t blocks_count;
	uint32_t whose;
	int32_t error;
	struct pm_squeeze squeeze;
	uint8_t columns[PM_RUNS_MOST];
	uint8_t arena[PM_DEFLATE_ARENA];
};

/* Begin in memory of sizeof(struct pm_pack); returns 0 or -ENOMEM. */
int pm_pack_begin(struct pm_pack *pack, uint32_t whose);

/* Number pages within these spans, in order: all that are added lie in them. */
void pm_pack_within(struct pm_pack *pack, const struct pm_range *spans, uint64_t count);

/* Where finished blocks go from now on. */
void pm_pack_into(struct pm_pack *pack, uint8_t *out, uint64_t capacity,
		  struct pm_saved_block *blocks, uint64_t blocks_capacity);

/* Whether what pm_pack_entries may add surely fits: the block in the making, one more, and the
 * rest. */
static inline int pm_pack_fits(const struct pm_pack *pack)
{
	return pack->capacity - pack->size >= UINT64_C(3) * PM_BLOCK_BYTES &&
	       pack->blocks_capacity - pack->blocks_count >= 3;
}

/* Add `count` pages from `vpn` on with these entries, all with the bits `extra` of a key; at most
 * PM_READ_BLOCK of them, for which pm_pack_fits. Pages must come in order of address. */
void pm_pack_entries(struct pm_pack *pack, uint64_t vpn, const uint64_t *entries, uint64_t count,
		     uint64_t extra);

/* Add pages in a row with the same key, without a place: any number of them. */
void pm_pack_alike(struct pm_pack *pack, uint64_t vpn, uint64_t count, uint64_t key);

/* Finish the block in the making, if there is one. Returns 0 or -errno. */
int pm_pack_end(struct pm_pack *pack);

#endif
