/*
 * What pages in a row of one folio count as, and which folios PMDs map.
 */
#include <assert.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage_flags.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "walk/source.h"
#include "analyses/huge.h"

enum { REGIONS = 16 }; /* mapped by PMDs, found at a time */

static_assert(sizeof(struct pm_huge) % sizeof(uint64_t) == 0, "a tally is made of counts alone");

static void count_pmds(struct pm_counter *counter, uint64_t pages)
{
	const struct pm_pmds *pmds = &counter->pmds;
	struct pm_huge_kind *kind = pmds->kind;

	/* a folio that was joined or moved since may be counted as less than that */
	if (pages > kind->aligned[pmds->order])
		pages = kind->aligned[pmds->order];
	kind->pmd += pages;
	kind->aligned[pmds->order] -= pages;
	for (unsigned order = 0; order <= counter->job->pmd_order; order++)
		if (counter->job->conts >> order & 1)
			kind->cont[order] -= pages < kind->cont[order] ? pages : kind->cont[order];
}

int pm_settle_pmds(struct pm_counter *counter)
{
	static const struct pm_query query = {
		.all_of = PM_UAPI_IS_HUGE | PM_UAPI_IS_PRESENT,
		.returned = PM_UAPI_IS_HUGE,
	};
	const unsigned shift = counter->job->source.page_shift;
	const uint64_t end = counter->pmds.end << shift;
	uint64_t next = counter->pmds.vpn << shift, pages = 0;

	while (next < end) {
		struct pm_region regions[REGIONS];
		const int64_t found = pm_source_scan(&counter->job->source, &query, next, end,
						     regions, REGIONS, &next);

		if (found < 0)
			return (int)found;
		for (int64_t i = 0; i < found; i++)
			pages += (regions[i].end - regions[i].start) >> shift;
	}
	if (pages)
		count_pmds(counter, pages);
	counter->pmds = (struct pm_pmds){ 0 };
	return 0;
}

/* Only a whole folio in its place can be mapped by PMDs. The scan that tells is put
 * off, so that one serves many; where there is no such folio, there is no scan. */
static int keep_in_mind(struct pm_counter *counter, uint64_t vpn, uint64_t pages, unsigned order,
			struct pm_huge_kind *kind)
{
	struct pm_pmds *pmds = &counter->pmds;
	int error = 0;

	if (pmds->end != vpn || pmds->kind != kind || pmds->order != order) {
		error = pm_settle_pmds(counter);
		*pmds = (struct pm_pmds){ vpn, vpn, order, kind };
	}
	pmds->end += pages;
	return error;
}

/* All of these pages are of one folio, and so is each block among them. */
static void count_blocks(uint32_t conts, uint64_t vpn, uint64_t pfn, uint64_t pages,
			 struct pm_huge_kind *kind)
{
	for (unsigned order = 0; conts >> order; order++) {
		const uint64_t mask = (UINT64_C(1) << order) - 1;
		const uint64_t first = (vpn + mask) & ~mask, end = (vpn + pages) & ~mask;

		if ((vpn ^ pfn) & mask)
			break; /* nor is anything larger aligned in both */
		if (conts >> order & 1 && first < end)
			kind->cont[order] += end - first;
	}
}

int pm_count_piece(struct pm_counter *counter, uint64_t vpn, uint64_t pfn, uint64_t pages,
		   uint64_t rest, uint64_t word)
{
	const struct pm_huge_job *job = counter->job;
	struct pm_huge *tally = counter->tally;
	struct pm_huge_kind *kind = pm_flag(word, PM_KPF_ANONYMOUS) ? &tally->anon : &tally->file;
	unsigned order;

	if (pm_flag(word, PM_KPF_ZERO_PAGE)) {
		tally->zero += pages;
		return 0;
	}
	tally->thp += pages;
	count_blocks(job->conts, vpn, pfn, pages, kind);
	if (!pm_flag(word, PM_KPF_COMPOUND_HEAD) || pages != rest || rest & (rest - 1)) {
		kind->partial += pages;
		return 0;
	}
	order = (unsigned)__builtin_ctzll(rest);
	if (order >= PM_HUGE_ORDERS)
		order = PM_HUGE_ORDERS - 1;
	if (vpn & (rest - 1)) {
		kind->unaligned[order] += pages;
		return 0;
	}
	kind->aligned[order] += pages;
	if (job->source.use_scan && job->pmd_order && order >= job->pmd_order)
		return keep_in_mind(counter, vpn, pages, order, kind);
	return 0;
}

int pm_count_unknown(struct pm_counter *counter, uint64_t vpn, uint64_t pfn, uint64_t pages,
		     int file)
{
	static const struct pm_query query = {
		.all_of = PM_UAPI_IS_HUGE | PM_UAPI_IS_PFNZERO,
		.returned = PM_UAPI_IS_HUGE,
	};
	const struct pm_huge_job *job = counter->job;
	const unsigned shift = job->source.page_shift;
	const uint64_t end = (vpn + pages) << shift;
	uint64_t next = vpn << shift, zero = 0, small = 0;

	for (uint64_t i = 0; i < pages; i++) /* these were counted by their frames */
		small += pfn + i - job->zero_pfn < job->zero_count;
	while (job->source.use_scan && next < end) {
		struct pm_region regions[REGIONS];
		const int64_t found =
			pm_source_scan(&job->source, &query, next, end, regions, REGIONS, &next);

		if (found < 0)
			return (int)found;
		for (int64_t i = 0; i < found; i++)
			zero += (regions[i].end - regions[i].start) >> shift;
	}
	counter->tally->zero += zero;
	if (!file)
		counter->tally->anonymous -= zero;
	counter->tally->unknown += pages - zero - small;
	return 0;
}

void pm_huge_add(const struct pm_huge *from, uint64_t count, struct pm_huge *to)
{
	const uint64_t *counts = (const uint64_t *)from;
	uint64_t *sums = (uint64_t *)to;

	for (uint64_t i = 0; i < count * (sizeof(*from) / sizeof(*counts)); i++)
		sums[i] += counts[i];
}
