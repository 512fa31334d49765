/* How pages that left the page table are found, whoever knows what was populated, and however. */
#ifndef PM_HISTORY_WRITES_LOOK_H
#define PM_HISTORY_WRITES_LOOK_H

#include <stdint.h>

#include "history/writes.cdef.h"

/* What was populated, and protected, when the last round ended. */
struct pm_writes_known {
	/* The first page from `address` on, in range number `range` and below `end`, that was (or
	 * with `populated` 0 was not); else `end`. */
	uint64_t (*first)(const void *state, uint64_t range, uint64_t address, uint64_t end,
			  int populated);
	const void *state;
	int32_t userfaultfd; /* that has them */
};

/*
 * As pm_writes_next. Where something is `known` (else NULL), what was populated is found as well:
 *
 * Of `writes->shared` ranges what has neither an entry nor a mark: the number of its range, and
 * `writes->count` added to it, become its `categories`. With PM_WRITES_COLLECT it has a mark then,
 * and so stays known. What was not populated and has got a mark has twice `writes->count` added: it
 * is known from then on.
 *
 * Of other ranges what is the zero page now, and not protected: it is found as what is written.
 */
int64_t pm_writes_look(const struct pm_writes *writes, const struct pm_writes_known *known,
		       enum pm_writes_step step, struct pm_writes_place *at, struct pm_region *out,
		       uint64_t capacity);

#endif
