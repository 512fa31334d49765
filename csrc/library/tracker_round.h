/* Between the two files that make a round: tracker_round.c goes on from step to step, and
 * tracker_find.c looks. */
#ifndef PM_LIBRARY_TRACKER_ROUND_H
#define PM_LIBRARY_TRACKER_ROUND_H

#include <stdint.h>

#include "include/pagemap.h"
#include "library/tracker.h"

enum pm_tracked_step {
	PM_TRACKED_NEXT,      /* on to the next piece */
	PM_TRACKED_WRITTEN,   /* of what is tracked what is not protected */
	PM_TRACKED_GUARDED,   /* guards, where pages were */
	PM_TRACKED_POPULATED, /* all that is there, of what is not tracked */
	PM_TRACKED_WHOLE,     /* the piece, whatever is there */
	PM_TRACKED_STEPS,
};

/* What a cursor holds. */
struct pm_tracked_round {
	uint64_t span;
	uint64_t start, end; /* of the piece */
	uint64_t at;	     /* where to go on in it */
	uint32_t step;
	uint32_t how; /* what is found of it is: enum pm_written */
	uint32_t private_file;
	uint32_t shared;
	uint64_t unused[2];
};

struct pm_tracked_found {
	struct pm_region *out;
	uint64_t count;
	uint64_t capacity;
};

/* Find the next pages of the piece, by the step, and move round->at, which is its end in the end:
 * 0 or -errno. There is space for one region at least. */
int32_t pm_tracked_pages(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
			 struct pm_tracked_found *found);
int32_t pm_tracked_guarded(const struct pm_tracker *tracker, struct pm_tracked_round *round,
			   int peek, struct pm_tracked_found *found);

/* There is space for it; its memory may be that of a region further on, which was read. */
static inline void pm_tracked_add(struct pm_tracked_found *found, uint64_t start, uint64_t end,
				  uint64_t how)
{
	found->out[found->count++] = (struct pm_region){ start, end, how };
}

#endif
