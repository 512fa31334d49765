/* userfaultfd, to track writes: what is registered and protected reads as written after a write. */
#ifndef PM_KERNEL_USERFAULTFD_CDEF_H
#define PM_KERNEL_USERFAULTFD_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A userfaultfd of ours that tracks writes (WP_ASYNC), closed on exec; or -errno: -EINVAL where
 * the kernel cannot (before 6.7), -EPERM where it is forbidden. Faults of the kernel are none of
 * its business (USER_MODE_ONLY), so nobody needs a right for it; yet writes by the kernel are
 * seen, because WP_ASYNC resolves a fault without asking anyone.
 */
int32_t pm_uffd_open(void);

/*
 * Agree with the kernel upon a userfaultfd that was just made, by whomever: write tracking, and
 * nothing else. With events of fork or mremap the process would wait for a reader. Once for
 * each: 0 or -errno, as above; -EINVAL also where that was done before, -ENOTTY for another file.
 */
int32_t pm_uffd_agree(int32_t uffd);

/* Ranges to register: `count` pairs of addresses in bytes, start and end. */
struct pm_uffd_ranges {
	const uint64_t *bounds;
	const uint64_t *mappings; /* the bounds of the mapping that each lies in, as they were */
	uint64_t count;
	int32_t maps; /* /proc/PID/maps, open */
};

/*
 * Register ranges. errors[i] becomes 0 or the errno of range i: EBUSY is another userfaultfd's,
 * EPERM a shared file opened to be read only, EINVAL what cannot be tracked ([vdso]), EAGAIN a
 * mapping that has other bounds by now, or is gone. Returns the number of those registered.
 *
 * What is registered is a mapping of its own, so a part of one is split off. Where the process
 * then wants to move the whole, as realloc(3) does, mremap(2) fails: hence the look at the
 * bounds right before, which takes Linux 6.11.
 */
int64_t pm_uffd_register(int32_t uffd, const struct pm_uffd_ranges *ranges, int32_t *errors);

/* The reverse; what cannot be unregistered is gone, or not ours any more. Returns the number. */
int64_t pm_uffd_unregister(int32_t uffd, const uint64_t *bounds, uint64_t count);

/*
 * Protect all pages from address `start` up to `end`, those too that were never touched: of each of
 * these a mark is left in the page table. 0 or -errno: -ENOENT where a part is not registered.
 */
int32_t pm_uffd_protect(int32_t uffd, uint64_t start, uint64_t end);

#ifdef __cplusplus
}
#endif

#endif
