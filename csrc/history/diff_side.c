/*
 * One look, read in order of the pairs: entries where pages are populated, and what a scan
 * says of them, a block of each at a time.
 *
 *   spans    [ 0 ........ ][ 1 .. ][ 2 ................ ]
 *   runs       [###]  [##]  [#]        [####]              entries of populated pages
 *   regions      [zero]                 [huge.......]      categories, and between them none
 *                              ^at             ^scanned ^read
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/entry_frames.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "history/diff.h"

static int is_hugetlb(const struct pm_look *look, uint64_t span)
{
	return look->source.spans[span].count && look->hugetlb[span];
}

/* The place of a walk over pairs, in this look: where its span is empty, there is no page of it. */
static struct pm_place within(const struct pm_look *look, const struct pm_place *at)
{
	struct pm_place place = *at;

	if (place.span < look->source.spans_count &&
	    place.page > look->source.spans[place.span].count)
		place.page = look->source.spans[place.span].count;
	return place;
}

/* The same, where a span that is passed is the beginning of the next. */
static struct pm_place passed(const struct pm_look *look, const struct pm_place *at)
{
	if (at->span < look->source.spans_count && at->page >= look->source.spans[at->span].count)
		return pm_next_span(at);
	return *at;
}

/* How far populated pages may be read at once: hugetlb's are read apart, with their markers. */
static struct pm_place reach(const struct pm_look *look, const struct pm_place *at,
			     const struct pm_place *to)
{
	for (uint64_t i = at->span; i < to->span + !!to->page; i++) {
		if (is_hugetlb(look, i))
			return (struct pm_place){ i, 0 };
	}
	return *to;
}

/* Read all entries of a block of hugetlb: its markers are not populated. Returns 0 or -errno. */
static int64_t read_all(const struct pm_look *look, struct pm_diff_side *side,
			const struct pm_place *to)
{
	struct pm_place *at = &side->read;
	const uint64_t last = pm_last_page(look->source.spans, at, to);
	uint64_t count = last - at->page;
	int64_t got;

	if (count > PM_READ_BLOCK)
		count = PM_READ_BLOCK;
	side->runs[0].vpn = look->source.spans[at->span].vpn + at->page;
	got = pm_source_read(&look->source, side->runs[0].vpn, count, side->entries);
	if (got < 0)
		return got;
	side->runs[0].count = (uint64_t)got;
	side->runs_count = !!got;
	at->page = (uint64_t)got < count ? last : at->page + count;
	return 0;
}

/* Set bit 56 of what was read by the counts of frames, where that is asked for. */
static int64_t count_mappings(const struct pm_look *look, struct pm_diff_side *side)
{
	uint64_t *entries = side->entries;

	if (look->mapcounts < 0)
		return 0;
	for (uint64_t i = 0; i < side->runs_count; i++) {
		int64_t got = pm_exclusive_by_count(look->mapcounts, side->runs[i].vpn, entries,
						    side->runs[i].count, look->source.page_shift);

		if (got < 0)
			return got;
		entries += side->runs[i].count;
	}
	return 0;
}

/* Read the next entries. Returns 0 or -errno. */
static int64_t read_on(const struct pm_look *look, struct pm_diff_side *side,
		       const struct pm_place *to)
{
	const struct pm_place last = within(look, to);
	struct pm_place until;
	int64_t got;

	side->run = side->runs_count = side->entry = 0;
	side->read = passed(look, &side->read);
	side->run_span = side->read.span;
	if (!pm_before(&side->read, &last)) {
		side->read = *to;
		return 0;
	}
	side->plain = 0;
	if (is_hugetlb(look, side->read.span))
		return read_all(look, side, &last);
	until = reach(look, &side->read, &last);
	got = pm_populated(&look->source, &side->read, &until, side->entries, PM_READ_BLOCK,
			   side->runs, PM_DIFF_RUNS, &side->runs_count);
	if (got < 0)
		return got;
	side->plain = (uint64_t)pm_diff_is_plain(look, side);
	return count_mappings(look, side);
}

/*
 * How far from *at one scan may go: over spans in order of address, up to *to. *last becomes
 * the first page past them; *first the page at which it begins, or *last where there is none.
 */
static struct pm_place scan_to(const struct pm_look *look, const struct pm_place *at,
			       const struct pm_place *to, uint64_t *first, uint64_t *last)
{
	const struct pm_range *spans = look->source.spans;
	struct pm_place here = *at;
	int found = 0;

	*first = *last = 0;
	for (; pm_before(&here, to); here = pm_next_span(&here)) {
		const uint64_t end = pm_last_page(spans, &here, to);

		if (here.page >= end)
			continue;
		if (found && spans[here.span].vpn < *last)
			return here;
		if (!found)
			*first = spans[here.span].vpn + here.page;
		found = 1;
		*last = spans[here.span].vpn + end;
	}
	return *to;
}

/* Move *at on to page `vpn`, or the first one past it, of spans in order of address up to *to. */
static void pass(const struct pm_look *look, struct pm_place *at, const struct pm_place *to,
		 uint64_t vpn)
{
	for (; pm_before(at, to); *at = pm_next_span(at)) {
		const struct pm_range *span = look->source.spans + at->span;

		/* a span that is passed to its end may lie above the one that follows it */
		if (at->page < span->count && vpn < span->vpn + span->count) {
			if (vpn > span->vpn + at->page)
				at->page = vpn - span->vpn;
			return;
		}
	}
	*at = *to;
}

/* Find the next categories, for no more pages than entries are known of. Returns 0 or -errno. */
static int64_t scan_on(const struct pm_look *look, struct pm_diff_side *side)
{
	const uint32_t shift = look->source.page_shift;
	const struct pm_place known = within(look, &side->read);
	const struct pm_query query = { .any_of = look->any_of, .returned = look->any_of };
	struct pm_source source = look->source;
	uint64_t first, last, next;
	struct pm_place to;
	int64_t got;

	side->region = side->regions_count = 0;
	if (!look->any_of || side->plain) {
		side->scanned = side->read;
		return 0;
	}
	to = scan_to(look, &side->scanned, &known, &first, &last);
	if (last > look->end)
		last = look->end; /* [vsyscall] lies past it */
	if (first >= last) {
		side->scanned = pm_before(&to, &known) ? to : side->read;
		return 0;
	}
	if (look->scanner)
		source.reader = look->scanner;
	got = pm_source_scan(&source, &query, first << shift, last << shift, side->regions,
			     PM_DIFF_REGIONS, &next);
	if (got < 0)
		return got;
	side->regions_count = (uint64_t)got;
	if (next >> shift < last)
		pass(look, &side->scanned, &to, next >> shift);
	else
		side->scanned = pm_before(&to, &known) ? to : side->read;
	return 0;
}

struct pm_place pm_diff_known(const struct pm_look *look, const struct pm_diff_side *side)
{
	const struct pm_place *at = pm_before(&side->scanned, &side->read) ? &side->scanned
									   : &side->read;

	return passed(look, at);
}

int64_t pm_diff_fill(const struct pm_look *look, struct pm_diff_side *side,
		     const struct pm_place *at, const struct pm_place *to)
{
	for (;;) {
		const struct pm_place known = pm_diff_known(look, side);
		int64_t error;

		if (pm_before(at, &known) || !pm_before(at, to))
			return 0;
		error = pm_before(&side->scanned, &side->read) ? scan_on(look, side)
							       : read_on(look, side, to);
		if (error)
			return error;
	}
}

/* Pass the runs that end at or before page `page` of span `span`. */
static void pass_runs(const struct pm_look *look, struct pm_diff_side *side, uint64_t span,
		      uint64_t vpn)
{
	for (; side->run < side->runs_count; side->run++) {
		const struct pm_range *run = side->runs + side->run;

		side->run_span = pm_span_of(look->source.spans, run->vpn, side->run_span);
		if (side->run_span > span ||
		    (side->run_span == span && run->vpn + run->count > vpn))
			return;
		side->entry += run->count;
	}
}

struct pm_known pm_diff_known_at(const struct pm_look *look, struct pm_diff_side *side,
				 const struct pm_place *at, uint64_t most)
{
	const struct pm_range *span = look->source.spans + at->span;
	const uint64_t vpn = span->vpn + at->page;
	struct pm_known here = { .pages = most };

	if (!span->count)
		return here;
	pass_runs(look, side, at->span, vpn);
	if (side->run < side->runs_count && side->run_span == at->span) {
		const struct pm_range *run = side->runs + side->run;

		if (run->vpn <= vpn) {
			here.entries = side->entries + side->entry + (vpn - run->vpn);
			here.pages = run->vpn + run->count - vpn;
		} else {
			here.pages = run->vpn - vpn;
		}
	}
	while (side->region < side->regions_count &&
	       side->regions[side->region].end >> look->source.page_shift <= vpn)
		side->region++;
	if (side->region < side->regions_count) {
		const struct pm_region *region = side->regions + side->region;
		uint64_t edge = region->start >> look->source.page_shift;

		if (edge <= vpn) {
			here.categories = region->categories;
			edge = region->end >> look->source.page_shift;
		}
		if (edge - vpn < here.pages)
			here.pages = edge - vpn;
	}
	if (here.pages > most)
		here.pages = most;
	return here;
}
