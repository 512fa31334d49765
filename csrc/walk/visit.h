/* The populated entries of some spans, a block at a time, for loops over each of them. */
#ifndef PM_VISIT_H
#define PM_VISIT_H

#include <errno.h>

#include "kernel/read.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"

enum { PM_VISIT_RUNS = 1024 };

/* Entries read by one step, and the runs of pages that they are of. */
struct pm_block {
	const uint64_t *entries;
	uint64_t runs_count;
	uint64_t span; /* that the first run lies in */
	struct pm_range runs[PM_VISIT_RUNS];
};

/* Read the next block, moving *at; returns the number of entries or -errno. */
static inline int64_t pm_visit_block(const struct pm_source *source, struct pm_place *at,
				     const struct pm_place *to, uint64_t *scratch,
				     struct pm_block *block)
{
	block->entries = scratch;
	block->span = at->span;
	return pm_populated(source, at, to, scratch, PM_READ_BLOCK, block->runs, PM_VISIT_RUNS,
			    &block->runs_count);
}

/*
 * What a step that found `found` returns: that, or -ESRCH where it was the last one and
 * the target is gone by now, so that nobody knows what was missed. Asked here, because a
 * call of its own costs Python a wait for its lock.
 */
static inline int64_t pm_visited(const struct pm_source *source, const struct pm_place *at,
				 const struct pm_place *to, uint64_t found)
{
	int32_t alive = pm_before(at, to) ? 1 : pm_source_alive(source);

	if (alive < 0)
		return alive;
	return alive ? (int64_t)found : -ESRCH;
}

#endif
