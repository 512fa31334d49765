/*
 * Written pages by PAGEMAP_SCAN: those whose write protection was lifted.
 *
 * What these scans must and must not ask for:
 *
 *  - WPALLOWED: elsewhere everything reads as written. With PM_SCAN_CHECK_WPASYNC a single
 *    mapping that is not tracked would make the scan of the whole fail.
 *  - PRESENT or SWAPPED: a page that was written may be in swap by now, and what was never
 *    touched reads as written, too. Protecting that would make page tables for it.
 *  - not the zero page, which was read; and in private memory of a file not FILE: a write
 *    makes a copy of such a page, so it would be of the file no more.
 *  - to find and to protect are one call: between two, writes would be lost.
 */
#include <errno.h>
#include <stdint.h>

#include "history/writes.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/* A scan of range number `i`, for pages that are populated and may have been written. */
static struct pm_uapi_scan scan_of(const struct pm_writes *writes, uint64_t i)
{
	const uint64_t never = writes->never | (writes->private_file[i] ? PM_UAPI_IS_FILE : 0);
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.start = writes->bounds[2 * i],
		.end = writes->bounds[2 * i + 1],
		.category_inverted = never,
		.category_mask = never,
		.category_anyof_mask = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED,
		.return_mask = PM_UAPI_IS_WRITTEN,
	};

	return scan;
}

static int64_t run(const struct pm_writes *writes, struct pm_uapi_scan *scan)
{
	int found;

	do
		found = pm_sys_ioctl(writes->fd, PM_UAPI_PAGEMAP_SCAN, scan);
	while (found < 0 && errno == EINTR);
	return found < 0 ? -errno : found;
}

int64_t pm_writes_untracked(const struct pm_writes *writes, uint8_t *found)
{
	const uint64_t end = writes->count ? writes->bounds[2 * writes->count - 1] : 0;
	uint64_t at = writes->count ? writes->bounds[0] : 0;
	int64_t marked = 0;
	uint64_t i = 0;

	for (uint64_t each = 0; each < writes->count; each++)
		found[each] = 0;
	while (at < end) {
		struct pm_uapi_region page;
		struct pm_uapi_scan scan = {
			.size = sizeof(scan),
			.start = at,
			.end = end,
			.vec = (uint64_t)(uintptr_t)&page,
			.vec_len = 1,
			.max_pages = 1,
			.category_inverted = PM_UAPI_IS_WPALLOWED,
			.category_mask = PM_UAPI_IS_WPALLOWED,
			.category_anyof_mask = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED,
			.return_mask = PM_UAPI_IS_WPALLOWED,
		};
		const int64_t got = run(writes, &scan);

		if (got <= 0)
			return got < 0 ? got : marked;
		while (i < writes->count && writes->bounds[2 * i + 1] <= page.start)
			i++;
		if (i == writes->count)
			return marked;
		if (writes->bounds[2 * i] > page.start) { /* between two ranges */
			at = writes->bounds[2 * i];
			continue;
		}
		found[i] = 1;
		marked++;
		at = writes->bounds[2 * i + 1];
	}
	return marked;
}

int64_t pm_writes_protect(const struct pm_writes *writes)
{
	for (uint64_t i = 0; i < writes->count; i++) {
		struct pm_uapi_scan scan = scan_of(writes, i);
		int64_t error;

		scan.flags = PM_UAPI_SCAN_WP_MATCHING;
		scan.category_mask |= PM_UAPI_IS_WPALLOWED | PM_UAPI_IS_WRITTEN;
		error = run(writes, &scan);
		if (error < 0)
			return error;
	}
	return 0;
}

/* Give `count` regions, behind `before` others, their range's number; join those that touch.
 * Returns the number of all. */
static uint64_t number(struct pm_region *regions, uint64_t before, uint64_t count, uint64_t range)
{
	uint64_t kept = before;

	for (uint64_t i = before; i < before + count; i++) {
		struct pm_region *last = kept ? &regions[kept - 1] : NULL;

		regions[i].categories = range;
		if (last && last->categories == range && last->end == regions[i].start)
			last->end = regions[i].end;
		else
			regions[kept++] = regions[i];
	}
	return kept;
}

int64_t pm_writes_next(const struct pm_writes *writes, enum pm_writes_step step,
		       struct pm_writes_place *at, struct pm_region *out, uint64_t capacity)
{
	uint64_t stored = 0;

	if (!capacity)
		return -EINVAL;
	while (at->range < writes->count && stored < capacity) {
		struct pm_uapi_scan scan = scan_of(writes, at->range);
		const uint64_t left = capacity - stored;
		uint64_t next = scan.end;
		int64_t found;

		scan.start = larger(scan.start, at->address);
		scan.vec = (uint64_t)(uintptr_t)(out + stored);
		scan.vec_len = left;
		if (step != PM_WRITES_POPULATED)
			scan.category_mask |= PM_UAPI_IS_WPALLOWED | PM_UAPI_IS_WRITTEN;
		if (step == PM_WRITES_COLLECT)
			scan.flags = PM_UAPI_SCAN_WP_MATCHING;
		found = scan.start < scan.end ? run(writes, &scan) : 0;
		if (found < 0)
			return found;
		/* walk_end alone may fall short of what was reported (see scan.c) */
		if ((uint64_t)found == left)
			next = larger(scan.walk_end, out[stored + left - 1].end);
		stored = number(out, stored, (uint64_t)found, at->range);
		at->address = next;
		at->range += next >= writes->bounds[2 * at->range + 1];
	}
	return (int64_t)stored;
}
