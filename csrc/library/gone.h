/* What the reading functions of the library ask of addresses, and where they found less than asked. */
#ifndef PM_LIBRARY_GONE_H
#define PM_LIBRARY_GONE_H

#include <errno.h>
#include <stdint.h>

#include "include/pagemap.h"
#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "library/process.cdef.h"

/* Whether a page begins at `address`. */
static inline int pm_is_page(const struct pm_process *process, uint64_t address)
{
	return !(address & (PM_BIT(process->page_shift) - 1));
}

/*
 * The page before which a walk up to address `end` is to stop: that of `end`, or the first past the
 * address space, where a scan is refused and reading would go through terabytes; or -errno.
 */
static inline int64_t pm_end_within(const struct pm_process *process, uint64_t end)
{
	const uint64_t last = end >> process->page_shift;
	uint64_t entry;
	const int64_t got = last ? pm_read(process->pagemap, last - 1, 1, &entry) : 1;

	if (!got)
		return pm_end(process->pagemap, process->page_shift);
	return got < 0 ? got : (int64_t)last;
}

/*
 * What to return where a read gave `got`, which is -errno, or less than there could be: why the
 * process is gone, unless it is there.
 */
static inline int64_t pm_or_gone(const struct pm_process *process, int64_t got)
{
	const int32_t error = got == -ESRCH || got >= 0 ? pm_process_check(process) : 0;

	return error ? error : got;
}

/* The same at the end of a walk, which finds nothing in an address space that is gone: `got` stands
 * where that is there. */
static inline int64_t pm_unless_gone(const struct pm_process *process, int64_t got)
{
	int32_t alive, error;

	if (got < 0)
		return pm_or_gone(process, got);
	alive = pm_alive(process->pagemap);
	if (alive > 0)
		return got;
	error = alive < 0 ? alive : pm_process_check(process);
	return error ? error : -ESRCH;
}

#endif
