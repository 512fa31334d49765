/*
 * A dump in pieces: how far a piece reaches, its pages read, its rows written.
 *
 * Planning knows only the bound of a row, so pieces can be given to several
 * threads before any is read, each with an output buffer of one size.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/entry_frames.cdef.h"
#include "kernel/entry_kinds.h"
#include "kernel/read.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "rows/rows.h"

enum {
	TEXT_BOUND = 16 + 1 + 14 + 8,
	CSV_BOUND = 2 + 16 + 1 + 17 + 1 + 14 + 2 + 1 + 16 + 1,
	JSONL_BOUND = 256,
	/* holes of up to so many pages are read over: 2 ns each, a call 300 ns */
	BRIDGED = 128,
};

uint64_t pm_row_bound(uint32_t format)
{
	switch (format) {
	case PM_TEXT:
		return TEXT_BOUND;
	case PM_CSV:
		return CSV_BOUND;
	case PM_JSONL:
		return JSONL_BOUND;
	default:
		return 0;
	}
}

int64_t pm_rows_plan(const struct pm_rows *rows, const struct pm_place *from, uint64_t size,
		     struct pm_place *to)
{
	const uint64_t bound = pm_row_bound(rows->format);
	struct pm_place at = *from;
	uint64_t pages = 0;

	if (!bound)
		return -EINVAL;
	size = size < PM_ROW_SLACK ? 0 : size - PM_ROW_SLACK;
	while (at.span < rows->source.spans_count) {
		const struct pm_range *span = rows->source.spans + at.span;
		uint64_t row = bound + rows->labels[at.span].size;
		uint64_t fit = size / row, rest = span->count - at.page;

		if (fit < rest) {
			at.page += fit;
			pages += fit;
			if (!pages)
				return -ENOSPC;
			break;
		}
		pages += rest;
		size -= rest * row;
		at = pm_next_span(&at);
	}
	*to = at;
	return (int64_t)pages;
}

static char *format_all(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
			uint64_t vpn, const char *label, uint64_t label_size, char *out)
{
	switch (rows->format) {
	case PM_TEXT:
		return pm_rows_text(rows, entries, count, vpn, label, label_size, out);
	case PM_CSV:
		return pm_rows_csv(rows, entries, count, vpn, label, label_size, out);
	default:
		return pm_rows_jsonl(rows, entries, count, vpn, label, label_size, out);
	}
}

static inline int wanted(const struct pm_rows *rows, uint64_t entry)
{
	if ((entry & (rows->all_of | rows->none_of)) != rows->all_of)
		return 0;
	return !rows->kinds || (rows->kinds_wanted >> pm_kind_of_entry(entry, rows->kinds) & 1u);
}

char *pm_rows_put(const struct pm_rows *rows, const uint64_t *entries, uint64_t count, uint64_t vpn,
		  const char *label, uint64_t label_size, char *out, uint64_t *pages)
{
	uint64_t i = 0;

	if (!(rows->all_of | rows->none_of) && !rows->kinds) {
		*pages += count;
		return format_all(rows, entries, count, vpn, label, label_size, out);
	}
	if (rows->all_of & rows->none_of)
		return out; /* no entry has a bit and has it not */
	while (i < count) {
		uint64_t first;

		while (i < count && !wanted(rows, entries[i]))
			i++;
		for (first = i; i < count && wanted(rows, entries[i]); i++)
			;
		*pages += i - first;
		out = format_all(rows, entries + first, i - first, vpn + first, label, label_size,
				 out);
	}
	return out;
}

int64_t pm_rows_format(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		       uint64_t vpn, const char *label, uint64_t label_size, char *out)
{
	uint64_t pages = 0;

	if (!pm_row_bound(rows->format))
		return -EINVAL;
	return pm_rows_put(rows, entries, count, vpn, label, label_size, out, &pages) - out;
}

/* The pages of spans[at.span] that lie before *to. */
static uint64_t pages_left(const struct pm_rows *rows, struct pm_place at,
			   const struct pm_place *to)
{
	return pm_last_page(rows->source.spans, &at, to) - at.page;
}

/* How many pages from `at` on one read should take: up to a block, over the
 * spans that follow closely, and no further than the last page before *to. */
static uint64_t block_from(const struct pm_rows *rows, struct pm_place at,
			   const struct pm_place *to)
{
	const uint64_t first = rows->source.spans[at.span].vpn + at.page;
	uint64_t end = first + pages_left(rows, at, to);

	while (end - first < PM_READ_BLOCK && at.span < to->span) {
		const struct pm_range *next;

		at = pm_next_span(&at);
		if (at.span == rows->source.spans_count || !pages_left(rows, at, to))
			break;
		next = rows->source.spans + at.span;
		if (next->vpn < end || next->vpn - end > BRIDGED)
			break;
		end = next->vpn + pages_left(rows, at, to);
	}
	return end - first < PM_READ_BLOCK ? end - first : PM_READ_BLOCK;
}

/* Read entries; where map counts tell which pages are exclusive, bit 56 becomes theirs. */
static int64_t read_block(const struct pm_rows *rows, uint64_t vpn, uint64_t count,
			  uint64_t *entries)
{
	const int64_t got = pm_source_read(&rows->source, vpn, count, entries);
	int64_t error;

	if (got < 0 || !rows->counted)
		return got;
	error = pm_exclusive_by_count(rows->mapcounts, vpn, entries, (uint64_t)got,
				      rows->source.page_shift);
	return error < 0 ? error : got;
}

int64_t pm_rows_dump(const struct pm_rows *rows, const struct pm_place *from,
		     const struct pm_place *to, uint64_t *scratch, char *out, uint64_t *pages,
		     uint64_t *missing)
{
	struct pm_place at = *from;
	uint64_t first = 0, wanted = 0, lost = 0, shown = 0;
	int64_t got = 0;
	char *end = out;

	if (!pm_row_bound(rows->format))
		return -EINVAL;
	/* scratch holds the entries of `got` pages from `first` on; `wanted` were asked for */
	while (pm_before(&at, to)) {
		const struct pm_label *label = rows->labels + at.span;
		uint64_t vpn = rows->source.spans[at.span].vpn + at.page,
			 rest = pages_left(rows, at, to), here, known;

		if (!rest) {
			at = pm_next_span(&at);
			continue;
		}
		if (vpn < first || vpn - first >= wanted) {
			first = vpn;
			wanted = block_from(rows, at, to);
			got = read_block(rows, first, wanted, scratch);
			if (got < 0)
				return got;
		}
		here = wanted - (vpn - first);
		if (here > rest)
			here = rest;
		known = vpn - first < (uint64_t)got ? (uint64_t)got - (vpn - first) : 0;
		if (known > here)
			known = here;
		end = pm_rows_put(rows, scratch + (vpn - first), known, vpn,
				  rows->label_bytes + label->at, label->size, end, &shown);
		lost += here - known;
		at.page += here;
	}
	*pages = shown;
	*missing = lost;
	return end - out;
}
