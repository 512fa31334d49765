/* PAGEMAP_SCAN: ranges of pages by what they are, without reading their entries, as struct
 * pm_region, which is laid out as the kernel lays it out. */
#ifndef PM_KERNEL_SCAN_CDEF_H
#define PM_KERNEL_SCAN_CDEF_H

#include <stdint.h>

#include "include/pagemap.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Which pages to find: those with every category of `all_of`, none of `none_of`
 * and, unless it is 0, one at least of `any_of`. Categories are the bits of
 * flags.py. `returned` are those to report; neighbours alike in them are one
 * region. Asking for the category file costs the kernel a look at each frame.
 */
struct pm_query {
	uint64_t all_of;
	uint64_t any_of;
	uint64_t none_of;
	uint64_t returned;
	uint64_t max_pages; /* stop after so many pages found; 0: never */
};

/*
 * Find regions from address `start` up to `end`, both multiples of the page
 * size: at most `capacity` (1 or more) into `out`.
 *
 * Returns their number or -errno: -ENOTTY where the kernel has no PAGEMAP_SCAN
 * (6.7), -EINVAL for a category that it does not know, -EFAULT when `end` lies
 * past the address space. *next becomes where to go on: `end` when all was
 * seen. A region may end where the next call's first begins, with the same
 * categories: merging over calls is the caller's. The range is walked under the
 * target's mmap_lock, held for reading.
 */
int64_t pm_scan(int fd, const struct pm_query *query, uint64_t start, uint64_t end,
		struct pm_region *out, uint64_t capacity, uint64_t *next);

#ifdef __cplusplus
}
#endif

#endif
