/*
 * Pages as smaps counts them, out of their entries and their frames' words.
 *
 * The rules are smaps_pte_entry's and smaps_account's of fs/proc/task_mmu.c. That
 * counts only what vm_normal_page gives it: not the page of zeros, and not what
 * a device or the kernel has put there as a bare PFN; of these nobody counts the
 * mappings, so their map count is 0, and everybody else's is above.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/entry_kinds.h"
#include "kernel/kpage_flags.h"
#include "analyses/footprint.cdef.h"

enum {
	PSS_SHIFT = 12, /* the fixed point in which the kernel sums PSS, below a byte */
};

enum state { CLEAN, DIRTY, UNTOLD };

/* Flags of a tail that are those of its whole folio, where older kernels do not tell them. */
#define OF_FOLIO                                                                      \
	(PM_BIT(PM_KPF_UPTODATE) | PM_BIT(PM_KPF_DIRTY) | PM_BIT(PM_KPF_SWAPBACKED) | \
	 PM_BIT(PM_KPF_SWAPCACHE))

/*
 * Whether its content exists nowhere else yet. What was written through a page table
 * is marked there, which pagemap does not tell, and only later on the frame. An
 * anonymous page is written when it is made, so it is dirty, unless swap has a copy or
 * it was given up (MADV_FREE, MAP_DROPPABLE): of these nobody knows who wrote since. Nor
 * of one that came back from swap past its cache (do_swap_page, of a disk in memory as
 * zram): that is clean, and its frame as any other's; so where one ever came, of none. Nor
 * of shared memory that was read first, and of a driver's pages (which nothing makes
 * valid): whoever may write there does so without a fault. Of files the kernel takes
 * note of the first write.
 */
static enum state state_of(uint64_t flags, const struct pm_footprint_pages *pages)
{
	const unsigned filled = pm_flag(flags, PM_KPF_UPTODATE);
	const unsigned kept = pm_flag(flags, PM_KPF_SWAPBACKED);

	if (pm_flag(flags, PM_KPF_DIRTY))
		return DIRTY;
	if (pm_flag(flags, PM_KPF_ANONYMOUS))
		return kept && !pages->came_back && !pm_flag(flags, PM_KPF_SWAPCACHE) ? DIRTY
										      : UNTOLD;
	return pages->shared && (kept || !filled) ? UNTOLD : CLEAN;
}

static void count_hugetlb(unsigned alone, uint64_t mapcount, uint64_t size,
			  struct pm_footprint *sum)
{
	*(alone ? &sum->private_hugetlb : &sum->shared_hugetlb) += 1;
	/* page tables that are shared (hugetlb_pmd_shared) count as one mapping */
	if (!alone && mapcount < 2)
		sum->hugetlb_untold++;
	sum->hugetlb_pss += (size << PSS_SHIFT) / (mapcount ? mapcount : 1);
}

static void count_present(unsigned alone, uint64_t mapcount, uint64_t flags,
			  const struct pm_footprint_pages *pages, struct pm_footprint *sum)
{
	const uint64_t size = UINT64_C(1) << pages->page_shift;

	if (flags == PM_NO_VALUE || mapcount == PM_NO_VALUE)
		return;
	if (pm_flag(flags, PM_KPF_HUGE)) {
		count_hugetlb(alone, mapcount, size, sum);
		return;
	}
	if (!mapcount || pm_flag(flags, PM_KPF_ZERO_PAGE))
		return;
	sum->rss++;
	if (pm_flag(flags, PM_KPF_ANONYMOUS))
		sum->anon++;
	else if (pm_flag(flags, PM_KPF_SWAPBACKED))
		sum->shmem++; /* pages of other files never go to swap */
	sum->pss += (size << PSS_SHIFT) / mapcount;
	switch (state_of(flags, pages)) {
	case CLEAN:
		*(alone ? &sum->private_clean : &sum->shared_clean) += 1;
		break;
	case DIRTY:
		*(alone ? &sum->private_dirty : &sum->shared_dirty) += 1;
		break;
	case UNTOLD:
		*(alone ? &sum->private_untold : &sum->shared_untold) += 1;
		break;
	}
}

static void count_absent(uint64_t entry, const uint8_t *kinds, struct pm_footprint *sum)
{
	const uint32_t kind = pm_kind_of_absent(entry, kinds);

	sum->swap += kind == PM_ENTRY_SWAP;
	sum->swap_untold += kind == PM_ENTRY_HIDDEN;
}

/* Whether the page `at` goes on with what the one before has of a folio, within a chunk. */
static int goes_on(const struct pm_footprint_pages *pages, uint64_t at)
{
	const uint64_t kind = PM_BIT(PM_PRESENT_BIT) | PM_PLACE_MASK;

	return (pages->entries[at] & kind) == (pages->entries[at - 1] & kind) + 1 &&
	       pages->vpns[at] == pages->vpns[at - 1] + 1 && pages->vpns[at] % PM_FOOTPRINT_CHUNK &&
	       pages->flags[at] != PM_NO_VALUE && pages->flags[at - 1] != PM_NO_VALUE &&
	       pm_flag(pages->flags[at], PM_KPF_COMPOUND_TAIL);
}

static int all_alike(const uint64_t *words, uint64_t count)
{
	for (uint64_t i = 1; i < count; i++)
		if (words[i] != words[0])
			return 0;
	return 1;
}

/*
 * Count pages of one folio. What a PMD maps has in all its entries the bit of its first
 * page (6.15 and later; it was so before 5.x too), though children that wrote since
 * fork have copies of some: where the pages of a folio are mapped differently, their
 * counts tell. Where all are alike the bit does, also if the kernel counts none of
 * them by itself (CONFIG_NO_PAGE_MAPCOUNT: then all have the average).
 */
static void count_folio(const struct pm_footprint_pages *pages, uint64_t at, uint64_t count,
			struct pm_footprint *sum)
{
	const uint64_t *entries = pages->entries + at, *counts = pages->counts + at;
	const uint64_t *flags = pages->flags + at;
	const int by_bit = all_alike(counts, count);
	const uint64_t head = pm_flag(flags[0], PM_KPF_COMPOUND_HEAD) ? flags[0] : 0;

	for (uint64_t i = 0; i < count; i++) {
		const unsigned alone = by_bit ? pm_flag(entries[i], PM_EXCLUSIVE_BIT)
					      : counts[i] < 2;
		uint64_t known = flags[i];

		if (i && !pm_flag(known, PM_KPF_UPTODATE) && known != PM_NO_VALUE)
			known |= head & OF_FOLIO;
		count_present(alone, counts[i], known, pages, sum);
	}
}

void pm_footprint_add(const struct pm_footprint_pages *pages, struct pm_footprint *sum)
{
	for (uint64_t at = 0, next; at < pages->count; at = next) {
		next = at + 1;
		if (!pm_flag(pages->entries[at], PM_PRESENT_BIT)) {
			count_absent(pages->entries[at], pages->kinds, sum);
			continue;
		}
		while (next < pages->count && goes_on(pages, next))
			next++;
		count_folio(pages, at, next - at, sum);
	}
}
