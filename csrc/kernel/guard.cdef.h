/* Who stops another process must have it go on again, also where he is killed meanwhile. */
#ifndef PM_KERNEL_GUARD_CDEF_H
#define PM_KERNEL_GUARD_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Make a child that has the process of `pidfd` (a pidfd, or an open /proc/PID) go on as soon as
 * *held is closed or this process ends, whoever was forked with *held meanwhile. Returns the
 * child's pid or -errno. It is a copy of the caller, page tables and all, but for descriptors, of
 * which it keeps none but its own: let it live for moments.
 */
int32_t pm_guard_begin(int32_t pidfd, int32_t *held);

/* Send the child away, which does nothing any more, and wait for its end. Closes `held`. */
void pm_guard_end(int32_t child, int32_t held);

#ifdef __cplusplus
}
#endif

#endif
