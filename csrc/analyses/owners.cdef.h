/*
 * Who maps given frames: entries of one process compared with many PFNs.
 */
#ifndef PM_ANALYSES_OWNERS_CDEF_H
#define PM_ANALYSES_OWNERS_CDEF_H

#include <stdint.h>

#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The PFNs looked for, ascending and each once, and a filter that turns nearly all
 * others away: bit `pfn & filter_mask` of it is set for each of them. The mask is a
 * power of two less one, 63 or more; the filter has filter_mask + 1 bits.
 */
struct pm_wanted {
	const uint64_t *pfns;
	uint64_t count;
	uint64_t *filter;
	uint64_t filter_mask;
};

/* A page that maps a frame looked for: where in which span, and its entry. */
struct pm_sighting {
	uint64_t span;
	uint64_t vpn;
	uint64_t entry;
};

/* Fill the filter of *wanted, which is all zeros, from its PFNs. */
void pm_owners_filter(const struct pm_wanted *wanted);

/*
 * Find the pages from *from up to *to that map a wanted frame, in order, into `out`.
 * It has room for `capacity`, PM_READ_BLOCK or more; `scratch` holds PM_READ_BLOCK
 * entries. Returns their number or -errno: -ESRCH where the target is gone when all was
 * seen. *from becomes the place to go on: at or past *to when all was seen, before it
 * when `out` is full or a step was long; *seen the number of populated pages seen.
 */
int64_t pm_owners_find(const struct pm_source *source, const struct pm_wanted *wanted,
		       struct pm_place *from, const struct pm_place *to, uint64_t *scratch,
		       struct pm_sighting *out, uint64_t capacity, uint64_t *seen);

enum pm_order {
	PM_SAME = 0,
	PM_BEFORE = 1,
	PM_AFTER = 2,
};

/*
 * Whether two processes have one address space (threads, vfork, CLONE_VM): PM_SAME,
 * or in an order of the kernel's own, in which they can be sorted, PM_BEFORE or
 * PM_AFTER; or -errno: -ESRCH when one has ended, -ENOSYS without CONFIG_KCMP.
 */
int32_t pm_compare_memory(int32_t pid, int32_t other);

#ifdef __cplusplus
}
#endif

#endif
