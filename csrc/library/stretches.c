/*
 * The entries of what is there, of a process: see pagemap.h.
 */
#include <errno.h>
#include <stdint.h>

#include "include/pagemap.h"
#include "library/gone.h"
#include "library/process.h"
#include "walk/populated.cdef.h"
#include "walk/spans.h"

enum { BATCH = 256 }; /* runs that are ranges at a time */

struct found {
	uint64_t *entries;
	uint64_t capacity;
	uint64_t stored;
	struct pm_span *runs;
	uint64_t runs_capacity;
	uint64_t runs_stored;
};

/* Take ranges over as runs; one that begins where the last ended goes on with it. */
static void put_runs(struct found *found, const struct pm_range *ranges, uint64_t count,
		     uint32_t page_shift)
{
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t start = ranges[i].vpn << page_shift;
		const uint64_t end = start + (ranges[i].count << page_shift);

		if (found->runs_stored && found->runs[found->runs_stored - 1].end == start)
			found->runs[found->runs_stored - 1].end = end;
		else
			found->runs[found->runs_stored++] = (struct pm_span){ start, end };
	}
}

/* Walk on from *at: 0 or -errno. */
static int64_t walk(const struct pm_source *source, struct pm_place *at, const struct pm_place *to,
		    struct found *found)
{
	while (pm_before(at, to) && found->stored < found->capacity &&
	       found->runs_stored < found->runs_capacity) {
		const uint64_t left = found->runs_capacity - found->runs_stored;
		struct pm_range ranges[BATCH];
		uint64_t count;
		const int64_t got = pm_populated(source, at, to, found->entries + found->stored,
						 found->capacity - found->stored, ranges,
						 left < BATCH ? left : BATCH, &count);

		if (got < 0)
			return got;
		found->stored += (uint64_t)got;
		put_runs(found, ranges, count, source->page_shift);
	}
	return 0;
}

static int64_t find_populated(const struct pm_process *process, uint64_t *next, uint64_t end,
			      struct found *found)
{
	const int32_t fd = pm_process_pagemap(process);
	const struct pm_place to = { 1, 0 };
	struct pm_place at = { 0, 0 };
	struct pm_source source = { .spans_count = 1, .fd = fd };
	struct pm_range span;
	int64_t last, error;

	if (fd < 0)
		return fd;
	if (!next || *next > end || !pm_is_page(process, *next) || !pm_is_page(process, end) ||
	    !found->capacity || !found->runs_capacity)
		return -EINVAL;
	last = pm_end_within(process, end);
	if (last < 0)
		return pm_or_gone(process, last);
	span.vpn = *next >> process->page_shift;
	span.count = (uint64_t)last > span.vpn ? (uint64_t)last - span.vpn : 0;
	source.spans = &span;
	source.page_shift = process->page_shift;
	source.use_scan = (process->can & PM_CAN_SCAN) != 0;
	error = walk(&source, &at, &to, found);
	if (error)
		return pm_or_gone(process, error);
	*next = pm_before(&at, &to) ? *next + (at.page << process->page_shift) : end;
	return *next == end ? pm_unless_gone(process, (int64_t)found->stored)
			    : (int64_t)found->stored;
}

int64_t pm_process_populated(const struct pm_process *process, uint64_t *next, uint64_t end,
			     uint64_t *entries, uint64_t capacity, struct pm_span *runs,
			     uint64_t runs_capacity, uint64_t *runs_stored)
{
	const int before = errno;
	struct found found = {
		.entries = entries,
		.capacity = entries ? capacity : 0,
		.runs = runs,
		.runs_capacity = runs && runs_stored ? runs_capacity : 0,
	};
	const int64_t got = find_populated(process, next, end, &found);

	if (got >= 0)
		*runs_stored = found.runs_stored;
	errno = before;
	return got;
}
