/*
 * The bits of a word of /proc/kpageflags that C looks at, and which of them mean
 * something.
 *
 * stable_page_flags (fs/proc/page.c) tells whether a frame is anonymous, and merged,
 * by the lowest bits of its `mapping`, where a frame of the slab allocator keeps
 * something else: on 6.18 a sixth of all slab frames are "anonymous", and half of
 * these "merged". So what is told of memory that reclaim and page tables know is left
 * out of frames that are the kernel's own, free, or none.
 */
#ifndef PM_KPAGE_FLAGS_H
#define PM_KPAGE_FLAGS_H

#include <stdint.h>

#include "kernel/core.h"

/*
 * Named and numbered as PAGE_FLAGS of pagemap/_vocabulary/flags.py; a test compares them. Up to
 * 26 KPF_* of include/uapi/linux/kernel-page-flags.h, from 32 on of the kernel's own
 * include/linux/kernel-page-flags.h, from 47 on the tool page-types' bits, and from
 * 52 to 56 ours for entries that are neither present nor in swap, as enum pm_entry_kind.
 */
enum pm_kpf {
	PM_KPF_ERROR = 1,
	PM_KPF_REFERENCED = 2,
	PM_KPF_UPTODATE = 3,
	PM_KPF_DIRTY = 4,
	PM_KPF_LRU = 5,
	PM_KPF_ACTIVE = 6,
	PM_KPF_SLAB = 7,
	PM_KPF_WRITEBACK = 8,
	PM_KPF_RECLAIM = 9,
	PM_KPF_BUDDY = 10,
	PM_KPF_MMAP = 11,
	PM_KPF_ANONYMOUS = 12,
	PM_KPF_SWAPCACHE = 13,
	PM_KPF_SWAPBACKED = 14,
	PM_KPF_COMPOUND_HEAD = 15,
	PM_KPF_COMPOUND_TAIL = 16,
	PM_KPF_HUGE = 17,
	PM_KPF_UNEVICTABLE = 18,
	PM_KPF_HWPOISON = 19,
	PM_KPF_NOPAGE = 20,
	PM_KPF_KSM = 21,
	PM_KPF_THP = 22,
	PM_KPF_OFFLINE = 23,
	PM_KPF_ZERO_PAGE = 24,
	PM_KPF_IDLE = 25,
	PM_KPF_PGTABLE = 26,
	PM_KPF_RESERVED = 32,
	PM_KPF_MLOCKED = 33,
	PM_KPF_OWNER_2 = 34,
	PM_KPF_SOFTDIRTY = 40,
	PM_KPF_ANON_EXCLUSIVE = 47,
	PM_KPF_READAHEAD = 48,
	PM_KPF_SLUB_FROZEN = 50,
	PM_KPF_SLUB_DEBUG = 51,
	PM_KPF_GUARD = 52,
	PM_KPF_MARKER = 53,
	PM_KPF_MIGRATING = 54,
	PM_KPF_POISONED = 55,
	PM_KPF_DEVICE = 56,
	PM_KPF_FILE = 61,
	PM_KPF_SWAP = 62,
	PM_KPF_MMAP_EXCLUSIVE = 63,
};

/* Frames that no process has, */
#define PM_KPF_NOBODYS                                                        \
	(PM_BIT(PM_KPF_SLAB) | PM_BIT(PM_KPF_BUDDY) | PM_BIT(PM_KPF_NOPAGE) | \
	 PM_BIT(PM_KPF_OFFLINE) | PM_BIT(PM_KPF_PGTABLE))
/* and what is true of frames alone that one may have. */
#define PM_KPF_OF_USERS                                                                      \
	(PM_BIT(PM_KPF_REFERENCED) | PM_BIT(PM_KPF_LRU) | PM_BIT(PM_KPF_ACTIVE) |            \
	 PM_BIT(PM_KPF_RECLAIM) | PM_BIT(PM_KPF_MMAP) | PM_BIT(PM_KPF_ANONYMOUS) |           \
	 PM_BIT(PM_KPF_SWAPCACHE) | PM_BIT(PM_KPF_SWAPBACKED) | PM_BIT(PM_KPF_UNEVICTABLE) | \
	 PM_BIT(PM_KPF_KSM) | PM_BIT(PM_KPF_IDLE))

/* A word without the bits that mean nothing in it; PM_NO_VALUE, which is none, stays. */
static inline uint64_t pm_known_flags(uint64_t word)
{
	return word & PM_KPF_NOBODYS && word != PM_NO_VALUE ? word & ~PM_KPF_OF_USERS : word;
}

#endif
