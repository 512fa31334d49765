/*
 * What a round finds of a piece.
 *
 * What is written is found and protected anew in one call of the kernel, and with it what has left
 * the page table: of shared memory what was populated when the last round ended, which a bit tells
 * for each page, and where untouched pages are protected, too, all that has neither an entry nor a
 * mark. Such a hole has a mark then. Of private memory the same bit tells which zero pages were not
 * only read.
 *
 * Then, of shared memory, what has a guard now and was populated.
 */
#include <stdint.h>

#include "history/writes_look.h"
#include "kernel/uapi.h"
#include "library/process.h"
#include "library/tracker_round.h"

enum { GUARDS = 256, PIECE_GONE = 1, PIECE_MARKED = 2 }; /* numbers of one range */

/* What is known of a piece. */
struct piece {
	const struct pm_tracker *tracker;
	uint64_t span;
};

static uint64_t first_page(const void *state, uint64_t range, uint64_t address, uint64_t end,
			   int populated)
{
	const struct piece *piece = state;

	(void)range;
	if (piece->tracker->untouched) /* all of it has an entry or a mark */
		return populated ? address : end;
	return pm_tracked_first(piece->tracker, piece->span, address, end, populated);
}

int32_t pm_tracked_pages(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
			 struct pm_tracked_found *found)
{
	const uint64_t bounds[2] = { round->start, round->end };
	/* pages of a file that have a mark until they are read are told by what lifts that */
	const uint8_t private_file = round->private_file && !tracker->untouched;
	const uint8_t may_be_gone = round->shared || tracker->untouched;
	const struct pm_writes writes = {
		.bounds = bounds,
		.private_file = &private_file,
		.shared = &may_be_gone,
		.count = 1,
		.never = tracker->never,
		.fd = tracker->process->pagemap,
	};
	const struct piece piece = { tracker, round->span };
	const struct pm_writes_known known = { first_page, &piece, tracker->userfaultfd };
	const enum pm_writes_step tracked = peek ? PM_WRITES_PEEK : PM_WRITES_COLLECT;
	const enum pm_writes_step step = round->step == PM_TRACKED_POPULATED ? PM_WRITES_POPULATED
									     : tracked;
	struct pm_writes_place place = { .address = round->at };
	struct pm_region *out = found->out + found->count;
	const int64_t count = pm_writes_look(&writes, step == PM_WRITES_POPULATED ? NULL : &known,
					     step, &place, out, found->capacity - found->count);

	if (count < 0)
		return (int32_t)count;
	for (int64_t i = 0; i < count; i++) {
		const struct pm_region region = out[i];

		if (step == PM_WRITES_COLLECT)
			pm_tracked_keep(tracker, round->span, region.start, region.end, 1);
		if (region.categories != PIECE_MARKED)
			pm_tracked_add(found, region.start, region.end,
				       region.categories == PIECE_GONE ? PM_WRITTEN_GONE
								       : round->how);
	}
	round->at = place.range ? round->end : place.address;
	return 0;
}

/* Add what of a guard was populated; returns 0 where it does not fit any more. */
static int add_guarded(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
		       const struct pm_region *guard, struct pm_tracked_found *found)
{
	uint64_t start, end;

	for (uint64_t at = guard->start; at < guard->end; at = end) {
		start = pm_tracked_first(tracker, round->span, at, guard->end, 1);
		if (start == guard->end)
			break;
		if (found->count == found->capacity)
			return 0;
		end = pm_tracked_first(tracker, round->span, start, guard->end, 0);
		pm_tracked_add(found, start, end, PM_WRITTEN_GONE);
		if (!peek)
			pm_tracked_keep(tracker, round->span, start, end, 0);
		round->at = end;
	}
	return 1;
}

int32_t pm_tracked_guarded(const struct pm_tracker *tracker, struct pm_tracked_round *round,
			   int peek, struct pm_tracked_found *found)
{
	struct pm_region guards[GUARDS];
	uint64_t next = pm_tracked_first(tracker, round->span, round->at, round->end, 1);
	const int64_t count = next == round->end
				      ? 0
				      : pm_writes_guards(tracker->process->pagemap, &next,
							 round->end, guards, GUARDS);

	if (count < 0)
		return (int32_t)count;
	for (int64_t i = 0; i < count; i++)
		if (!add_guarded(tracker, round, peek, &guards[i], found))
			return 0;
	round->at = next;
	return 0;
}
