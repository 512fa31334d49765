/*
 * What one process holds: frames by kind, and slots of swap areas.
 *
 * The kernel marks a page that is mapped just once (bit 56), so of such a page neither its
 * frame nor its map count need be known. But an anonymous page comes back only with its
 * whole folio, other pages of which others may map: of those that may be in one the frame
 * is kept. Where a PMD maps 512 pages, all have the mark of the first (since 6.15), so it
 * is not believed there; such pages lie where page number and PFN are alike in their low
 * bits.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "kernel/entry_kinds.h"
#include "kernel/read.cdef.h"
#include "walk/spans.h"
#include "walk/visit.h"
#include "analyses/freed.h"

static_assert(sizeof(struct pm_holding) == 16, "cffi and C agree on a holding");

struct collection {
	const struct pm_holding_search *search;
	uint64_t pmd; /* pages that a PMD maps */
	struct pm_holding *out;
};

static struct pm_holding of_frame(const struct collection *to, uint64_t entry, uint64_t vpn,
				  unsigned span_kind)
{
	const struct pm_holding_search *search = to->search;
	const uint64_t pfn = entry & PM_PLACE_MASK;
	struct pm_holding page = { pfn, 1, (uint16_t)(span_kind & ~(unsigned)PM_HOLDING_ELSEWHERE),
				   0, 0 };

	if (search->slots_alone || !pfn || pfn - search->zero_first < search->zero_count)
		return (struct pm_holding){ 0 };
	if (pm_flag(entry, PM_FILE_BIT) && span_kind & PM_HOLDING_ELSEWHERE)
		return (struct pm_holding){ 0 };
	if (!pm_flag(entry, PM_FILE_BIT) && page.kind != PM_HOLDING_HUGETLB)
		page.kind = PM_HOLDING_ANON;
	page.aligned = !((pfn ^ vpn) & (to->pmd - 1));
	if (pm_flag(entry, PM_EXCLUSIVE_BIT) && !page.aligned &&
	    (page.kind != PM_HOLDING_ANON || search->no_small_folios))
		page = (struct pm_holding){ 0, 1, page.kind, 1, 0 };
	return page;
}

/* What the page holds; nothing: its count is 0. */
static struct pm_holding held(const struct collection *to, uint64_t entry, uint64_t vpn,
			      unsigned span_kind)
{
	if (pm_flag(entry, PM_PRESENT_BIT))
		return of_frame(to, entry, vpn, span_kind);
	if (pm_kind_of_absent(entry, to->search->swap_kinds) != PM_ENTRY_SWAP)
		return (struct pm_holding){ 0 };
	return (struct pm_holding){ entry & PM_PLACE_MASK, 1, PM_HOLDING_SLOT, 0, 0 };
}

static int follows(const struct pm_holding *before, const struct pm_holding *page)
{
	const uint64_t step = page->kind == PM_HOLDING_SLOT ? PM_SWAP_TYPES + 1 : !page->sole;

	return before->count && before->kind == page->kind && before->sole == page->sole &&
	       before->aligned == page->aligned && page->at == before->at + step * before->count;
}

/* Add what one run holds to the `stored` holdings; returns how many there are then. */
static uint64_t add_run(void *context, const uint64_t *entries, const struct pm_range *range,
			uint64_t span, uint64_t stored)
{
	const struct collection *to = context;
	const unsigned kind = to->search->kinds[span];
	struct pm_holding here = { 0 };

	for (uint64_t i = 0; i < range->count; i++) {
		const struct pm_holding page = held(to, entries[i], range->vpn + i, kind);

		if (!page.count)
			continue;
		if (follows(&here, &page)) {
			here.count++;
			continue;
		}
		if (here.count)
			to->out[stored++] = here;
		here = page;
	}
	if (here.count)
		to->out[stored++] = here;
	return stored;
}

int64_t pm_freed_collect(const struct pm_source *source, const struct pm_holding_search *search,
			 struct pm_place *from, const struct pm_place *to, uint64_t *scratch,
			 struct pm_holding *out, uint64_t capacity, uint64_t *seen)
{
	/* a table of the lowest level is a page of entries: so many pages a PMD maps */
	struct collection to_fill = { search, UINT64_C(1) << (source->page_shift - 3), out };

	return pm_visit(source, from, to, scratch, capacity, seen, add_run, &to_fill);
}
