/* Populated pages, read by two threads. */
#ifndef PM_HALVES_H
#define PM_HALVES_H

#include <stdint.h>

#include "walk/populated.cdef.h"

enum { PM_HALVES_LEAST = 1 << 14 }; /* pages for which a second thread pays */

/*
 * As pm_populated, of the `pages` pages between *from and *to, for which there is memory in `out`
 * and in `runs`; *from becomes *to. Where a run goes on from one half into the other it may be two.
 * The second thread is there for the time of the call, and gets no signals.
 */
int64_t pm_populated_by_two(const struct pm_source *source, struct pm_place *from,
			    const struct pm_place *to, uint64_t pages, uint64_t *out,
			    struct pm_range *runs, uint64_t *runs_stored);

#endif
