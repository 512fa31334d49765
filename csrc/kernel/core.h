/*
 * What every C file shares: the entry, drawn, and the helpers on its bits.
 */
#ifndef PM_CORE_H
#define PM_CORE_H

#include <assert.h>
#include <stdint.h>

/*
 * An entry of /proc/PID/pagemap, one 64-bit word in the machine's byte order
 * (pagemap_read in fs/proc/task_mmu.c):
 *
 *   63  62  61  60 59  58  57  56  55  54                            5 4    0
 *  +---+---+---+-----+---+---+---+---+--------------------------------------+
 *  | P | S | F |  0  | G | W | X | D |             PFN, if P                |
 *  |   |   |   |     |   |   |   |   |  swap offset, if S         |  type   |
 *  +---+---+---+-----+---+---+---+---+--------------------------------------+
 *
 *  P present   S swapped   F file or shared anonymous   G guard region
 *  W userfaultfd write-protected   X exclusively mapped   D soft-dirty
 *
 * Bits 59 and 60 are zero up to 6.18; nothing here clears or judges them.
 * Without CAP_SYS_ADMIN bits 0..54 read as zero: that means hidden, not 0.
 */
enum pm_bit {
	PM_SOFT_DIRTY_BIT = 55,
	PM_EXCLUSIVE_BIT = 56,
	PM_UFFD_WP_BIT = 57,
	PM_GUARD_BIT = 58,
	PM_FILE_BIT = 61,
	PM_SWAPPED_BIT = 62,
	PM_PRESENT_BIT = 63,
};

#define PM_BIT(bit)	 (UINT64_C(1) << (bit))
#define PM_PLACE_MASK	 (PM_BIT(55) - 1)
#define PM_SWAP_TYPES	 UINT64_C(0x1f)
#define PM_SWAP_OFF_FROM 5
#define PM_NO_VALUE	 UINT64_MAX
/* A PFN below it has its words at offsets that pread can take: 63 bits. */
#define PM_PFN_END ((uint64_t)INT64_MAX / sizeof(uint64_t))

static_assert(PM_PLACE_MASK == UINT64_C(0x007fffffffffffff), "55 bits of place");
static_assert((PM_PLACE_MASK & PM_BIT(PM_SOFT_DIRTY_BIT)) == 0, "flags lie above the place");

static inline unsigned pm_flag(uint64_t entry, unsigned bit)
{
	return (unsigned)(entry >> bit) & 1u;
}

#endif
