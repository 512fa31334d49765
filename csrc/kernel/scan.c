/*
 * PAGEMAP_SCAN: ranges of pages by category, with empty tables skipped.
 *
 * One TiB reserved and untouched costs 0.1 ms, where reading its entries costs
 * 1.3 s. The kernel gives no PFN here, and asks for no capability.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "kernel/scan.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"

static_assert(sizeof(struct pm_region) == sizeof(struct pm_uapi_region), "the kernel fills ours");

/* Whether no page at all can match: then the kernel need not be asked. It could
 * not be told, either, because it inverts a category for mask and anyof alike. */
static int contradicts(const struct pm_query *query)
{
	return (query->all_of & query->none_of) ||
	       (query->any_of && !(query->any_of & ~query->none_of));
}

static uint64_t pages_in(const struct pm_region *regions, int64_t count)
{
	uint64_t bytes = 0;

	for (int64_t i = 0; i < count; i++)
		bytes += regions[i].end - regions[i].start;
	return bytes / (uint64_t)pm_sys_page_size();
}

int64_t pm_scan(int fd, const struct pm_query *query, uint64_t start, uint64_t end,
		struct pm_region *out, uint64_t capacity, uint64_t *next)
{
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.start = start,
		.end = end,
		.vec = (uint64_t)(uintptr_t)out,
		.vec_len = capacity,
		.max_pages = query->max_pages,
		.category_inverted = query->none_of,
		.category_mask = query->all_of | query->none_of,
		.category_anyof_mask = query->any_of & ~query->none_of,
		.return_mask = query->returned,
	};
	int found = 0;

	if (!capacity || start > end)
		return -EINVAL;
	if (start < end && !contradicts(query)) {
		do
			found = pm_sys_ioctl(fd, PM_UAPI_PAGEMAP_SCAN, &scan);
		while (found < 0 && errno == EINTR);
	}
	if (found < 0)
		return -errno;
	*next = end;

	/*
	 * walk_end is no proof that the walk ended: the kernel collects through
	 * a buffer of 512 regions, and with a longer vector walk_end can fall
	 * short of what was reported (seen on 6.18). What proves it is room
	 * left in the vector, when no limit of pages was met.
	 */
	if ((uint64_t)found == capacity ||
	    (query->max_pages && pages_in(out, found) >= query->max_pages)) {
		*next = scan.walk_end;
		if (found && out[found - 1].end > *next)
			*next = out[found - 1].end;
	}
	return found;
}
