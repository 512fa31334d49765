/*
 * Written pages by PAGEMAP_SCAN: those whose write protection was lifted.
 *
 * What these scans must and must not ask for:
 *
 *  - WPALLOWED: elsewhere everything reads as written. With PM_SCAN_CHECK_WPASYNC a single
 *    mapping that is not tracked would make the scan of the whole fail.
 *  - PRESENT or SWAPPED: a page that was written may be in swap by now, and what was never
 *    touched reads as written, too. Protecting that would make page tables for it.
 *  - not the zero page, which was read, unless the page was populated: see below; and in
 *    private memory of a file not FILE: a write makes a copy of such a page, so it would be
 *    of the file no more.
 *  - to find and to protect are one call: between two, writes would be lost.
 *
 * Where it is known what was populated, and protected, holes are looked for in the same call: of a
 * page of a file, or of shared memory, the kernel leaves no entry when it evicts it, but a mark
 * where it was protected. So a hole there was written. In two calls a page that comes back between
 * them would be in neither. A hole that was found gets such a mark. Some kernels call all holes
 * written, so that the scan marks them, those too that were never populated: these are known from
 * then on. A scan never protects guard regions, whose bit would stay for ever.
 *
 * Of private memory the zero page may take the place of a page that zeros were written to: where
 * the kernel splits a huge page (6.12, b1f202060afe), or KSM merges such pages. Some
 * kernels forget its protection then. So there it was written, as far as we know; or it was thrown away
 * and read, and its bytes are others, too. A page that was not populated had zeros before.
 */
#include <errno.h>
#include <stdint.h>

#include "history/writes_look.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"

enum {
	NEAR = 1 << 21,	 /* bytes of holes that cost less than another call */
	STRETCHES = 512, /* of populated pages in one call, at most */
};

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
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

/* What one call looks at, and how many stretches of it were populated; 0: none, or not known. */
struct part {
	uint64_t start;
	uint64_t end;
	uint64_t stretches;
};

/* With `most` stretches, 1 or more; of one there is nothing but that. */
static struct part part_of(const struct pm_writes *writes, const struct pm_writes_known *known,
			   const struct pm_writes_place *at, uint64_t most)
{
	const uint64_t range = at->range, end = writes->bounds[2 * range + 1];
	struct part part = { larger(writes->bounds[2 * range], at->address), end, 0 };
	uint64_t next = end;

	if (known && part.start < end)
		next = known->first(known->state, range, part.start, end, 1);
	if (next == end)
		return part;
	if (next > part.start && (most == 1 || next - part.start >= NEAR)) {
		part.end = next;
		return part;
	}
	do {
		part.end = known->first(known->state, range, next, end, 0);
		part.stretches++;
		next = known->first(known->state, range, part.end, end, 1);
	} while (next < end && next - part.end < NEAR && part.stretches < most);
	return part;
}

/* Regions stored behind each other; those that touch and are alike are joined. */
static void store(struct pm_region *out, uint64_t *stored, const struct pm_region *region)
{
	const uint64_t count = *stored;

	if (count && out[count - 1].categories == region->categories &&
	    out[count - 1].end == region->start) {
		out[count - 1].end = region->end;
		return;
	}
	out[count] = *region;
	*stored = count + 1;
}

/* Store the parts of a hole: populated ones, and where the scan `marked` it, the others too. */
static void store_hole(const struct pm_writes *writes, const struct pm_writes_known *known,
		       const struct pm_region *hole, int marked, struct pm_region *out,
		       uint64_t *stored)
{
	const uint64_t range = hole->categories;
	struct pm_region part = { .end = hole->start };

	while (part.end < hole->end) {
		const uint64_t at = part.end;
		const uint64_t next = known->first(known->state, range, at, hole->end, 1);
		const int gone = next == at;

		part.start = at;
		part.end = gone ? known->first(known->state, range, at, hole->end, 0) : next;
		part.categories = range + (gone ? 1 : 2) * writes->count;
		if (gone || marked)
			store(out, stored, &part);
	}
}

/* Mark what is gone and has no mark yet. A write before that is in this round; and what is unmapped
 * by now is new in the next. */
static void mark_gone(const struct pm_writes_known *known, const struct pm_region *hole)
{
	uint64_t start, end;

	for (uint64_t at = hole->start; at < hole->end; at = end) {
		start = known->first(known->state, hole->categories, at, hole->end, 1);
		if (start == hole->end)
			break;
		end = known->first(known->state, hole->categories, start, hole->end, 0);
		pm_uffd_protect(known->userfaultfd, start, end);
	}
}

/* Store what was written of private memory; of zero pages those that were populated. */
static void store_written(const struct pm_writes_known *known, uint64_t range,
			  struct pm_region found, struct pm_region *out, uint64_t *stored)
{
	const int zeros = !!(found.categories & PM_UAPI_IS_PFNZERO);
	struct pm_region part = { .end = found.start, .categories = range };

	while (part.end < found.end) {
		part.start = part.end;
		if (zeros)
			part.start = known->first(known->state, range, part.end, found.end, 1);
		if (part.start == found.end)
			return;
		part.end = found.end;
		if (zeros)
			part.end = known->first(known->state, range, part.start, found.end, 0);
		store(out, stored, &part);
	}
}

/* Store what a scan for holes has found: holes, what is written, and what is neither. */
static void store_any(const struct pm_writes *writes, const struct pm_writes_known *known,
		      enum pm_writes_step step, uint64_t range, struct pm_region found,
		      struct pm_region *out, uint64_t *stored)
{
	const int hole = !(found.categories & (PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED));
	const int written = !!(found.categories & PM_UAPI_IS_WRITTEN);
	const int collects = step == PM_WRITES_COLLECT;

	found.categories = range;
	if (hole) {
		if (collects && !written)
			mark_gone(known, &found);
		store_hole(writes, known, &found, collects && written, out, stored);
	} else if (written) {
		store(out, stored, &found);
	}
}

static struct pm_uapi_scan scan_of_part(const struct pm_writes *writes, uint64_t range,
					const struct part *part, enum pm_writes_step step)
{
	struct pm_uapi_scan scan = scan_of(writes, range);

	scan.start = part->start;
	scan.end = part->end;
	if (step != PM_WRITES_POPULATED && part->stretches && writes->shared[range]) {
		scan.category_inverted |= PM_UAPI_IS_PRESENT;
		scan.category_mask |= PM_UAPI_IS_WPALLOWED;
		scan.category_anyof_mask = PM_UAPI_IS_WRITTEN | PM_UAPI_IS_PRESENT;
		scan.return_mask |= PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED;
	} else if (step != PM_WRITES_POPULATED) {
		scan.category_mask |= PM_UAPI_IS_WPALLOWED | PM_UAPI_IS_WRITTEN;
		if (part->stretches) {
			scan.category_inverted &= ~(uint64_t)PM_UAPI_IS_PFNZERO;
			scan.category_mask &= ~(uint64_t)PM_UAPI_IS_PFNZERO;
			scan.return_mask |= PM_UAPI_IS_PFNZERO;
		}
	}
	if (step == PM_WRITES_COLLECT)
		scan.flags = PM_UAPI_SCAN_WP_MATCHING;
	return scan;
}

int64_t pm_writes_look(const struct pm_writes *writes, const struct pm_writes_known *known,
		       enum pm_writes_step step, struct pm_writes_place *at, struct pm_region *out,
		       uint64_t capacity)
{
	uint64_t stored = 0;

	if (!out || !capacity)
		return -EINVAL;
	while (at->range < writes->count && stored < capacity) {
		const uint64_t left = capacity - stored;
		const uint64_t most = left < 8 ? 1 : smaller(left / 4, STRETCHES);
		const struct part part = part_of(writes, known, at, most);
		struct pm_uapi_scan scan = scan_of_part(writes, at->range, &part, step);
		/*
		 * K regions and S stretches make less than 2 (K + S) parts, of one stretch K. What
		 * the kernel finds lies so far behind that it is not overwritten unread.
		 */
		const uint64_t fit = most > 1 && part.stretches ? (left + 1) / 2 - part.stretches
								: left;
		const struct pm_region *got = out + stored + (left - fit);
		int64_t found = 0;

		scan.vec = (uint64_t)(uintptr_t)got;
		scan.vec_len = fit;
		if (scan.start < scan.end)
			found = run(writes, &scan);
		if (found < 0)
			return found;
		at->address = scan.end;
		/* walk_end alone may fall short of what was reported (see scan.c) */
		if ((uint64_t)found == scan.vec_len)
			at->address = larger(scan.walk_end, got[found - 1].end);
		for (int64_t i = 0; i < found; i++) {
			struct pm_region each = got[i];

			if (!part.stretches) {
				each.categories = at->range;
				store(out, &stored, &each);
			} else if (writes->shared[at->range]) {
				store_any(writes, known, step, at->range, each, out, &stored);
			} else {
				store_written(known, at->range, each, out, &stored);
			}
		}
		at->range += at->address >= writes->bounds[2 * at->range + 1];
	}
	return (int64_t)stored;
}

int64_t pm_writes_next(const struct pm_writes *writes, enum pm_writes_step step,
		       struct pm_writes_place *at, struct pm_region *out, uint64_t capacity)
{
	return pm_writes_look(writes, NULL, step, at, out, capacity);
}
