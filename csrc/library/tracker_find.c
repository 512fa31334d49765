/*
 * What a round finds of a piece.
 *
 * Of each piece first what is populated and written, which is protected anew in the same call of
 * the kernel. Then what has left the page table: of shared memory the kernel keeps no entry of a
 * page that is evicted or thrown away, but for a mark where the page was protected. So what was
 * protected and has no entry was written before. A page that is evicted between the two looks is
 * found by the second; one that comes back between them, in the next round.
 *
 * Where untouched pages are protected, too, all that has neither an entry nor a mark was written,
 * and one look finds that. Such a hole is protected after it was found.
 */
#include <errno.h>
#include <stdint.h>

#include "history/writes.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"
#include "library/process.h"
#include "library/tracker_round.h"

enum { HOLES = 256 };

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

int32_t pm_tracked_pages(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
			 struct pm_tracked_found *found)
{
	const uint64_t bounds[2] = { round->start, round->end };
	const uint8_t private_file = (uint8_t)round->private_file;
	const struct pm_writes writes = {
		.bounds = bounds,
		.private_file = &private_file,
		.count = 1,
		.never = tracker->never,
		.fd = tracker->process->pagemap,
	};
	struct pm_writes_place place = { .address = round->at };
	struct pm_region *out = found->out + found->count;
	const enum pm_writes_step tracked = peek ? PM_WRITES_PEEK : PM_WRITES_COLLECT;
	const enum pm_writes_step step = round->step == PM_TRACKED_POPULATED ? PM_WRITES_POPULATED
									     : tracked;
	const int64_t count =
		pm_writes_next(&writes, step, &place, out, found->capacity - found->count);

	if (count < 0)
		return (int32_t)count;
	for (int64_t i = 0; i < count; i++) {
		out[i].categories = round->how;
		if (step == PM_WRITES_COLLECT && round->shared)
			pm_tracked_keep(tracker, round->span, out[i].start, out[i].end, 1);
	}
	found->count += (uint64_t)count;
	round->at = place.range ? round->end : place.address;
	return 0;
}

/*
 * Written pages and holes, of a piece where each untouched page has a mark. Each page is looked at
 * once: what is a hole in one look and is there in another would be in neither otherwise.
 */
int32_t pm_tracked_unmarked(const struct pm_tracker *tracker, struct pm_tracked_round *round,
			    int peek, struct pm_tracked_found *found)
{
	struct pm_region *out = found->out + found->count;
	const uint64_t left = found->capacity - found->count;
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.flags = peek ? 0 : PM_UAPI_SCAN_WP_MATCHING,
		.start = round->at,
		.end = round->end,
		.vec = (uint64_t)(uintptr_t)out,
		.vec_len = left,
		.category_inverted = PM_UAPI_IS_PRESENT | tracker->never,
		.category_mask = PM_UAPI_IS_WPALLOWED | tracker->never,
		.category_anyof_mask = PM_UAPI_IS_WRITTEN | PM_UAPI_IS_PRESENT,
		.return_mask = PM_UAPI_IS_WRITTEN | PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED,
	};
	int count;

	do
		count = pm_sys_ioctl(tracker->process->pagemap, PM_UAPI_PAGEMAP_SCAN, &scan);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	round->at = round->end;
	/* walk_end alone may fall short of what was reported (see scan.c) */
	if ((uint64_t)count == left)
		round->at = larger(scan.walk_end, out[count - 1].end);
	for (int i = 0; i < count; i++) {
		const uint64_t is = out[i].categories;
		const int hole = !(is & (PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED));

		if (!hole && !(is & PM_UAPI_IS_WRITTEN)) /* a mark, or protected and in swap */
			continue;
		/* a write before that is in what was found; and what is unmapped by now is new */
		if (hole && !peek)
			pm_uffd_protect(tracker->userfaultfd, out[i].start, out[i].end);
		pm_tracked_add(found, out[i].start, out[i].end,
			       hole ? PM_WRITTEN_GONE : PM_WRITTEN_TRACKED);
	}
	return 0;
}

/* Add what of a hole was populated; returns 0 where it does not fit any more. */
static int add_gone(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
		    const struct pm_region *hole, struct pm_tracked_found *found)
{
	uint64_t start, end;

	for (uint64_t at = hole->start; at < hole->end; at = end) {
		start = pm_tracked_first(tracker, round->span, at, hole->end, 1);
		if (start == hole->end)
			break;
		if (found->count == found->capacity)
			return 0;
		end = pm_tracked_first(tracker, round->span, start, hole->end, 0);
		pm_tracked_add(found, start, end, PM_WRITTEN_GONE);
		if (!peek)
			pm_tracked_keep(tracker, round->span, start, end, 0);
		round->at = end;
	}
	return 1;
}

int32_t pm_tracked_gone(const struct pm_tracker *tracker, struct pm_tracked_round *round, int peek,
			struct pm_tracked_found *found)
{
	const uint64_t guard = tracker->never & PM_UAPI_IS_GUARD;
	struct pm_region holes[HOLES];
	uint64_t next = pm_tracked_first(tracker, round->span, round->at, round->end, 1);
	const int64_t count = next == round->end ? 0
						 : pm_writes_holes(tracker->process->pagemap, guard,
								   &next, round->end, holes, HOLES);

	if (count < 0)
		return (int32_t)count;
	for (int64_t i = 0; i < count; i++)
		if (!add_gone(tracker, round, peek, &holes[i], found))
			return 0;
	round->at = next;
	return 0;
}
