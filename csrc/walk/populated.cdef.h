/* The entries of what is there, and nothing else. */
#ifndef PM_WALK_POPULATED_CDEF_H
#define PM_WALK_POPULATED_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Read the entries of the present and the swapped pages of *source, from *from
 * up to, without, *to: the entries one after another into `out` (of `capacity`),
 * and where they belong into `runs` (of `runs_capacity`), each a stretch of
 * populated pages within one span. Both capacities are 1 or more.
 *
 * Returns the number of entries or -errno; *runs_stored becomes the number of
 * runs, and *from the place to go on, at or past *to when all was seen. Empty
 * stretches are skipped with PAGEMAP_SCAN where it may be used, else read and
 * dropped: the answer is the same. `out` serves as scratch: past the entries
 * returned its content is lost.
 */
int64_t pm_populated(const struct pm_source *source, struct pm_place *from,
		     const struct pm_place *to, uint64_t *out, uint64_t capacity,
		     struct pm_range *runs, uint64_t runs_capacity, uint64_t *runs_stored);

#ifdef __cplusplus
}
#endif

#endif
