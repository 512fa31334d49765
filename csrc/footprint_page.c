/*
 * One page as smaps counts it, out of its entry and its frame's words.
 *
 * The rules are smaps_pte_entry's and smaps_account's of fs/proc/task_mmu.c. That
 * counts only what vm_normal_page gives it: not the page of zeros, and not what
 * a device or the kernel has put there as a bare PFN ([vvar]); of these nobody
 * counts the mappings, so their map count is 0, and everybody else's is above.
 */
#include <stdint.h>

#include "core.h"
#include "footprint.cdef.h"

enum {
	PSS_SHIFT = 12, /* the fixed point in which the kernel sums PSS, below a byte */
	/*
	 * Swap areas are numbered from 0 on, and what is no swap (migration,
	 * poison, markers, memory of devices) from the top: of 32 types at most
	 * 9 (MAX_SWAPFILES in include/linux/swap.h).
	 */
	SWAP_AREAS = 23,
	/* of kpageflags; include/uapi/linux/kernel-page-flags.h */
	UPTODATE_BIT = 3,
	DIRTY_BIT = 4,
	ANON_BIT = 12,
	SWAPCACHE_BIT = 13,
	SWAPBACKED_BIT = 14,
	TAIL_BIT = 16,
	HUGE_BIT = 17,
	ZERO_PAGE_BIT = 24,
};

/*
 * Whether its content exists nowhere else yet. Anonymous pages are written when
 * they are made, and the kernel marks that in the page table, which pagemap does not
 * tell, and not on the frame; so they are dirty unless swap has a copy, or they
 * were given up (MADV_FREE). Of a tail in a large folio older kernels (6.1) tell
 * the flags that it has itself, which are next to none, not even that its content
 * is valid; newer ones (6.12) those of its folio.
 */
static int dirty(uint64_t flags)
{
	const int kept = pm_flag(flags, SWAPBACKED_BIT) ||
			 (pm_flag(flags, TAIL_BIT) && !pm_flag(flags, UPTODATE_BIT));

	if (pm_flag(flags, DIRTY_BIT))
		return 1;
	return pm_flag(flags, ANON_BIT) && kept && !pm_flag(flags, SWAPCACHE_BIT);
}

static void count_present(uint64_t entry, uint64_t mapcount, uint64_t flags, uint64_t size,
			  struct pm_footprint *sum)
{
	const unsigned private = pm_flag(entry, PM_EXCLUSIVE_BIT);

	if (flags == PM_NO_VALUE || mapcount == PM_NO_VALUE)
		return;
	if (pm_flag(flags, HUGE_BIT)) {
		sum->private_hugetlb += private;
		sum->shared_hugetlb += !private;
		return;
	}
	if (!mapcount || pm_flag(flags, ZERO_PAGE_BIT))
		return;
	sum->rss++;
	sum->pss += (size << PSS_SHIFT) / mapcount;
	if (dirty(flags))
		*(private ? &sum->private_dirty : &sum->shared_dirty) += 1;
	else
		*(private ? &sum->private_clean : &sum->shared_clean) += 1;
}

void pm_footprint_page(uint64_t entry, uint64_t mapcount, uint64_t flags, uint32_t page_shift,
		       struct pm_footprint *sum)
{
	if (pm_flag(entry, PM_PRESENT_BIT))
		count_present(entry, mapcount, flags, UINT64_C(1) << page_shift, sum);
	else if (pm_flag(entry, PM_SWAPPED_BIT) && !pm_flag(entry, PM_GUARD_BIT))
		sum->swap += (entry & PM_SWAP_TYPES) < SWAP_AREAS;
}
