/*
 * What whole mappings hold, counted without a row or an object for any page.
 *
 * PAGEMAP_SCAN counts present and swapped pages for 14 ns each and skips empty
 * tables, but asking it for the category file costs a look at each frame (52
 * ns). Entries cost 35 ns, tell file, exclusive and uffd-wp, and do not tell
 * huge. Which to take, or both, the caller knows by what is asked for.
 */
#include <errno.h>
#include <stdint.h>

#include "core.h"
#include "sys.h"
#include "uapi.h"

enum {
	REGIONS = 512, /* what the kernel collects at a time */
	RUNS = 1024,
	AT_ONCE = 1 << 16, /* pages found between two looks at the limits: 1-3 ms */
	PASSED = 1 << 20,  /* pages passed between them where holes are read: 2-5 ms */
};

_Static_assert(REGIONS * sizeof(struct pm_region) <= PM_READ_BLOCK * sizeof(uint64_t),
	       "the scratch holds the regions");

/* The page at which a walk up to *to leaves the span of `at`. */
static uint64_t last_page(const struct pm_tally_job *job, const struct pm_place *at,
			  const struct pm_place *to)
{
	return at->span == to->span ? to->page : job->spans[at->span].count;
}

static int before(const struct pm_place *at, const struct pm_place *to)
{
	return at->span < to->span || (at->span == to->span && at->page < to->page);
}

static void add_region(struct pm_tally *tally, uint64_t pages, uint64_t categories)
{
	const int present = !!(categories & PM_UAPI_IS_PRESENT);
	const int file = !!(categories & PM_UAPI_IS_FILE);

	tally->present += present ? pages : 0;
	tally->swapped += categories & PM_UAPI_IS_SWAPPED ? pages : 0;
	tally->file_or_shared += file ? pages : 0;
	tally->soft_dirty += categories & PM_UAPI_IS_SOFT_DIRTY ? pages : 0;
	tally->guard += categories & PM_UAPI_IS_GUARD ? pages : 0;
	tally->huge += categories & PM_UAPI_IS_HUGE ? pages : 0;
	tally->anonymous += present && !file ? pages : 0;
}

/* Share the pages of a region among the spans from *span up to `last`. */
static void attribute(const struct pm_tally_job *job, const struct pm_region *region,
		      uint64_t *span, uint64_t last, struct pm_tally *tallies, uint64_t first)
{
	uint64_t from = region->start >> job->page_shift, stop = region->end >> job->page_shift;

	while (from < stop) {
		const struct pm_span *here;
		uint64_t end;

		while (*span <= last && job->spans[*span].vpn + job->spans[*span].count <= from)
			(*span)++;
		if (*span > last)
			return;
		here = job->spans + *span;
		/* what lies between spans was not asked for, or is newly mapped */
		if (from < here->vpn)
			from = here->vpn < stop ? here->vpn : stop;
		end = here->vpn + here->count < stop ? here->vpn + here->count : stop;
		if (from < end)
			add_region(tallies + (*span - first), end - from, region->categories);
		from = from < end ? end : from;
	}
}

/*
 * Count by one scan, from *at as far as the spans up to *to go: holes between
 * them cost it nothing. Moves *at; returns the number of pages found or -errno.
 */
static int64_t scan_some(const struct pm_tally_job *job, struct pm_place *at,
			 const struct pm_place *to, struct pm_region *regions,
			 struct pm_tally *tallies, uint64_t first)
{
	const struct pm_query query = {
		.any_of = job->categories & ~(uint64_t)PM_UAPI_IS_FILE,
		.returned = job->categories,
		.max_pages = AT_ONCE,
	};
	const uint64_t last = to->page ? to->span : to->span - 1; /* *at lies before *to */
	const struct pm_place leave = { last, 0 };
	const uint64_t start = job->spans[at->span].vpn + at->page;
	uint64_t end = job->spans[last].vpn + last_page(job, &leave, to);
	uint64_t next, span = at->span, found = 0;
	int64_t count;

	if (end > job->end)
		end = job->end;
	if (start >= end) {
		*at = *to; /* the rest lies past the address space, as [vsyscall] */
		return 0;
	}
	count = pm_scan(job->fd, &query, start << job->page_shift, end << job->page_shift, regions,
			REGIONS, &next);
	if (count < 0)
		return count;
	for (int64_t i = 0; i < count; i++) {
		found += (regions[i].end - regions[i].start) >> job->page_shift;
		attribute(job, regions + i, &span, last, tallies, first);
	}
	next >>= job->page_shift;
	if (next >= end) {
		*at = *to;
		return (int64_t)found;
	}
	while (job->spans[at->span].vpn + job->spans[at->span].count <= next)
		*at = (struct pm_place){ at->span + 1, 0 };
	if (next > job->spans[at->span].vpn + at->page)
		at->page = next - job->spans[at->span].vpn;
	return (int64_t)found;
}

/* Count the populated pages of a block of entries. As scan_some. */
static int64_t read_populated(const struct pm_tally_job *job, struct pm_place *at,
			      const struct pm_place *to, uint64_t *scratch,
			      struct pm_tally *tallies, uint64_t first)
{
	const uint64_t *entries = scratch;
	struct pm_range runs[RUNS];
	struct pm_place until = *to;
	uint64_t stored, span = at->span;
	int64_t got;

	if (!job->use_scan && last_page(job, at, to) - at->page > PASSED)
		until = (struct pm_place){ at->span, at->page + PASSED };
	got = pm_populated(job->fd, job->use_scan, job->page_shift, job->spans, at, &until, scratch,
			   PM_READ_BLOCK, runs, RUNS, &stored);
	for (uint64_t i = 0; got >= 0 && i < stored; i++) {
		struct pm_tally here = { 0 };

		while (runs[i].vpn - job->spans[span].vpn >= job->spans[span].count)
			span++;
		pm_tally(entries, runs[i].count, &here);
		here.soft_dirty = 0; /* of populated pages alone; a scan counts all */
		pm_tally_add(&here, 1, tallies + (span - first));
		entries += runs[i].count;
	}
	return got;
}

/* Count the pages of a block of entries, untouched ones too. As scan_some. */
static int64_t read_all(const struct pm_tally_job *job, struct pm_place *at,
			const struct pm_place *to, uint64_t *scratch, struct pm_tally *tallies,
			uint64_t first)
{
	uint64_t rest = last_page(job, at, to) - at->page;
	int64_t got;

	if (rest > PM_READ_BLOCK)
		rest = PM_READ_BLOCK;
	got = pm_read(job->fd, job->spans[at->span].vpn + at->page, rest, scratch);
	if (got < 0)
		return got;
	pm_tally(scratch, (uint64_t)got, tallies + (at->span - first));
	at->page += rest;
	if (at->page == job->spans[at->span].count)
		*at = (struct pm_place){ at->span + 1, 0 };
	return got;
}

/* All pages passed count as `pages`, whatever was seen of them. */
static void count_passed(const struct pm_tally_job *job, struct pm_place from,
			 const struct pm_place *to, struct pm_tally *tallies)
{
	struct pm_tally *tally = tallies;

	for (; from.span < to->span; from = (struct pm_place){ from.span + 1, 0 })
		(tally++)->pages += job->spans[from.span].count - from.page;
	if (from.page < to->page)
		tally->pages += to->page - from.page;
}

int64_t pm_tally_spans(const struct pm_tally_job *job, struct pm_place *from,
		       const struct pm_place *to, uint64_t *scratch, struct pm_tally *tallies)
{
	const uint64_t began = job->max_ns ? pm_sys_now() : 0;
	const struct pm_place first = *from;
	struct pm_region *regions = (struct pm_region *)scratch;
	struct pm_place at = first;
	uint64_t found = 0;

	while (before(&at, to)) {
		struct pm_place done = at;
		int64_t got;

		if (!(job->ways & PM_BY_ENTRIES))
			got = scan_some(job, &at, to, regions, tallies, first.span);
		else if (job->ways & PM_UNTOUCHED)
			got = read_all(job, &at, to, scratch, tallies, first.span);
		else
			got = read_populated(job, &at, to, scratch, tallies, first.span);
		if (got < 0)
			return got;
		while (job->ways == (PM_BY_ENTRIES | PM_BY_SCAN) && before(&done, &at)) {
			int64_t more = scan_some(job, &done, &at, regions, tallies, first.span);

			if (more < 0)
				return more;
		}
		found += (uint64_t)got;
		if (job->max_pages && found >= job->max_pages)
			break;
		if (job->max_ns && pm_sys_now() - began >= job->max_ns)
			break;
	}
	/* the readers counted what they read; here every page passed counts once */
	for (uint64_t i = first.span; i < at.span + !!at.page; i++)
		tallies[i - first.span].pages = 0;
	count_passed(job, first, &at, tallies);
	*from = at;
	return (int64_t)found;
}
