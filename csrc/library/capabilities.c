/*
 * What the kernel and our rights allow, found by trying: see pagemap.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif

#include <errno.h>
#include <stdint.h>

#include "include/pagemap.h"
#include "kernel/core.h"
#include "kernel/probe.cdef.h"
#include "kernel/procmap.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "library/process.h"
#include "library/sized.h"

enum { FIRST_CAPABILITIES = 32 }; /* pm_capabilities of the first release, in bytes */

static const char OWN[] = "/proc/self/pagemap";

static void tell(struct pm_capabilities *found, uint64_t what, uint64_t there)
{
	found->known |= what;
	found->can |= there ? what : 0;
}

/* The flags of entries that this kernel sets, by a page of ours. */
static void try_entries(struct pm_capabilities *found)
{
	uint64_t told;

	if (pm_probe_told(OWN, &told))
		return;
	tell(found, PM_CAN_SOFT_DIRTY, told & PM_BIT(PM_SOFT_DIRTY_BIT));
	tell(found, PM_CAN_EXCLUSIVE, told & PM_BIT(PM_EXCLUSIVE_BIT));
	tell(found, PM_CAN_GUARD, told & PM_BIT(PM_GUARD_BIT));
}

/* Whether no filter of system calls is there, which may kill who makes an unusual one. */
static int unfiltered(void)
{
	const int fd = pm_sys_open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int64_t found;

	if (fd < 0)
		return 0;
	found = pm_status_number(fd, "Seccomp:");
	pm_sys_close(fd);
	return found == 0;
}

/* What takes a userfaultfd. */
static void try_userfaultfd(struct pm_capabilities *found)
{
	/* a tracker looks at the bounds of mappings right before it registers a part of one */
	const uint64_t needed = PM_CAN_SCAN | PM_CAN_QUERY_MAPS;
	uint64_t features = 0;
	int32_t result;

	if (!unfiltered())
		return;
	result = pm_probe_uffd_wp(OWN);
	if (result >= 0)
		tell(found, PM_CAN_UFFD_WP, (uint64_t)result);
	result = pm_probe_userfaultfd(&features);
	if (!result || result == -ENOSYS)
		tell(found, PM_CAN_TRACK,
		     (found->can & needed) == needed ? features & PM_UAPI_UFFD_FEATURE_WP_ASYNC
						     : 0);
}

/* Whether a file about frames can be read, in the proc that the folder of the process is of. */
static void try_frames(const struct pm_process *process, const char *name, uint64_t what,
		       struct pm_capabilities *found)
{
	const int fd = pm_sys_open_entry(process->folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const int error = fd < 0 ? errno : 0;

	if (fd >= 0)
		pm_sys_close(fd);
	if (!error || error == EACCES || error == EPERM || error == ENOENT)
		tell(found, what, error == 0);
}

/* What is found by the files of the process itself: 0 or -errno. */
static int32_t try_process(const struct pm_process *process, struct pm_capabilities *found)
{
	struct pm_vma vma;
	const int64_t pages = pm_end(process->pagemap, process->page_shift);
	int32_t error;

	if (pages <= 0)
		return pages ? (int32_t)pages : -ESRCH;
	found->end = (uint64_t)pages << process->page_shift;
	error = pm_probe_scan(process->pagemap, PM_UAPI_IS_GUARD);
	if (!error || error == -EINVAL || error == -ENOTTY)
		tell(found, PM_CAN_SCAN_GUARD, error == 0);
	error = pm_vma_at(process->maps, 0, &vma);
	if (!error || error == -ENOENT || error == -ENOTTY) /* nothing is there, but it was found */
		tell(found, PM_CAN_QUERY_MAPS, error != -ENOTTY);
	return 0;
}

static int32_t find_capabilities(const struct pm_process *process, struct pm_capabilities *found)
{
	int32_t error = pm_process_check(process);

	if (error)
		return error;
	if (!process->kernel_thread)
		error = try_process(process, found);
	if (error)
		return error;
	try_entries(found);
	try_userfaultfd(found);
	try_frames(process, "../kpageflags", PM_CAN_FRAME_FLAGS, found);
	try_frames(process, "../kpagecount", PM_CAN_FRAME_COUNTS, found);
	return 0;
}

int32_t pm_process_capabilities(struct pm_process *process, struct pm_capabilities *out)
{
	const int before = errno;
	struct pm_capabilities found = { .size = sizeof(found) };
	int32_t error = process ? pm_sized_check(FIRST_CAPABILITIES, out) : -EINVAL;

	if (!error) {
		found.page_shift = process->page_shift;
		found.known = process->known;
		found.can = process->can;
		error = find_capabilities(process, &found);
	}
	if (!error)
		pm_sized_out(&found, sizeof(found), out);
	errno = before;
	return error;
}
