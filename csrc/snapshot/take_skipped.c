/*
 * What PAGEMAP_SCAN passes over though its entries say something (pagemap_scan_test_walk, and
 * walk_page_test for who reads): one mark for all of a mapping, so its first page tells.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "snapshot/take.cdef.h"

/* Whether a scan passes over this page. Returns 1, 0 or -errno. */
static int is_skipped(int32_t fd, uint32_t page_shift, uint64_t vpn)
{
	const struct pm_query query = {
		.any_of = PM_UAPI_IS_SOFT_DIRTY,
		.returned = PM_UAPI_IS_SOFT_DIRTY,
	};
	struct pm_region found;
	uint64_t entry, next;
	int64_t got = pm_read(fd, vpn, 1, &entry);

	/* most have a page there, or no mark: that costs no scan */
	if (got <= 0 || entry != PM_BIT(PM_SOFT_DIRTY_BIT))
		return (int)got < 0 ? (int)got : 0;
	got = pm_scan(fd, &query, vpn << page_shift, (vpn + 1) << page_shift, &found, 1, &next);
	return got < 0 ? (int)got : !got;
}

int64_t pm_take_skipped(int32_t fd, uint32_t page_shift, struct pm_range *spans, uint64_t count)
{
	uint64_t kept = 0;

	for (uint64_t i = 0; i < count; i++) {
		const int skipped = is_skipped(fd, page_shift, spans[i].vpn);

		if (skipped < 0)
			return skipped;
		if (skipped)
			spans[kept++] = spans[i];
	}
	return (int64_t)kept;
}
