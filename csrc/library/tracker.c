/* The beginning and the end of write tracking: see tracker_round.c for what is between. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "history/writes.cdef.h"
#include "kernel/probe.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"
#include "library/process.h"
#include "library/sized.h"
#include "library/tracker.h"

enum {
	FIRST_OPTIONS = 24 + sizeof(void *), /* pm_tracker_options of the first release, bytes */
	REGIONS = 256,
};

/* Whether they are whole pages, in order and none overlap; *pages becomes how many these are. */
static int32_t check_spans(const struct pm_tracker_options *options, uint32_t page_shift,
			   uint64_t *pages)
{
	const uint64_t within = (UINT64_C(1) << page_shift) - 1;
	uint64_t last = 0;

	if (!options->spans || !options->spans_count)
		return -EINVAL;
	*pages = 0;
	for (uint64_t i = 0; i < options->spans_count; i++) {
		const struct pm_span *span = &options->spans[i];

		if ((span->start | span->end) & within || span->start < last ||
		    span->start >= span->end)
			return -EINVAL;
		last = span->end;
		*pages += (span->end - span->start) >> page_shift;
	}
	return 0;
}

static int32_t allocate(const struct pm_process *process, const struct pm_tracker_options *options,
			struct pm_tracker **out)
{
	struct pm_tracker *tracker;
	uint64_t pages, first = 0;
	const int32_t error = check_spans(options, process->page_shift, &pages);

	if (error)
		return error;
	if (options->spans_count > (SIZE_MAX - sizeof(*tracker)) / sizeof(*tracker->spans))
		return -ENOMEM;
	tracker = malloc(sizeof(*tracker) + options->spans_count * sizeof(*tracker->spans));
	if (!tracker)
		return -ENOMEM;
	*tracker = (struct pm_tracker){
		.process = process,
		.owner = pm_sys_pid(),
		.userfaultfd = -1,
		.untouched = !!(options->flags & PM_TRACKER_UNTOUCHED),
		.page_shift = process->page_shift,
		.count = options->spans_count,
	};
	for (uint64_t i = 0; i < tracker->count; i++) {
		const struct pm_span *span = &options->spans[i];

		tracker->spans[i] = (struct pm_tracked_span){ span->start, span->end, first };
		first += (span->end - span->start) >> process->page_shift;
	}
	if (!tracker->untouched) {
		tracker->populated = pages / 64 < SIZE_MAX ? calloc(pages / 64 + 1, 8) : NULL;
		if (!tracker->populated) {
			free(tracker);
			return -ENOMEM;
		}
	}
	*out = tracker;
	return 0;
}

/* What no page that was written is, or -errno: of a kernel without PAGEMAP_SCAN too. */
static int32_t find_never(struct pm_tracker *tracker)
{
	const int32_t pagemap = tracker->process->pagemap;
	const int32_t guard = pm_probe_scan(pagemap, PM_UAPI_IS_GUARD);
	const int32_t error = guard == -EINVAL ? pm_probe_scan(pagemap, PM_UAPI_IS_PRESENT) : guard;

	if (error)
		return error;
	/* where untouched pages are protected, a zero page without that was thrown away before */
	tracker->never = tracker->untouched ? 0 : PM_UAPI_IS_PFNZERO;
	if (!guard)
		tracker->never |= PM_UAPI_IS_GUARD;
	return 0;
}

/* A userfaultfd to track with: the one that was given, or a new one. */
static int32_t find_userfaultfd(struct pm_tracker *tracker, int32_t given)
{
	if (given >= 0) {
		const int32_t error = pm_uffd_agree(given);

		/* EINVAL: it was agreed upon, and what it registers tells upon what */
		if (error && error != -EINVAL)
			return error == -ENOTTY ? -EINVAL : error;
		tracker->userfaultfd = given;
		return 0;
	}
	if (given != -1 || !tracker->process->owner)
		return -EINVAL;
	tracker->userfaultfd = pm_uffd_open();
	if (tracker->userfaultfd == -EINVAL || tracker->userfaultfd == -ENOSYS)
		return -ENOTTY;
	return tracker->userfaultfd < 0 ? tracker->userfaultfd : 0;
}

/* Keep what is populated. */
static int32_t keep_populated(struct pm_tracker *tracker, const struct pm_tracked_piece *piece,
			      const struct pm_writes *writes)
{
	struct pm_writes_place place = { 0 };
	struct pm_region regions[REGIONS];

	while (!place.range) {
		const int64_t count =
			pm_writes_next(writes, PM_WRITES_POPULATED, &place, regions, REGIONS);

		if (count < 0)
			return (int32_t)count;
		for (int64_t i = 0; i < count; i++)
			pm_tracked_keep(tracker, piece->span, regions[i].start, regions[i].end, 1);
	}
	return 0;
}

/* 1 where it is tracked from now on, 0 where it cannot be, or -errno. */
static int32_t begin_piece(struct pm_tracker *tracker, const struct pm_tracked_piece *piece,
			   int adopted)
{
	const uint64_t bounds[2] = { piece->start, piece->end };
	const struct pm_writes writes = {
		.bounds = bounds,
		.private_file = &piece->private_file,
		.count = 1,
		.never = tracker->never,
		.fd = tracker->process->pagemap,
	};
	int32_t error = pm_tracked_register(tracker, piece);

	/* what cannot be tracked is told in each round */
	if (error)
		return error == -EBUSY || error == -EAGAIN ? error : 0;
	error = adopted ? pm_tracked_already(tracker, piece) : 1;
	if (error <= 0)
		return error ? error : -EINVAL;
	if (tracker->untouched) {
		error = pm_uffd_protect(tracker->userfaultfd, piece->start, piece->end);
		return error && error != -ENOENT ? error : 1;
	}
	error = (int32_t)pm_writes_protect(&writes);
	if (!error)
		error = keep_populated(tracker, piece, &writes);
	return error ? error : 1;
}

static int32_t begin(struct pm_tracker *tracker, int adopted)
{
	struct pm_tracked_place place = { 0 }, before = place;
	struct pm_tracked_piece piece;
	int32_t more, tries = 0, refused = 0, tracked = 0;

	while ((more = pm_tracked_next(tracker, &place, &piece)) > 0) {
		const int32_t got = begin_piece(tracker, &piece, adopted);

		if (got == -EAGAIN && ++tries < PM_TRACKED_TRIES) {
			place = before;
			continue;
		}
		if (got < 0 && got != -EAGAIN) /* what changes all the time is new, later */
			return got;
		refused |= !got;
		tracked |= got > 0;
		before = place;
		tries = 0;
	}
	/* no userfaultfd, or that of a process that has no mappings there, refuses all of them */
	return !more && adopted && refused && !tracked ? -EINVAL : more;
}

/* Unregister what is ours: closing does that, but for a child of fork that has the file, too. */
static void end(struct pm_tracker *tracker)
{
	struct pm_tracked_place place = { 0 };
	struct pm_tracked_piece piece;

	while (pm_tracked_next(tracker, &place, &piece) > 0) {
		const uint64_t bounds[2] = { piece.start, piece.end };

		/* another's would be unregistered as well, by older kernels */
		if (!pm_tracked_register(tracker, &piece))
			pm_uffd_unregister(tracker->userfaultfd, bounds, 1);
	}
}

int32_t pm_tracker_open(struct pm_process *process, const struct pm_tracker_options *options,
			struct pm_tracker **out)
{
	struct pm_tracker_options wanted;
	struct pm_tracker *tracker;
	const int saved = errno;
	int32_t error = pm_process_pagemap(process);

	if (error >= 0)
		error = out ? pm_sized_in(&wanted, sizeof(wanted), FIRST_OPTIONS, options)
			    : -EINVAL;
	if (!error && (wanted.flags & ~(uint32_t)PM_TRACKER_UNTOUCHED || wanted.reserved))
		error = -EINVAL;
	if (!error)
		error = allocate(process, &wanted, &tracker);
	if (error) {
		errno = saved; /* malloc sets it */
		return error;
	}
	error = find_never(tracker);
	if (!error)
		error = find_userfaultfd(tracker, wanted.userfaultfd);
	if (!error)
		error = begin(tracker, wanted.userfaultfd >= 0);
	if (!error)
		error = pm_process_check(process);
	if (error) {
		if (tracker->userfaultfd >= 0)
			end(tracker);
		if (wanted.userfaultfd < 0 && tracker->userfaultfd >= 0)
			pm_sys_close(tracker->userfaultfd);
		free(tracker->populated);
		free(tracker);
	} else {
		*out = tracker;
	}
	errno = saved;
	return error;
}

void pm_tracker_close(struct pm_tracker *tracker)
{
	const int saved = errno;

	if (!tracker)
		return;
	if (tracker->owner == pm_sys_pid())
		end(tracker);
	pm_sys_close(tracker->userfaultfd);
	free(tracker->populated);
	free(tracker);
	errno = saved;
}
