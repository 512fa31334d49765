/*
 * The entries of what is there, and nothing else.
 *
 * Reading is the cheapest way through pages that are populated (35 ns each)
 * and through short holes (2 ns a page); PAGEMAP_SCAN is the cheapest way over
 * long ones, whose empty tables it skips, but asking it about populated pages
 * costs 14 ns each on top. So the walk reads, in blocks that grow while they
 * are full; only where a block ended empty does it ask the kernel for the next
 * populated pages, some at a time, and reads those. Who goes on in the middle of
 * a span stopped there for want of room, so what follows is most likely populated:
 * the first block is large.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"

enum {
	START_BLOCK = 512, /* pages read first of all where a span begins */
	FIRST_BLOCK = 64,  /* pages read at a time after a hole, to begin with */
	EMPTY = 24,	   /* empty pages at a block's end for which a scan pays */
	REGIONS = 64,	   /* regions that one scan finds, */
	PAGES = 512,	   /* and pages: beyond these they are read unasked */
	BRIDGED = 64,	   /* holes between them that are read over */
	DENSE = 4,	   /* pages passed for each one found up to which reading is cheaper */
	SHORT = 4,	   /* pages of a run that are looked at, and moved, one by one */
};

struct walk {
	const struct pm_range *spans;
	const struct pm_place *to;
	struct pm_place at;
	uint64_t *out;
	struct pm_range *runs;
	uint64_t runs_capacity;
	uint64_t stored;      /* entries kept */
	uint64_t runs_stored; /* runs kept */
	uint64_t empty;	      /* unpopulated pages just before `at` */
	struct pm_region found[REGIONS];
	uint64_t found_count;
	uint64_t found_at; /* found[found_at..found_count) are yet to be read */
	uint64_t found_to; /* the page of the span up to which the scan has looked */
	int dense;	   /* what it found lies so close that reading on is cheaper */
};

static inline int populated(uint64_t entry)
{
	return entry >> PM_SWAPPED_BIT != 0; /* bits 62 and 63 */
}

/* The first of entries[from..count) that is not populated. Many at a time: in dense
 * memory nearly all are, most of them present, and this is the only look at each. */
static uint64_t populated_to(const uint64_t *entries, uint64_t from, uint64_t count)
{
	/* where pages are scattered most runs are short: that is seen before looking at many */
	for (unsigned i = 0; i < SHORT; i++, from++) {
		if (from == count || !populated(entries[from]))
			return from;
	}
	for (; count - from >= 64; from += 64) {
		uint64_t all = PM_BIT(PM_PRESENT_BIT);

		for (unsigned i = 0; i < 64; i++)
			all &= entries[from + i];
		if (!all)
			break;
	}
	for (; count - from >= 8; from += 8) {
		uint64_t all = PM_BIT(PM_PRESENT_BIT);

		for (unsigned i = 0; i < 8; i++)
			all &= entries[from + i] | entries[from + i] << 1;
		if (!all)
			break;
	}
	while (from < count && populated(entries[from]))
		from++;
	return from;
}

/* Move entries to where they are, or further down in the same array. */
static void move_down(const uint64_t *from, uint64_t count, uint64_t *to)
{
	if (from == to)
		return;
	if (count > SHORT) {
		memmove(to, from, count * sizeof(*from));
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		to[i] = from[i];
}

/*
 * Keep the populated ones of `count` entries, moving them down to `out +
 * stored`; they are of the pages at walk->at, in one span. Stops, and returns 0,
 * where the runs are full; walk->at is then the page that did not fit.
 */
static int keep(struct walk *walk, const uint64_t *entries, uint64_t count)
{
	const uint64_t vpn = walk->spans[walk->at.span].vpn + walk->at.page;
	uint64_t i = 0;

	while (i < count) {
		struct pm_range *last = walk->runs + walk->runs_stored - 1;
		uint64_t first;

		for (first = i; i < count && !populated(entries[i]); i++)
			;
		walk->empty += i - first;
		first = i;
		i = populated_to(entries, first, count);
		if (first == i)
			break;
		/* a run goes on from block to block, but not over spans */
		if (walk->at.page + first && walk->runs_stored &&
		    last->vpn + last->count == vpn + first) {
			last->count += i - first;
		} else if (walk->runs_stored < walk->runs_capacity) {
			walk->runs[walk->runs_stored++] =
				(struct pm_range){ vpn + first, i - first };
		} else {
			walk->at.page += first;
			return 0;
		}
		move_down(entries + first, i - first, walk->out + walk->stored);
		walk->stored += i - first;
		walk->empty = 0;
	}
	walk->at.page += count;
	return 1;
}

/* The page of the span walk->at.span at which the walk leaves it. */
static uint64_t last_page(const struct walk *walk)
{
	return pm_last_page(walk->spans, &walk->at, walk->to);
}

/* The pages from walk->at on that lie in a row, over spans that touch; to `most`. */
static uint64_t in_a_row(const struct walk *walk, uint64_t most)
{
	struct walk next = { .spans = walk->spans, .to = walk->to, .at = walk->at };
	uint64_t pages = last_page(walk) - walk->at.page;

	while (pages < most && next.at.span < walk->to->span) {
		const struct pm_range *span = walk->spans + next.at.span;

		next.at.span++;
		if (next.at.span == walk->to->span && !walk->to->page)
			break;
		if (span[1].vpn != span->vpn + span->count)
			break;
		pages += last_page(&next);
	}
	return pages < most ? pages : most;
}

/* Keep the populated ones of `count` entries in a row, over the spans they are of. */
static int keep_all(struct walk *walk, const uint64_t *entries, uint64_t count)
{
	while (count) {
		uint64_t here = last_page(walk) - walk->at.page;

		if (here > count)
			here = count;
		if (!keep(walk, entries, here))
			return 0;
		entries += here;
		count -= here;
		if (count)
			walk->at = pm_next_span(&walk->at);
	}
	return 1;
}

/* Find the next populated regions of this span. */
static int find(struct walk *walk, const struct pm_source *source)
{
	const uint32_t page_shift = source->page_shift;
	const struct pm_range *span = walk->spans + walk->at.span;
	const uint64_t last = last_page(walk);
	const struct pm_query query = {
		.any_of = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED,
		.max_pages = PAGES,
	};
	uint64_t next, pages = 0;
	int64_t found = pm_source_scan(source, &query, (span->vpn + walk->at.page) << page_shift,
				       (span->vpn + last) << page_shift, walk->found, REGIONS,
				       &next);

	if (found == -EFAULT) {
		walk->empty = 0; /* past the address space: read up to where that ends */
		return 0;
	}
	if (found < 0)
		return (int)found;
	walk->found_at = 0;
	walk->found_count = (uint64_t)found;
	walk->found_to = (next >> page_shift) - span->vpn;
	for (uint64_t i = 0; i < walk->found_count; i++)
		pages += (walk->found[i].end - walk->found[i].start) >> page_shift;
	walk->dense = walk->found_to - walk->at.page <= DENSE * pages;
	if (!walk->found_count)
		walk->at.page = walk->found_to;
	return 0;
}

/* How many pages to read next, at most `most`, after moving walk->at to them. */
static uint64_t next_found(struct walk *walk, uint32_t page_shift, uint64_t most)
{
	const uint64_t first = walk->spans[walk->at.span].vpn;
	uint64_t start = (walk->found[walk->found_at].start >> page_shift) - first;
	uint64_t end = start;

	while (walk->found_at < walk->found_count && end - start < most) {
		struct pm_region *region = walk->found + walk->found_at;

		if ((region->start >> page_shift) - first > end + BRIDGED)
			break;
		end = (region->end >> page_shift) - first;
		if (end - start > most) {
			end = start + most;
			region->start = (first + end) << page_shift;
			break;
		}
		walk->found_at++;
	}
	walk->at.page = start;
	return end - start;
}

/* One loop over two ways forward, reading and finding, that hand over to each
 * other: apart they would share all of this state. */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity) */
int64_t pm_populated(const struct pm_source *source, struct pm_place *from,
		     const struct pm_place *to, uint64_t *out, uint64_t capacity,
		     struct pm_range *runs, uint64_t runs_capacity, uint64_t *runs_stored)
{
	struct walk walk = {
		.spans = source->spans,
		.to = to,
		.at = *from,
		.out = out,
		.runs = runs,
		.runs_capacity = runs_capacity,
	};
	uint64_t block = from->page ? PM_READ_BLOCK : START_BLOCK;

	if (!capacity || !runs_capacity)
		return -EINVAL;
	while (walk.stored < capacity && pm_before(&walk.at, to)) {
		const struct pm_range *span = source->spans + walk.at.span;
		const uint64_t last = last_page(&walk);
		uint64_t rest = last - walk.at.page, room = capacity - walk.stored;
		int finding = walk.found_at < walk.found_count;
		int64_t got;

		if (!rest) {
			walk.at = pm_next_span(&walk.at);
			continue;
		}
		if (!finding && pm_source_skips(source) && walk.empty >= EMPTY &&
		    rest > FIRST_BLOCK) {
			int error = find(&walk, source);

			if (error)
				return error;
			continue;
		}
		if (room > PM_READ_BLOCK)
			room = PM_READ_BLOCK;
		if (finding)
			rest = next_found(&walk, source->page_shift, room);
		else
			rest = in_a_row(&walk, block < room ? block : room);
		got = pm_source_read(source, span->vpn + walk.at.page, rest, out + walk.stored);
		if (got < 0)
			return got;
		if (!keep_all(&walk, out + walk.stored, (uint64_t)got))
			break;
		if ((uint64_t)got < rest) {
			walk.found_count = 0;
			walk.at.page = last_page(&walk); /* the address space ends here */
		} else if (!finding) {
			block = block < PM_READ_BLOCK ? block * 2 : block;
		} else if (walk.found_at == walk.found_count) {
			/* populated up to where the scan had enough: read on there */
			block = FIRST_BLOCK;
			walk.empty = walk.dense || walk.at.page == walk.found_to ? 0 : EMPTY;
			walk.at.page = walk.found_to;
		}
	}
	*from = walk.at;
	*runs_stored = walk.runs_stored;
	return (int64_t)walk.stored;
}
