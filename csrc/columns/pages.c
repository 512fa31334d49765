/*
 * Rows of pages, read a batch at a time; page_columns.c makes columns of them.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/entry_frames.cdef.h"
#include "kernel/entry_kinds.h"
#include "kernel/read.cdef.h"
#include "walk/halves.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "columns/columns.cdef.h"

/* Take note of `count` pages of span `span` from `vpn` on, a run of their own or more of the last. */
static void add_run(struct pm_page_rows *rows, uint64_t span, uint64_t vpn, uint64_t count)
{
	const uint64_t last = rows->runs_count - 1;

	if (rows->runs_count && rows->spans[last] == span &&
	    rows->runs[last].vpn + rows->runs[last].count == vpn) {
		rows->runs[last].count += count;
		return;
	}
	rows->runs[rows->runs_count] = (struct pm_range){ vpn, count };
	rows->spans[rows->runs_count++] = span;
}

/*
 * How a walk goes on that two threads may do. Both can be sure of memory only for as many rows as
 * they pass pages, so where few are populated one goes alone, and far.
 */
struct pace {
	uint64_t pages; /* of the next step */
	int dense;	/* the last one found so many that two pay */
};

enum { SPARSE = 8 }; /* pages for each one found from which on one goes alone */

/* One step of such a walk, as pm_populated. */
static int64_t step(const struct pm_source *source, struct pace *pace, struct pm_place *at,
		    uint64_t *out, uint64_t capacity, struct pm_range *runs, uint64_t *stored)
{
	const int both = pace->dense && capacity >= PM_HALVES_LEAST;
	const uint64_t most = both && capacity < pace->pages ? capacity : pace->pages;
	struct pm_place to;
	const uint64_t pages = pm_spans_advance(source->spans, source->spans_count, at, most, &to);
	int64_t got;

	if (both && pages >= PM_HALVES_LEAST)
		got = pm_populated_by_two(source, at, &to, pages, out, runs, stored);
	else
		got = pm_populated(source, at, &to, out, capacity, runs, capacity, stored);
	pace->dense = got > 0 && pages / SPARSE <= (uint64_t)got;
	if (pace->pages < UINT64_MAX / 2)
		pace->pages *= 2;
	return got;
}

/* Read populated pages behind what the rows hold. Returns how many, or -errno. */
static int64_t read_populated(const struct pm_pages_job *job, struct pace *pace,
			      struct pm_place *at, struct pm_page_rows *rows)
{
	const struct pm_place to = { job->source.spans_count, 0 };
	struct pm_range *runs = rows->runs + rows->runs_count;
	const uint64_t capacity = rows->capacity - rows->count;
	uint64_t *out = rows->entries + rows->count, span = at->span, stored;
	int64_t got;

	if (job->threads == 2 && !job->source.reader)
		got = step(&job->source, pace, at, out, capacity, runs, &stored);
	else
		got = pm_populated(&job->source, at, &to, out, capacity, runs,
				   rows->capacity - rows->runs_count, &stored);
	if (got < 0)
		return got;
	for (uint64_t i = 0; i < stored; i++) {
		span = pm_span_of(job->source.spans, runs[i].vpn, span);
		rows->spans[rows->runs_count + i] = span;
	}
	rows->runs_count += stored;
	return got;
}

/* The entries of `count` pages from *at on. As pm_read. */
static int64_t read_entries(const struct pm_pages_job *job, const struct pm_place *at,
			    uint64_t count, uint64_t *out)
{
	if (!count)
		return 0;
	if (!job->entries)
		return pm_source_read(&job->source, job->source.spans[at->span].vpn + at->page,
				      count, out);
	memcpy(out, job->entries + at->page, count * sizeof(*out));
	return (int64_t)count;
}

/* Read pages of one span, whatever they hold. As read_populated. */
static int64_t read_all(const struct pm_pages_job *job, struct pm_place *at,
			struct pm_page_rows *rows)
{
	const struct pm_range *span = job->source.spans + at->span;
	uint64_t rest = span->count - at->page;
	int64_t got;

	if (rest > rows->capacity - rows->count)
		rest = rows->capacity - rows->count;
	got = read_entries(job, at, rest, rows->entries + rows->count);
	if (got < 0)
		return got;
	if (got) { /* a run of its own: those before it may have been filtered already */
		rows->runs[rows->runs_count] =
			(struct pm_range){ span->vpn + at->page, (uint64_t)got };
		rows->spans[rows->runs_count++] = at->span;
	}
	at->page += rest;
	/* fewer than asked for: the address space ends here */
	if (at->page == span->count || (uint64_t)got < rest)
		*at = pm_next_span(at);
	return got;
}

static inline int is_wanted(const struct pm_pages_job *job, uint64_t entry)
{
	if ((entry & (job->all_of | job->none_of)) != job->all_of || job->all_of & job->none_of)
		return 0;
	return !!(job->kinds_wanted >> pm_kind_of_entry(entry, job->kinds) & 1u);
}

/* Have bit 56 of what was read from run `run`, entry `first` on by map counts. */
static int64_t count_mappings(const struct pm_pages_job *job, const struct pm_page_rows *rows,
			      uint64_t first, uint64_t run)
{
	uint64_t *entries = rows->entries + first;

	for (; run < rows->runs_count; run++) {
		const struct pm_range *range = rows->runs + run;
		int64_t got = pm_exclusive_by_count(job->mapcounts, range->vpn, entries,
						    range->count, job->source.page_shift);

		if (got < 0)
			return got;
		entries += range->count;
	}
	return 0;
}

/* Keep those of the rows from `first` and run `run` on that pass the job's filter. */
static void filter(const struct pm_pages_job *job, struct pm_page_rows *rows, uint64_t first,
		   uint64_t run)
{
	struct pm_page_rows all = *rows;
	uint64_t at = first;

	/* runs are parted where they stand, so the last comes first: parts are never more than
	 * entries, but may be more than the runs read so far */
	all.runs = rows->runs + rows->capacity - (all.runs_count - run);
	all.spans = rows->spans + rows->capacity - (all.runs_count - run);
	memmove(all.runs, rows->runs + run, (all.runs_count - run) * sizeof(*all.runs));
	memmove(all.spans, rows->spans + run, (all.runs_count - run) * sizeof(*all.spans));
	rows->count = first;
	rows->runs_count = run;
	for (uint64_t i = 0; i < all.runs_count - run; i++) {
		const struct pm_range range = all.runs[i];
		const uint64_t span = all.spans[i];

		for (uint64_t page = 0; page < range.count; page++, at++) {
			const uint64_t entry = rows->entries[at];

			if (!is_wanted(job, entry))
				continue;
			rows->entries[rows->count++] = entry;
			add_run(rows, span, range.vpn + page, 1);
		}
	}
}

int64_t pm_pages_read(const struct pm_pages_job *job, struct pm_place *at,
		      struct pm_page_rows *rows)
{
	const uint32_t any = (UINT32_C(1) << PM_ENTRY_KINDS) - 1;
	struct pace pace = { .pages = PM_HALVES_LEAST, .dense = 1 };
	const int filtered = (job->all_of | job->none_of) != 0 || (job->kinds_wanted & any) != any;

	if (!rows->capacity)
		return -EINVAL;
	rows->count = rows->runs_count = 0;
	if (!job->source.spans_count)
		return 0; /* a kernel thread: it has no page table either */
	while (at->span < job->source.spans_count && rows->count < rows->capacity) {
		const uint64_t first = rows->count, run = rows->runs_count;
		int64_t got = job->populated ? read_populated(job, &pace, at, rows)
					     : read_all(job, at, rows);

		if (got < 0)
			return got;
		rows->count = first + (uint64_t)got;
		if (job->counted)
			got = count_mappings(job, rows, first, run);
		if (got < 0)
			return got;
		if (filtered)
			filter(job, rows, first, run);
	}
	if (at->span >= job->source.spans_count && !job->entries) {
		/* an address space that is gone reads like one that ends here */
		int32_t alive = pm_source_alive(&job->source);

		if (alive <= 0)
			return alive ? alive : -ESRCH;
	}
	return (int64_t)rows->count;
}
