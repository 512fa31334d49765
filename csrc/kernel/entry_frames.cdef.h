/* What entries do not tell of their pages, and the words of the frames do. */
#ifndef PM_KERNEL_ENTRY_FRAMES_CDEF_H
#define PM_KERNEL_ENTRY_FRAMES_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Make bit 56 of `count` entries, of pages from `vpn` on, what /proc/kpagecount says
 * (mapped once), for those that a PMD may map as one: there the kernel gives each
 * of them the bit of the first (Linux 6.15 on). Such entries are alike but for PFNs
 * in a row; all others keep their bit, which is right. With hidden PFNs nothing is
 * changed. Returns the number of entries looked up, or -errno.
 */
int64_t pm_exclusive_by_count(int mapcounts, uint64_t vpn, uint64_t *entries, uint64_t count,
			      uint32_t page_shift);

/*
 * How many of `count` entries, of pages from `vpn` on, are of the page of zeros, huge
 * or not, by /proc/kpageflags, or -errno; *marked becomes how many of them have bit 61.
 * For kernels whose scans do not tell.
 */
int64_t pm_zero_pages(int flags, uint64_t vpn, const uint64_t *entries, uint64_t count,
		      uint32_t page_shift, uint64_t *marked);

#ifdef __cplusplus
}
#endif

#endif
