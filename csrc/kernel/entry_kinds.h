/* The kind of one entry, for the loops that judge each. */
#ifndef PM_ENTRY_KINDS_H
#define PM_ENTRY_KINDS_H

#include "kernel/core.h"
#include "kernel/entry_kinds.cdef.h"

/*
 * The place of an entry with bit 62 whose type is that of markers
 * (pte_to_pagemap_entry in fs/proc/task_mmu.c, PTE_MARKER_* in
 * include/linux/swapops.h):
 *
 *   54                                      8   7   6   5   4         0
 *  +-----------------------------------------+---+---+---+-------------+
 *  |                    0                    | G | E | W | marker type |
 *  +-----------------------------------------+---+---+---+-------------+
 *
 *  W userfaultfd's protection (5.19)   E poisoned: UFFDIO_POISON, or what could
 *  not be read from swap (6.2)   G guard region (6.13; 6.15 tells by bit 58)
 */
enum pm_marker_bit {
	PM_MARKER_POISONED_BIT = 6,
	PM_MARKER_GUARD_BIT = 7,
};

static inline uint32_t pm_kind_of_absent(uint64_t entry, const uint8_t *kinds)
{
	uint32_t kind;

	/* hugetlb's markers have the bit of userfaultfd alone (pagemap_hugetlb_range) */
	if (!pm_flag(entry, PM_SWAPPED_BIT))
		return pm_flag(entry, PM_UFFD_WP_BIT) ? PM_ENTRY_MARKER : PM_ENTRY_NONE;
	if (pm_flag(entry, PM_GUARD_BIT))
		return PM_ENTRY_GUARD;
	/* the first page of a swap area is its header: no entry has type 0, offset 0 */
	if (!(entry & PM_PLACE_MASK))
		return PM_ENTRY_HIDDEN;
	kind = kinds[entry & PM_SWAP_TYPES];
	if (kind == PM_ENTRY_MARKER && pm_flag(entry, PM_MARKER_GUARD_BIT))
		return PM_ENTRY_GUARD;
	if (kind == PM_ENTRY_MARKER && pm_flag(entry, PM_MARKER_POISONED_BIT))
		return PM_ENTRY_POISONED;
	return kind;
}

/* The enum pm_entry_kind of `entry`; `kinds` has PM_TYPES_OF_SWAP items. */
static inline uint32_t pm_kind_of_entry(uint64_t entry, const uint8_t *kinds)
{
	if (pm_flag(entry, PM_PRESENT_BIT))
		return PM_ENTRY_PRESENT;
	return pm_kind_of_absent(entry, kinds);
}

#endif
