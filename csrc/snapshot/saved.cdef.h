/* The page table of a process out of a snapshot file. */
#ifndef PM_SNAPSHOT_SAVED_CDEF_H
#define PM_SNAPSHOT_SAVED_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "snapshot/block.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_saved_limits {
	PM_SAVED_LAYERS = 64, /* most layers of one page table */
};

/*
 * Blocks of one moment, in order of address; none overlap. Above the first layer they hold what
 * changed: their runs replace what lies below, and those of key 0 remove it.
 */
struct pm_layer {
	const struct pm_saved_block *blocks;
	uint64_t blocks_count;
	/* the mappings of that moment, in order: only blocks of kind PM_CHUNK_WITHIN need them */
	const struct pm_range *spans;
	uint64_t spans_count;
};

/*
 * A page table in a file: one thread at a time may use it, since what was decoded last stays in
 * its scratch. `scratch` is pm_saved_scratch(layers_count) bytes, from a multiple of 8 on, and
 * zeros to begin with. The file is read by offset, and nothing in it is trusted: what is damaged
 * is -EBADMSG.
 */
struct pm_saved {
	int32_t fd;
	uint32_t page_shift; /* log2 of the page size: 12..16 */
	const struct pm_layer *layers;
	uint64_t layers_count; /* 1..PM_SAVED_LAYERS */
	uint64_t end_page;     /* the first page number past the address space */
	uint64_t counted;      /* whether bit 56 is by /proc/kpagecount, where that was saved */
	uint8_t *scratch;
};

/* How many bytes of scratch so many layers need. */
uint64_t pm_saved_scratch(uint64_t layers_count);

/*
 * Check that blocks are in order, none overlap, and each lies within `file_size` bytes: without
 * that none may be read. Returns 0 or -EBADMSG.
 */
int32_t pm_saved_check(const struct pm_saved_block *blocks, uint64_t count, uint64_t file_size);

/*
 * The entries of `count` pages from page number `vpn` on into `out`: 0 where nothing was saved.
 * Returns their number, less than `count` only where the address space ends, or -errno: -EBADMSG
 * where the file is damaged, -EIO where it ends too early.
 */
int64_t pm_saved_read(struct pm_saved *saved, uint64_t vpn, uint64_t count, uint64_t *out);

/*
 * Find regions as pm_scan does in a live process: the same arguments, order and result, but that
 * *next is always exact. -EINVAL for categories that a file does not have (written, wpallowed),
 * -EFAULT where `end` lies past the address space.
 */
int64_t pm_saved_scan(struct pm_saved *saved, const struct pm_query *query, uint64_t start,
		      uint64_t end, struct pm_region *out, uint64_t capacity, uint64_t *next);

/*
 * How many pages in a row from page number `vpn` up to `end` have nothing saved, or -errno as
 * pm_saved_read; up to `end` also past the address space, where nothing is.
 */
int64_t pm_saved_empty(struct pm_saved *saved, uint64_t vpn, uint64_t end);

/*
 * Set groups[i] to 1 where a page that is present lies in one of the frames of group i, each of
 * 1 << `shift`; `groups` has `count` of them, and those past it are passed over. Returns 0 or
 * -errno as pm_saved_read.
 */
int32_t pm_saved_groups(struct pm_saved *saved, uint32_t shift, uint8_t *groups, uint64_t count);

/*
 * Another one of the same, in memory of its own and with a descriptor of its own, for what outlives
 * the first; or NULL, and errno. pm_saved_drop frees it, and no other.
 */
struct pm_saved *pm_saved_copy(const struct pm_saved *saved);
void pm_saved_drop(struct pm_saved *saved);

/*
 * Decode one block, the chunk of `size` bytes: whether it is whole. Returns the number of its runs
 * or -EBADMSG; *found becomes what it says of itself, but for its offset. `scratch` is that of one
 * layer; spans are as in struct pm_layer.
 */
int64_t pm_saved_try(const uint8_t *chunk, uint64_t size, const struct pm_range *spans,
		     uint64_t spans_count, uint8_t *scratch, struct pm_saved_block *found);

#ifdef __cplusplus
}
#endif

#endif
