/* See guard.cdef.h. */
#include <errno.h>
#include <stdint.h>

#include "kernel/guard.cdef.h"
#include "kernel/sys.h"

int32_t pm_guard_begin(int32_t pidfd, int32_t *held)
{
	int hold;
	const int child = pm_sys_child_continues(pidfd, &hold);

	if (child < 0)
		return -errno;
	*held = hold;
	return child;
}

void pm_guard_end(int32_t child, int32_t held)
{
	pm_sys_dismiss_child(child, held);
}
