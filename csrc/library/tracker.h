/*
 * What the parts of a tracker share.
 *
 * It looks at the mappings anew each time, a piece after another: what of a span lies in one
 * mapping. A mapping that is registered with our userfaultfd is the one that it was, for the kernel
 * drops that when it is unmapped or moved, and nobody else can take it; one that is not is new.
 */
#ifndef PM_LIBRARY_TRACKER_H
#define PM_LIBRARY_TRACKER_H

#include <stdint.h>

#include "include/pagemap.h"

enum { PM_TRACKED_TRIES = 8 }; /* where the bounds of a mapping change while it is registered */

struct pm_tracked_span {
	uint64_t start;
	uint64_t end;
	uint64_t first; /* the number of its first page among those of all spans */
};

struct pm_tracker {
	const struct pm_process *process;
	int32_t owner; /* our pid when it was opened */
	int32_t userfaultfd;
	int32_t untouched; /* whether untouched pages are protected, too */
	uint32_t page_shift;
	uint64_t never; /* categories of pages that nobody wrote */
	/* A bit for each page of the spans: whether it was populated, and protected, when the last
	 * round ended (or before, of private memory that was thrown away). NULL with `untouched`. */
	uint64_t *populated;
	uint64_t count;
	struct pm_tracked_span spans[];
};

/* Where a walk over the pieces stands; zeros: at the beginning. */
struct pm_tracked_place {
	uint64_t span;
	uint64_t address;
};

struct pm_tracked_piece {
	uint64_t start;
	uint64_t end;
	uint64_t mapping[2]; /* the bounds of its mapping */
	uint64_t span;
	uint8_t private_file; /* 1 or 0, as the next two */
	uint8_t shared;
	uint8_t writable;
};

/* tracker_pieces.c: 1 and the next piece, 0 where there is none, or -errno. */
int32_t pm_tracked_next(const struct pm_tracker *tracker, struct pm_tracked_place *at,
			struct pm_tracked_piece *out);

/* Whether a piece is registered for write tracking, by anyone: 1, 0 or -errno. */
int32_t pm_tracked_already(const struct pm_tracker *tracker, const struct pm_tracked_piece *piece);

/* Register it with our userfaultfd, which it may be already: 0, or -errno as pm_uffd_register has
 * it. */
int32_t pm_tracked_register(const struct pm_tracker *tracker, const struct pm_tracked_piece *piece);

/* tracker_bits.c: the first page from `address` on, in this span and below `end`, which was
 * populated (or with 0 was not); else `end`. */
uint64_t pm_tracked_first(const struct pm_tracker *tracker, uint64_t span, uint64_t address,
			  uint64_t end, int populated);

/* Keep of the pages that lie in the span that they are populated, or not. */
void pm_tracked_keep(const struct pm_tracker *tracker, uint64_t span, uint64_t start, uint64_t end,
		     int populated);

#endif
