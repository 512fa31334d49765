/* What the functions of the library ask of an open process before they read it. */
#ifndef PM_LIBRARY_PROCESS_H
#define PM_LIBRARY_PROCESS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/sys.h"
#include "library/process.cdef.h"

/* 0 where this is an open process, -EINVAL for none, -ECHILD for oneself in a child of fork. */
static inline int32_t pm_process_usable(const struct pm_process *process)
{
	if (!process)
		return -EINVAL;
	if (process->mark) /* for less than the price of a system call */
		return *(const volatile unsigned char *)process->mark ? 0 : -ECHILD;
	return process->owner && process->owner != pm_sys_pid() ? -ECHILD : 0;
}

/* Its pagemap, or as above, or -ENXIO for a thread of the kernel. */
static inline int32_t pm_process_pagemap(const struct pm_process *process)
{
	const int32_t error = pm_process_usable(process);

	if (error)
		return error;
	return process->kernel_thread ? -ENXIO : process->pagemap;
}

#endif
