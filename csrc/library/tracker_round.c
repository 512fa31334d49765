/* A round of write tracking, a bufferful of regions at a time: a piece after another, in steps. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"
#include "library/process.h"
#include "library/tracker_round.h"

_Static_assert(sizeof(struct pm_tracked_round) == sizeof(struct pm_tracker_cursor), "it fits");

/* Whether this may be what we left in a cursor: nothing else does harm. */
static int plausible(const struct pm_tracker *tracker, const struct pm_tracked_round *round)
{
	const uint64_t within = (UINT64_C(1) << tracker->page_shift) - 1;

	if (round->span > tracker->count || round->step >= PM_TRACKED_STEPS)
		return 0;
	if (round->step != PM_TRACKED_NEXT && round->span == tracker->count)
		return 0;
	return !((round->start | round->end | round->at) & within) && round->start <= round->at &&
	       round->at <= round->end && round->private_file <= 1 && round->shared <= 1;
}

/* How to look at a piece that is not tracked as it was. */
static void begin_new(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek)
{
	round->how = PM_WRITTEN_NEW;
	if (tracker->untouched) {
		/* where that fails it is found to be written next time */
		if (!peek)
			pm_uffd_protect(tracker->userfaultfd, round->start, round->end);
		round->step = PM_TRACKED_WHOLE;
		return;
	}
	if (!peek)
		pm_tracked_keep(tracker, round->span, round->start, round->end, 0);
	round->step = peek ? PM_TRACKED_POPULATED : PM_TRACKED_WRITTEN;
}

/* Find the next piece, have it tracked, and what to look for: 1, 0 at the end, or -errno. */
static int32_t begin_piece(const struct pm_tracker *tracker, struct pm_tracked_round *round,
			   int peek)
{
	struct pm_tracked_place place = { 0 };
	struct pm_tracked_piece piece;
	int32_t already = 0, error = 0;

	for (int tries = 0; tries < PM_TRACKED_TRIES; tries++) {
		int32_t more;

		place = (struct pm_tracked_place){ round->span, round->end };
		more = pm_tracked_next(tracker, &place, &piece);
		if (more <= 0) {
			round->span = tracker->count;
			return more;
		}
		already = pm_tracked_already(tracker, &piece);
		if (already < 0)
			return already;
		error = peek && !already ? 0 : pm_tracked_register(tracker, &piece);
		/* by a userfaultfd without WP_ASYNC it is registered, and no write would be seen */
		if (!error && !peek && !already && pm_tracked_already(tracker, &piece) <= 0)
			error = -EINVAL;
		if (error != -EAGAIN)
			break;
	}
	*round = (struct pm_tracked_round){
		.span = piece.span,
		.start = piece.start,
		.end = piece.end,
		.at = piece.start,
		.private_file = piece.private_file,
		.shared = piece.shared,
	};
	if (error) {
		round->how = PM_WRITTEN_UNTRACKED;
		round->step = piece.writable ? PM_TRACKED_POPULATED : PM_TRACKED_NEXT;
	} else if (!already) {
		begin_new(tracker, round, peek);
	} else {
		round->how = PM_WRITTEN_TRACKED;
		round->step = PM_TRACKED_WRITTEN;
	}
	return 1;
}

static int32_t take_step(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
			 struct pm_tracked_found *found)
{
	int32_t error;

	switch (round->step) {
	case PM_TRACKED_WRITTEN:
	case PM_TRACKED_POPULATED:
		error = pm_tracked_pages(tracker, round, peek, found);
		break;
	case PM_TRACKED_GUARDED:
		error = pm_tracked_guarded(tracker, round, peek, found);
		break;
	default: /* PM_TRACKED_WHOLE */
		pm_tracked_add(found, round->at, round->end, round->how);
		round->at = round->end;
		error = 0;
	}
	if (error || round->at < round->end)
		return error;
	/* nobody writes to untouched memory by guarding it */
	if (round->step == PM_TRACKED_WRITTEN && round->how == PM_WRITTEN_TRACKED &&
	    round->shared && tracker->populated && tracker->never & PM_UAPI_IS_GUARD) {
		round->step = PM_TRACKED_GUARDED;
		round->at = round->start;
	} else {
		round->step = PM_TRACKED_NEXT;
	}
	return 0;
}

static int64_t collect(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
		       struct pm_tracked_found *found)
{
	int32_t more = 1;

	while (more > 0 && found->count < found->capacity) {
		if (round->step == PM_TRACKED_NEXT) {
			more = begin_piece(tracker, round, peek);
		} else {
			const int32_t error = take_step(tracker, round, peek, found);

			more = error ? error : 1;
		}
	}
	/* what was found is protected anew, and no other call will tell it: an error comes again */
	return more < 0 && !found->count ? more : (int64_t)found->count;
}

int64_t pm_tracker_collect(struct pm_tracker *tracker, struct pm_tracker_cursor *cursor,
			   uint32_t flags, struct pm_region *out, uint64_t capacity)
{
	struct pm_tracked_found found = { .out = out, .capacity = capacity };
	const int saved = errno;
	struct pm_tracked_round round;
	int64_t count;

	if (!tracker || !cursor || !out || !capacity || flags & ~(uint32_t)PM_TRACK_PEEK)
		return -EINVAL;
	if (tracker->owner != pm_sys_pid())
		return -ECHILD;
	memcpy(&round, cursor, sizeof(round));
	if (!plausible(tracker, &round))
		return -EINVAL;
	count = collect(tracker, &round, !!(flags & PM_TRACK_PEEK), &found);
	if (!count) {
		count = pm_process_check(tracker->process);
		round = (struct pm_tracked_round){ 0 };
	}
	memcpy(cursor, &round, sizeof(round));
	errno = saved;
	return count;
}
