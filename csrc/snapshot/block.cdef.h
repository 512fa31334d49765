/*
 * A block: some of the page table of one process, as a snapshot file has it.
 *
 * A file is a row of chunks, each behind a header of its own, and those of kind PM_CHUNK_PAGES or
 * PM_CHUNK_WITHIN hold a block. All numbers of fixed width are little-endian:
 *
 *   0        4        8        12       16       20       24
 *  +--------+--------+--------+--------+--------+--------+-----------------//--+
 *  |  mark  |  kind  | whose  |  size  |  sum   | sum of | payload: size bytes |
 *  |        |        |        |        |        | header |                     |
 *  +--------+--------+--------+--------+--------+--------+-----------------//--+
 *
 * Sums are CRC-32, that of the header of the 20 bytes before it. `whose` is the process, counted
 * from 0. The payload of a block:
 *
 *  +-----+-------+------+--------+-----------------+-------------------+
 *  | vpn | pages | runs | tokens | bytes of (A)    | bytes of (B)      |  varints
 *  |     |       |      |        | inflated, as is | inflated, as is   |
 *  +-----+-------+------+--------+-----------------+-------------------+
 *  | (A) deflated: gap of each run, pages - 1 of each, key of each     |  varints
 *  +-------------------------------------------------------------------+
 *  | (B) deflated: a byte for each token; a varint for each repetition |
 *  +-------------------------------------------------------------------+
 *  | the low bits of all jumps, one after another, from bit 0 up       |
 *  +-------------------------------------------------------------------+
 *
 * A varint has seven bits in each byte, the lowest first, and bit 7 where more follow. The block
 * spans `pages` pages from page number `vpn` on; its first run begins and its last ends there.
 *
 * In a chunk of kind PM_CHUNK_WITHIN what lies between the mappings of the process does not count:
 * behind the last page of a mapping comes the first one of the next, in `pages`, in gaps, and in
 * runs, which go on there. So what maps say of addresses is not said once more.
 *
 * A run is pages in a row with the same key, `gap` pages after the run before it:
 *
 *    31        13  12  11  10   9   8                 0
 *  +--------------+---+---+---+---+---------------------+
 *  |       0      | A | Z | H | L | bits 63..55 of the  |
 *  |              |   |   |   |   | entry (core.h)      |
 *  +--------------+---+---+---+---+---------------------+
 *
 *  L the low 55 bits are not 0, and follow in (B)   H mapped by a PMD (PAGE_IS_HUGE)
 *  Z the zero page (PAGE_IS_PFNZERO)   A mapped once, by /proc/kpagecount; where that was read
 *
 * The low bits of an entry are its place: a PFN, or type and offset of swap. Tokens tell those of
 * all pages with L, one after another. The next place is expected one frame (or, in swap, one page)
 * after the one before, and a jump is how much it is missed by: (place - expected), with the sign
 * in bit 0 (x >= 0: 2x, else -2x - 1). The place before the first is 0, and expected after it 0.
 *
 *   0        as expected
 *   1..57    a jump of so many bits: the highest is 1, those below it lie in the low bits
 *   65..112  by 512 times as much, as huge pages do: a jump of so many bits less 64
 *   60       `repetition` pages, each as expected
 *   61       `repetition` pages, each of the same place as the page before
 */
#ifndef PM_SNAPSHOT_BLOCK_CDEF_H
#define PM_SNAPSHOT_BLOCK_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pm_chunk_layout {
	PM_CHUNK_HEADER = 24,	    /* bytes */
	PM_CHUNK_MARK = 0x0a6d70b1, /* "\xb1pm\n" */
	PM_CHUNK_PAGES = 5,	    /* the kinds that hold a block */
	PM_CHUNK_WITHIN = 11,
};

enum pm_block_limits {
	PM_BLOCK_RUNS = 4096,	 /* most runs in a block */
	PM_BLOCK_TOKENS = 4096,	 /* most tokens in a block */
	PM_BLOCK_SPLITS = 4096,	 /* how often runs of a block go on in the next mapping, at most */
	PM_BLOCK_BYTES = 196608, /* most bytes of a block, with its header */
};

/* Where a block is, and which pages it spans: from `vpn` up to, without, `end`. */
struct pm_saved_block {
	uint64_t vpn;
	uint64_t end;
	uint64_t offset; /* of its header, in bytes */
	uint32_t size;	 /* in bytes, with its header */
	uint32_t whose;
};

/* CRC-32 of `size` bytes, as in every sum of a file. */
uint32_t pm_chunk_sum(const uint8_t *bytes, uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
