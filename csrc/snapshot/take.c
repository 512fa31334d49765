/*
 * Taking the page table of a live process.
 *
 * A scan costs 14 ns a page where reading costs 35, and tells three things that reading does not:
 * where nothing is at all, what a PMD maps, and which pages are zero pages. So stretches are
 * scanned first, and what was found is read in blocks, over short holes too.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "snapshot/pack.h"
#include "snapshot/patch.h"
#include "snapshot/take.cdef.h"
#include "snapshot/take.h"
#include "walk/spans.h"

enum {
	PAGES = 1 << 16, /* that one scan finds */
	BRIDGED = 32,	 /* holes that are read over */
};

uint64_t pm_take_scratch(void)
{
	return sizeof(struct pm_take_memory);
}

uint64_t pm_take_join(struct pm_range *spans, uint64_t count)
{
	uint64_t kept = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct pm_range *last = spans + kept - 1;

		if (!spans[i].count)
			continue;
		if (kept && last->vpn + last->count == spans[i].vpn)
			last->count += spans[i].count;
		else
			spans[kept++] = spans[i];
	}
	return kept;
}

static uint64_t extra_of(uint64_t categories)
{
	return (categories & PM_UAPI_IS_HUGE ? PM_KEY_HUGE : 0) |
	       (categories & PM_UAPI_IS_PFNZERO ? PM_KEY_ZERO : 0);
}

/* Mark the groups of the frames that entries have. Other threads may mark the same. */
static void mark_groups(const struct pm_taking *take, const uint64_t *entries, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t pfn = entries[i] & PM_PLACE_MASK, group = pfn >> take->group_shift;

		if (!pm_flag(entries[i], PM_PRESENT_BIT) || !pfn || group >= take->groups_count)
			continue;
		__atomic_store_n(take->groups + group, 1, __ATOMIC_RELAXED);
		__atomic_fetch_or(take->frames + pfn / 8, (uint8_t)(1 << pfn % 8),
				  __ATOMIC_RELAXED);
	}
}

/* Read `count` entries at `vpn`, without places if they are not wanted. Returns 1, 0 where there
 * are not so many, or -errno. */
static int read_block(struct pm_step *step, uint64_t vpn, uint64_t count)
{
	uint64_t *entries = step->memory->entries;
	int64_t got = pm_read(step->take->fd, vpn, count, entries);

	if (got < 0)
		return (int)got;
	if ((uint64_t)got < count) {
		*step->ended = vpn + (uint64_t)got;
		return 0;
	}
	step->looked += count;
	if (step->take->groups)
		mark_groups(step->take, entries, count);
	if (!step->take->places) {
		for (uint64_t i = 0; i < count; i++)
			entries[i] &= ~PM_PLACE_MASK;
	}
	return 1;
}

static void add(struct pm_step *step, uint64_t vpn, const uint64_t *entries, uint64_t count,
		uint64_t extra)
{
	if (step->patch)
		pm_patch_add(step->patch, vpn, entries, count, extra);
	else
		pm_pack_entries(&step->memory->pack, vpn, entries, count, extra);
}

/* Take the pages from `vpn` to `end`, which are regions[0..count) and the holes between. */
static int take_block(struct pm_step *step, const struct pm_region *regions, uint64_t count,
		      uint64_t vpn, uint64_t end)
{
	const uint32_t shift = step->take->page_shift;
	const uint64_t *entries = step->memory->entries;
	uint64_t at = vpn;
	int got = read_block(step, vpn, end - vpn);

	if (got <= 0)
		return got;
	for (uint64_t i = 0; i < count && at < end; i++) {
		uint64_t first = regions[i].start >> shift, last = regions[i].end >> shift;

		if (first > end)
			first = end; /* the block was cut before it */
		if (last > end)
			last = end;
		if (first > at) {
			add(step, at, entries + (at - vpn), first - at, 0);
			at = first;
		}
		if (last > at) {
			add(step, at, entries + (at - vpn), last - at,
			    extra_of(regions[i].categories));
			at = last;
		}
	}
	if (at < end)
		add(step, at, entries + (at - vpn), end - at, 0);
	return step->memory->pack.error ? step->memory->pack.error : 1;
}

/* Whether nothing of a region needs to be read: pages that were never touched, which a kernel with
 * soft-dirty marks where the mapping is new. */
static int is_untouched(const struct pm_region *region)
{
	return !(region->categories & (PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED | PM_UAPI_IS_HUGE));
}

/*
 * The number of the first region after `at` that is not to be read along with it: those that follow
 * closely are, up to a block from page `first` on. *last, where that of `at` ends, becomes where the
 * block does.
 */
static uint64_t join(const struct pm_step *step, const struct pm_region *regions, uint64_t count,
		     uint64_t at, uint64_t first, uint64_t *last)
{
	const uint32_t shift = step->take->page_shift;
	uint64_t next = at + 1;

	while (next < count && *last - first < PM_READ_BLOCK &&
	       (regions[next].start >> shift) - *last <= BRIDGED && !is_untouched(regions + next))
		*last = regions[next++].end >> shift;
	if (*last - first > PM_READ_BLOCK)
		*last = first + PM_READ_BLOCK;
	return next;
}

/*
 * Take what lies in regions[0..count) from page *from on, which is `until` afterwards: or less,
 * where the blocks are full. Returns 1, 0 at the end of all entries, or -errno.
 */
static int take_regions(struct pm_step *step, struct pm_region *regions, uint64_t count,
			uint64_t *from, uint64_t until)
{
	const uint32_t shift = step->take->page_shift;
	struct pm_pack *pack = &step->memory->pack;
	uint64_t i = 0;

	while (i < count) {
		uint64_t first = regions[i].start >> shift, last = regions[i].end >> shift, next;
		int got;

		if (last <= *from) {
			i++;
			continue;
		}
		if (!pm_pack_fits(pack))
			return 1;
		if (first < *from)
			first = *from;
		if (is_untouched(regions + i)) {
			pm_pack_alike(pack, first, last - first,
				      PM_BIT(PM_SOFT_DIRTY_BIT) >> PM_SOFT_DIRTY_BIT);
			*from = last;
			continue;
		}
		next = join(step, regions, count, i, first, &last);
		if (step->patch) {
			got = pm_patch_reach(step->patch, &first, &last);
			if (got <= 0)
				return got < 0 ? got : 1;
		}
		got = take_block(step, regions + i, next - i, first, last);
		if (got <= 0)
			return got;
		*from = last;
	}
	*from = until;
	return pack->error ? pack->error : 1;
}

/*
 * Find the next regions of a span: up to PAGES populated ones. Where a kernel marks untouched pages
 * as soft-dirty, they are found by another scan of the same stretch, since one limit would count
 * both, and of those there may be billions.
 */
static int64_t find_regions(struct pm_step *step, uint64_t from, uint64_t end, uint64_t *next)
{
	const struct pm_taking *take = step->take;
	const uint64_t soft_dirty = take->categories & PM_UAPI_IS_SOFT_DIRTY;
	struct pm_region *regions = step->memory->regions;
	struct pm_query query = {
		.any_of = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED |
			  (take->categories & PM_UAPI_IS_HUGE),
		.returned = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED | take->categories,
		.max_pages = PAGES,
	};
	int64_t found = pm_scan(take->fd, &query, from, end, regions, PM_TAKE_REGIONS, next);

	if (found < 0 || !soft_dirty)
		return found;
	query.any_of |= soft_dirty;
	query.max_pages = 0;
	return pm_scan(take->fd, &query, from, *next, regions, PM_TAKE_REGIONS, next);
}

/* Take some of the pages from *from to `end`, of one span, by a scan; as take_regions. */
static int take_scanned(struct pm_step *step, uint64_t *from, uint64_t end)
{
	const uint32_t shift = step->take->page_shift;
	uint64_t next;
	const int64_t found = find_regions(step, *from << shift, end << shift, &next);

	if (found < 0)
		return (int)found;
	step->looked += (uint64_t)found;
	return take_regions(step, step->memory->regions, (uint64_t)found, from, next >> shift);
}

/* The same by reading all. */
static int take_read(struct pm_step *step, uint64_t *from, uint64_t end)
{
	int got;

	if (end - *from > PM_READ_BLOCK)
		end = *from + PM_READ_BLOCK;
	if (step->patch) {
		got = pm_patch_reach(step->patch, from, &end);
		if (got <= 0)
			return got < 0 ? got : 1;
	}
	got = take_block(step, NULL, 0, *from, end);
	if (got > 0)
		*from = end;
	return got;
}

/* Whether a scan tells what lies from page `from` on; *end becomes where that ends, if it does
 * before. */
static int is_scanned(const struct pm_taking *take, uint64_t from, uint64_t *end)
{
	const uint64_t i = pm_span_at(take->skipped, take->skipped_count, from);
	uint64_t until;
	int scanned = 1;

	if (!take->use_scan)
		return 0;
	if (i == take->skipped_count)
		return 1;
	until = take->skipped[i].vpn;
	if (until <= from) {
		until += take->skipped[i].count;
		scanned = 0;
	}
	if (until < *end)
		*end = until;
	return scanned;
}

int pm_take_walk(struct pm_step *step)
{
	const struct pm_taking *take = step->take;

	while (pm_before(&step->at, step->to) && pm_pack_fits(&step->memory->pack) &&
	       !(step->patch && step->patch->full)) {
		const struct pm_range *span = take->spans + step->at.span;
		uint64_t from = span->vpn + step->at.page;
		uint64_t end = span->vpn + pm_last_page(take->spans, &step->at, step->to);
		int got;

		if (from == end) {
			step->at = pm_next_span(&step->at);
			continue;
		}
		got = is_scanned(take, from, &end) ? take_scanned(step, &from, end)
						   : take_read(step, &from, end);
		if (got < 0)
			return got;
		if (!got) {
			step->at = *step->to;
			break;
		}
		step->at.page = from - span->vpn;
	}
	return 0;
}

int64_t pm_take_step(const struct pm_taking *take, struct pm_place *at, const struct pm_place *to,
		     uint8_t *scratch, uint8_t *out, struct pm_saved_block *blocks,
		     uint64_t *stored, uint64_t *looked, uint64_t *ended)
{
	struct pm_step step = {
		.take = take,
		.to = to,
		.at = *at,
		.memory = (struct pm_take_memory *)(void *)scratch,
		.ended = ended,
	};
	struct pm_pack *pack = &step.memory->pack;
	int error = pm_pack_begin(pack, take->whose);

	if (error)
		return error;
	pm_pack_within(pack, take->spans, take->spans_count);
	pm_pack_into(pack, out, PM_TAKE_BYTES, blocks, PM_TAKE_BLOCKS);
	error = pm_take_walk(&step);
	if (!error)
		error = pm_pack_end(pack);
	if (error)
		return error;
	*at = step.at;
	*stored = pack->blocks_count;
	*looked = step.looked;
	return (int64_t)pack->size;
}
