/*
 * What whole mappings hold, counted without a row or an object for any page.
 *
 * PAGEMAP_SCAN counts present pages for 14 ns each and skips empty tables, but
 * asking it for the category file costs a look at each frame (52 ns). Entries
 * cost 35 ns, tell file, exclusive and uffd-wp, and do not tell huge pages nor
 * those of zeros. Which to take, or both, the caller knows by what is asked for.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "analyses/tally.h"

enum {
	RUNS = 1024,
	AT_ONCE = 1 << 16, /* pages found between two looks at the time: 1-3 ms */
	UNTIMED = 1 << 20, /* by one scan where no time is limited: 12 ms of mmap_lock */
	PASSED = 1 << 20,  /* pages passed between them where holes are read: 2-5 ms */
	FEW = 1 << 10,	   /* pages of which a scan says what is anonymous */
};

/* Share the pages of a region among the spans from *span up to `last`. Returns 0 or -errno. */
static int64_t attribute(const struct pm_tally_walk *walk, const struct pm_region *region,
			 uint64_t *span, uint64_t last)
{
	const struct pm_tally_job *job = walk->job;
	uint64_t from = region->start >> job->source.page_shift,
		 stop = region->end >> job->source.page_shift;

	while (from < stop) {
		const struct pm_range *here;
		uint64_t end;

		while (*span <= last &&
		       job->source.spans[*span].vpn + job->source.spans[*span].count <= from)
			(*span)++;
		if (*span > last)
			return 0;
		here = job->source.spans + *span;
		/* what lies between spans was not asked for, or is newly mapped */
		if (from < here->vpn)
			from = here->vpn < stop ? here->vpn : stop;
		end = here->vpn + here->count < stop ? here->vpn + here->count : stop;
		if (from < end) {
			int64_t error =
				pm_tally_region(walk, *span, from, end - from, region->categories);

			if (error)
				return error;
			from = end;
		}
	}
	return 0;
}

/* Whether a page of these categories is found, and no hole of hugetlb that is huge and no more. */
static int counts_as_found(uint64_t categories)
{
	return categories != PM_UAPI_IS_HUGE;
}

/*
 * Count by one scan, from *at as far as the spans up to *to go: holes between
 * them cost it nothing. Moves *at; returns the number of pages found, at most
 * `most`, or -errno.
 */
static int64_t scan_some(const struct pm_tally_walk *walk, struct pm_place *at,
			 const struct pm_place *to, uint64_t most)
{
	const struct pm_tally_job *job = walk->job;
	struct pm_region *regions = (struct pm_region *)walk->scratch;
	const struct pm_query query = {
		.any_of = job->any_of,
		.returned = job->returned | walk->parts,
		.max_pages = most,
	};
	const uint64_t last = to->page ? to->span : to->span - 1; /* *at lies before *to */
	const struct pm_place leave = { last, 0 };
	const uint64_t start = job->source.spans[at->span].vpn + at->page;
	uint64_t end = job->source.spans[last].vpn + pm_last_page(job->source.spans, &leave, to);
	uint64_t next, span = at->span, found = 0;
	int64_t count;

	if (end > job->end)
		end = job->end;
	if (start >= end) {
		*at = *to; /* the rest lies past the address space, as [vsyscall] */
		return 0;
	}
	count = pm_source_scan(&job->source, &query, start << job->source.page_shift,
			       end << job->source.page_shift, regions, PM_REGIONS, &next);
	if (count < 0)
		return count;
	for (int64_t i = 0; i < count; i++) {
		int64_t error = attribute(walk, regions + i, &span, last);

		if (error)
			return error;
		if (counts_as_found(regions[i].categories))
			found += (regions[i].end - regions[i].start) >> job->source.page_shift;
	}
	next >>= job->source.page_shift;
	if (next >= end) {
		*at = *to;
		return (int64_t)found;
	}
	while (job->source.spans[at->span].vpn + job->source.spans[at->span].count <= next)
		*at = pm_next_span(at);
	if (next > job->source.spans[at->span].vpn + at->page)
		at->page = next - job->source.spans[at->span].vpn;
	return (int64_t)found;
}

/* How far a step by populated pages may go: up to hugetlb, and not too far without a scan. */
static struct pm_place reach(const struct pm_tally_walk *walk, const struct pm_place *at)
{
	const struct pm_tally_job *job = walk->job;
	const struct pm_place until = *walk->to;
	const uint64_t last = pm_last_page(job->source.spans, at, walk->to);

	if (!pm_source_skips(&job->source) && last - at->page > PASSED) {
		/* what lies past the address space is passed at once */
		if (job->source.spans[at->span].vpn + at->page >= job->end)
			return (struct pm_place){ at->span, last };
		return (struct pm_place){ at->span, at->page + PASSED };
	}
	for (uint64_t i = at->span + 1; job->ways & PM_OF_HUGETLB && i < until.span + !!until.page;
	     i++)
		if (pm_is_hugetlb(job, i))
			return (struct pm_place){ i, 0 };
	return until;
}

/* Count the populated pages from *at up to *until, a block of entries at most. As scan_some. */
static int64_t read_populated(const struct pm_tally_walk *walk, struct pm_place *at,
			      const struct pm_place *until, uint64_t most)
{
	const struct pm_tally_job *job = walk->job;
	uint64_t *entries = walk->scratch;
	struct pm_range runs[RUNS];
	uint64_t stored, span = at->span;
	int64_t got;

	got = pm_populated(&job->source, at, until, entries, most, runs, RUNS, &stored);
	for (uint64_t i = 0; got >= 0 && i < stored; i++) {
		int64_t error = 0;

		span = pm_span_of(job->source.spans, runs[i].vpn, span);
		if (job->ways & PM_PARTED)
			pm_tally_parts(walk, span, entries, runs[i].count);
		else
			error = pm_tally_entries(walk, span, runs[i].vpn, entries, runs[i].count);
		if (error)
			return error;
		entries += runs[i].count;
	}
	return got;
}

/*
 * Count some pages by a scan that also says which are anonymous. That costs a look at each
 * frame, those too of which it is known, but no read: where there are few pages, as most
 * processes have, that is less. As scan_some.
 */
static int64_t scan_parts(struct pm_tally_walk *walk, struct pm_place *at,
			  const struct pm_place *to)
{
	const uint64_t most = walk->job->max_pages;
	uint64_t span = at->span;
	int64_t found;

	while (span < to->span && !pm_is_parted(walk->job, span))
		span++;
	if (span >= to->span)
		return 0;
	walk->parts = PM_UAPI_IS_FILE;
	found = scan_some(walk, at, to, most && most < FEW ? most : FEW);
	walk->parts = 0;
	return found;
}

/* Read the entries of the PM_MIXED spans from *from up to *to. Returns 0 or -errno. */
static int64_t read_parts(const struct pm_tally_walk *walk, const struct pm_place *from,
			  const struct pm_place *to)
{
	struct pm_place at = *from;

	while (pm_before(&at, to)) {
		struct pm_place until = pm_next_span(&at);

		if (!pm_is_parted(walk->job, at.span)) {
			at = until;
			continue;
		}
		/* as a rule several lie side by side, and share a read */
		while (pm_before(&until, to) && pm_is_parted(walk->job, until.span))
			until = pm_next_span(&until);
		if (!pm_before(&until, to))
			until = *to;
		while (pm_before(&at, &until)) {
			int64_t got = read_populated(walk, &at, &until, PM_READ_BLOCK);

			if (got < 0)
				return got;
		}
	}
	return 0;
}

/* Count the pages of a block of entries, untouched ones too. As scan_some. */
static int64_t read_all(const struct pm_tally_walk *walk, struct pm_place *at, uint64_t most)
{
	const struct pm_tally_job *job = walk->job;
	const uint64_t vpn = job->source.spans[at->span].vpn + at->page;
	uint64_t rest = pm_last_page(job->source.spans, at, walk->to) - at->page;
	int64_t got, error;

	got = pm_source_empty(&job->source, vpn, vpn + rest);
	if (got < 0)
		return got;
	if (got) {
		at->page += (uint64_t)got;
		if (at->page == job->source.spans[at->span].count)
			*at = pm_next_span(at);
		return 0;
	}
	if (rest > most)
		rest = most;
	got = pm_source_read(&job->source, vpn, rest, walk->scratch);
	if (got < 0)
		return got;
	error = pm_tally_entries(walk, at->span, vpn, walk->scratch, (uint64_t)got);
	if (error)
		return error;
	/* the address space ends where there are fewer entries than asked for */
	at->page = (uint64_t)got < rest ? pm_last_page(job->source.spans, at, walk->to)
					: at->page + rest;
	if (at->page == job->source.spans[at->span].count)
		*at = pm_next_span(at);
	return got;
}

/* Count a block of entries, and by scans what they do not tell. As scan_some. */
static int64_t read_some(const struct pm_tally_walk *walk, struct pm_place *at, uint64_t most)
{
	const struct pm_place until = reach(walk, at);
	struct pm_place done = *at;
	int64_t got;

	if (most > PM_READ_BLOCK)
		most = PM_READ_BLOCK;
	/* hugetlb's markers are not populated */
	if (walk->job->ways & PM_UNTOUCHED || pm_is_hugetlb(walk->job, at->span))
		got = read_all(walk, at, most);
	else
		got = read_populated(walk, at, &until, most);
	while (got >= 0 && walk->job->ways & PM_BY_SCAN && pm_before(&done, at)) {
		int64_t more = scan_some(walk, &done, at, AT_ONCE);

		if (more < 0)
			return more;
	}
	return got;
}

/* All pages passed count as `pages`, whatever was seen of them. */
static void count_passed(const struct pm_tally_job *job, struct pm_place from,
			 const struct pm_place *to, struct pm_counts *counts)
{
	for (; from.span < to->span; from = pm_next_span(&from))
		(counts++)->pages += job->source.spans[from.span].count - from.page;
	if (from.page < to->page)
		counts->pages += to->page - from.page;
}

static int is_enough(const struct pm_tally_job *job, uint64_t found)
{
	return job->max_pages && found >= job->max_pages;
}

int64_t pm_tally_spans(const struct pm_tally_job *job, struct pm_place *from,
		       const struct pm_place *to, uint64_t *scratch, struct pm_counts *counts)
{
	const uint64_t began = job->max_ns ? pm_sys_now() : 0;
	const uint64_t at_once = job->max_ns ? AT_ONCE : UNTIMED;
	const struct pm_place first = *from;
	struct pm_tally_walk walk = { job, to, scratch, counts, first.span, 0 };
	struct pm_place at = first, parted;
	uint64_t found;
	int64_t got;

	if (!(job->ways & (PM_BY_ENTRIES | PM_BY_SCAN)))
		at = *to; /* nothing but how many pages there are */
	got = scan_parts(&walk, &at, to);
	if (got < 0)
		return got;
	found = (uint64_t)got;
	parted = at;
	while (pm_before(&at, to) && !is_enough(job, found)) {
		const uint64_t left = job->max_pages ? job->max_pages - found : at_once;
		const uint64_t most = left < at_once ? left : at_once;

		got = job->ways & PM_BY_ENTRIES ? read_some(&walk, &at, most)
						: scan_some(&walk, &at, to, most);
		if (got < 0)
			return got;
		found += (uint64_t)got;
		if (job->max_ns && pm_sys_now() - began >= job->max_ns)
			break;
	}
	if (job->ways & PM_PARTED) {
		int64_t error = read_parts(&walk, &parted, &at);

		if (error)
			return error;
	}
	for (uint64_t i = first.span; i < at.span + !!at.page; i++)
		pm_tally_conclude(job, i, counts + (i - first.span));
	count_passed(job, first, &at, counts);
	*from = at;
	return (int64_t)found;
}
