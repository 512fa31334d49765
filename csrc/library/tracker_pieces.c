/* The mappings as they are now, cut to what is tracked of them. */
#include <errno.h>
#include <stdint.h>

#include "kernel/procmap.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"
#include "library/process.h"
#include "library/tracker.h"

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

int32_t pm_tracked_next(const struct pm_tracker *tracker, struct pm_tracked_place *at,
			struct pm_tracked_piece *out)
{
	for (; at->span < tracker->count; at->span++) {
		const struct pm_tracked_span *span = &tracker->spans[at->span];
		const uint64_t from = larger(at->address, span->start);
		struct pm_vma vma;
		uint64_t within;
		int32_t error;

		if (from >= span->end)
			continue;
		error = pm_vma_from(tracker->process->maps, from, &vma);
		if (error && error != -ENOENT)
			return error;
		if (error || vma.start >= span->end) {
			pm_tracked_keep(tracker, at->span, from, span->end, 0);
			continue;
		}
		pm_tracked_keep(tracker, at->span, from, vma.start, 0);
		/* hugetlb is registered and protected by whole pages of it */
		within = vma.page_size - 1;
		*out = (struct pm_tracked_piece){
			.start = larger(from, vma.start) & ~within,
			.end = (smaller(vma.end, span->end) + within) & ~within,
			.mapping = { vma.start, vma.end },
			.span = at->span,
			.private_file = vma.inode && !(vma.flags & PM_UAPI_VMA_SHARED),
			.shared = !!(vma.flags & PM_UAPI_VMA_SHARED),
			.writable = !!(vma.flags & PM_UAPI_VMA_WRITABLE),
		};
		at->address = out->end;
		return 1;
	}
	return 0;
}

int32_t pm_tracked_already(const struct pm_tracker *tracker, const struct pm_tracked_piece *piece)
{
	struct pm_uapi_region page;
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.start = piece->start,
		.end = piece->end,
		.vec = (uint64_t)(uintptr_t)&page,
		.vec_len = 1,
		.max_pages = 1,
		.category_inverted = PM_UAPI_IS_WPALLOWED,
		.category_mask = PM_UAPI_IS_WPALLOWED,
		.return_mask = PM_UAPI_IS_WPALLOWED,
	};
	int found;

	do
		found = pm_sys_ioctl(tracker->process->pagemap, PM_UAPI_PAGEMAP_SCAN, &scan);
	while (found < 0 && errno == EINTR);
	return found < 0 ? -errno : !found;
}

int32_t pm_tracked_register(const struct pm_tracker *tracker, const struct pm_tracked_piece *piece)
{
	const uint64_t bounds[2] = { piece->start, piece->end };
	const struct pm_uffd_ranges ranges = {
		.bounds = bounds,
		.mappings = piece->mapping,
		.count = 1,
		.maps = tracker->process->maps,
	};
	int32_t error;

	pm_uffd_register(tracker->userfaultfd, &ranges, &error);
	return -error;
}
