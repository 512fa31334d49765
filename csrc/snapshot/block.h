/* What writing and reading a block share. */
#ifndef PM_SNAPSHOT_BLOCK_H
#define PM_SNAPSHOT_BLOCK_H

#include <assert.h>
#include <stdint.h>

#include "kernel/core.h"
#include "snapshot/block.cdef.h"

enum pm_key_bit {
	PM_KEY_PLACED_BIT = 9,
	PM_KEY_HUGE_BIT = 10,
	PM_KEY_ZERO_BIT = 11,
	PM_KEY_ALONE_BIT = 12,
};

enum pm_token {
	PM_TOKEN_NEXT = 0,
	PM_TOKEN_JUMP_MOST = 57,
	PM_TOKEN_REPEAT_NEXT = 60,
	PM_TOKEN_REPEAT_SAME = 61,
	PM_TOKEN_LEAP = 64, /* and so many bits */
	PM_TOKEN_LEAP_MOST = PM_TOKEN_LEAP + 48,
	PM_LEAP_BITS = 9, /* log2 of 512 */
};

#define PM_KEY_FLAGS   ((UINT64_C(1) << PM_KEY_PLACED_BIT) - 1)
#define PM_KEY_PLACED  (UINT64_C(1) << PM_KEY_PLACED_BIT)
#define PM_KEY_HUGE    (UINT64_C(1) << PM_KEY_HUGE_BIT)
#define PM_KEY_ZERO    (UINT64_C(1) << PM_KEY_ZERO_BIT)
#define PM_KEY_ALONE   (UINT64_C(1) << PM_KEY_ALONE_BIT)
#define PM_KEY_PRESENT (PM_BIT(PM_PRESENT_BIT) >> PM_SOFT_DIRTY_BIT)
#define PM_KEY_SWAPPED (PM_BIT(PM_SWAPPED_BIT) >> PM_SOFT_DIRTY_BIT)

enum pm_block_sizes {
	PM_VARINT_MOST = 10,
	PM_HEAD_MOST = 8 * PM_VARINT_MOST,
	PM_KEY_MOST = 5, /* bytes of a varint below 2^32 */
	PM_RUNS_MOST = PM_BLOCK_RUNS * (2 * PM_VARINT_MOST + PM_KEY_MOST),
	PM_TOKENS_MOST = PM_BLOCK_TOKENS * (1 + PM_VARINT_MOST),
	PM_LOW_MOST = PM_BLOCK_TOKENS * 7 + 8,
	/* what deflate adds to what it cannot shrink: 5 bytes for 16 KiB, and some */
	PM_DEFLATE_MORE = 1024,
};

static_assert(UINT64_C(0) + PM_CHUNK_HEADER + PM_HEAD_MOST + PM_RUNS_MOST + PM_TOKENS_MOST +
			      PM_LOW_MOST + PM_DEFLATE_MORE + PM_DEFLATE_MORE <=
		      PM_BLOCK_BYTES,
	      "every block fits");

/* How far the place of the next page is expected to be from that of one with this key. */
static inline uint64_t pm_key_unit(uint64_t key)
{
	return key & PM_KEY_PRESENT ? 1 : PM_BIT(PM_SWAP_OFF_FROM);
}

static inline void pm_put_u32(uint8_t *to, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t pm_get_u32(const uint8_t *from)
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline uint8_t *pm_put_varint(uint8_t *to, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

#endif
