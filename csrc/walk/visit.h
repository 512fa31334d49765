/* The populated entries of some spans, a step at a time, for loops over each of them. */
#ifndef PM_VISIT_H
#define PM_VISIT_H

#include <errno.h>

#include "kernel/read.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"

enum {
	PM_VISIT_RUNS = 1024,
	PM_VISIT_AT_ONCE = 1 << 16, /* entries that one step reads: 1-3 ms */
};

/*
 * Takes the entries of a run of pages of span `span`. `found` is how many things the step
 * has found so far; returns how many there are then, at most one more for each entry.
 */
typedef uint64_t pm_take(void *context, const uint64_t *entries, const struct pm_range *run,
			 uint64_t span, uint64_t found);

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

/*
 * Hand the populated entries from *from on to `take`, as far as one step goes, and no
 * farther than *to. `scratch` holds PM_READ_BLOCK entries, and there is room for `capacity`
 * things to be found, as many at least. *seen is how many entries were read. Returns what
 * pm_visited does, or -errno.
 */
static inline int64_t pm_visit(const struct pm_source *source, struct pm_place *from,
			       const struct pm_place *to, uint64_t *scratch, uint64_t capacity,
			       uint64_t *seen, pm_take *take, void *context)
{
	struct pm_range runs[PM_VISIT_RUNS];
	uint64_t found = 0, read = 0;

	if (capacity < PM_READ_BLOCK)
		return -EINVAL;
	while (capacity - found >= PM_READ_BLOCK && read < PM_VISIT_AT_ONCE &&
	       pm_before(from, to)) {
		uint64_t span = from->span, count;
		const uint64_t *entries = scratch;
		int64_t got = pm_populated(source, from, to, scratch, PM_READ_BLOCK, runs,
					   PM_VISIT_RUNS, &count);

		if (got < 0)
			return got;
		read += (uint64_t)got;
		for (uint64_t i = 0; i < count; i++) {
			span = pm_span_of(source->spans, runs[i].vpn, span);
			found = take(context, entries, runs + i, span, found);
			entries += runs[i].count;
		}
	}
	*seen = read;
	return pm_visited(source, from, to, found);
}

#endif
