/*
 * What is told of ranges of files, each for itself: in which of their pages frames lie that
 * are looked for, and how much of each range is charged to which memory cgroup.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage_flags.h"
#include "analyses/types.h"

/* What the first frame of a folio says of all of it; see memory.c. */
static const uint64_t OF_FOLIO = PM_BIT(PM_KPF_ACTIVE) | PM_BIT(PM_KPF_DIRTY);

/* Whether a PFN is among those that are looked for, which are ascending. */
static int is_sought(const struct pm_types_job *job, uint64_t pfn)
{
	uint64_t from = 0, to = job->sought_count;

	while (from < to) {
		const uint64_t middle = from + (to - from) / 2;

		if (job->sought[middle] == pfn)
			return 1;
		if (job->sought[middle] < pfn)
			from = middle + 1;
		else
			to = middle;
	}
	return 0;
}

int64_t pm_types_find(const struct pm_types_job *job, uint64_t runs_count,
		      struct pm_types_block *block)
{
	uint64_t i = 0;

	block->found = block->unknown = 0;
	for (uint64_t range = 0; range < runs_count; range++) {
		const struct pm_range *run = block->runs + range;

		for (uint64_t page = 0; page < run->count; page++, i++) {
			const uint64_t pfn = block->entries[i] & PM_PLACE_MASK;

			if (pm_flag(block->entries[i], PM_PRESENT_BIT) && is_sought(job, pfn))
				block->hits[block->found++] =
					(struct pm_types_hit){ range, run->vpn + page, pfn };
		}
	}
	block->looked = i;
	return (int64_t)block->found;
}

/* The share of a cgroup in a range, whose shares begin with number `first`. */
static struct pm_types_share *share_of(struct pm_types_block *block, uint64_t first, uint64_t range,
				       uint64_t cgroup)
{
	struct pm_types_share *last = block->shares + block->found;

	/* neighbours are mostly charged alike: so the latest comes first */
	for (uint64_t at = block->found; at > first; at--)
		if (block->shares[at - 1].cgroup == cgroup)
			return block->shares + (at - 1);
	*last = (struct pm_types_share){ .range = range, .cgroup = cgroup };
	block->found++;
	return last;
}

static void add_page(struct pm_types_share *share, uint64_t word, uint64_t mapcount)
{
	share->pages++;
	share->active += (uint64_t)pm_flag(word, PM_KPF_ACTIVE);
	share->mapped += (uint64_t)pm_flag(word, PM_KPF_MMAP);
	share->dirty += (uint64_t)pm_flag(word, PM_KPF_DIRTY);
	if (share->mapcount < mapcount)
		share->mapcount = mapcount;
}

/* Add the pages of a run, the first of which is number `i` of the block. */
static void share_run(struct pm_types_block *block, uint64_t range, uint64_t i)
{
	const uint64_t end = i + block->runs[range].count, first = block->found;
	uint64_t folio = 0, next = PM_NO_VALUE; /* flags of the folio, and its next PFN */

	for (; i < end; i++) {
		const uint64_t pfn = block->entries[i] & PM_PLACE_MASK;
		uint64_t word = block->flags[i];
		struct pm_types_share *share;

		if (!pm_flag(block->entries[i], PM_PRESENT_BIT))
			continue;
		if (word == PM_NO_VALUE || (block->cgroups && block->cgroups[i] == PM_NO_VALUE) ||
		    (block->mapcounts && block->mapcounts[i] == PM_NO_VALUE)) {
			block->unknown++;
			continue;
		}
		if (pm_flag(word, PM_KPF_COMPOUND_HEAD))
			folio = word & OF_FOLIO;
		else if (!pm_flag(word, PM_KPF_COMPOUND_TAIL) || pfn != next)
			folio = 0;
		next = pfn + 1;
		share = share_of(block, first, range, block->cgroups ? block->cgroups[i] : 0);
		add_page(share, pm_known_flags(word | folio),
			 block->mapcounts ? block->mapcounts[i] : 0);
	}
}

int64_t pm_types_share_out(uint64_t runs_count, struct pm_types_block *block)
{
	uint64_t i = 0;

	block->found = block->unknown = 0;
	for (uint64_t range = 0; range < runs_count; range++) {
		share_run(block, range, i);
		i += block->runs[range].count;
	}
	block->looked = i;
	return (int64_t)block->found;
}
