/*
 * A process is opened, closed, and asked whether it is still what was opened: see pagemap.h.
 * What identity is, identity.c knows.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/pagemap.h"
#include "kernel/probe.cdef.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "kernel/task.h"
#include "library/process.h"
#include "library/sized.h"

enum { FIRST_OPTIONS = 16 + sizeof(void *) }; /* pm_open_options of the first release, in bytes */

static const int PINNED = O_PATH | O_DIRECTORY | O_CLOEXEC;

/* proc: its descriptor, or -EINVAL where it is none. */
static int32_t open_proc(const char *procfs)
{
	const int proc = pm_sys_open(procfs ? procfs : "/proc", PINNED);
	int32_t error;
	int self;

	if (proc < 0)
		return errno == ENOENT || errno == ENOTDIR ? -EINVAL : -errno;
	/* it leads nowhere for who is in no namespace of this proc, but it is there */
	self = pm_sys_open_entry(proc, "self", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (self >= 0) {
		pm_sys_close(self);
		return proc;
	}
	error = errno == ENOENT ? -EINVAL : -errno;
	pm_sys_close(proc);
	return error;
}

/*
 * Whether the process whose folder was opened before this is that of a pidfd: 0, -ESRCH, or
 * another -errno. The pidfd keeps the pid from being reused until the process is reaped, so what is
 * there now was there when the folder was opened.
 */
static int32_t check_pidfd(int proc, int pidfd, int32_t pid)
{
	char name[sizeof("self/fdinfo/") + 11] = "self/fdinfo/";
	int64_t found;
	int about;

	if (pidfd < 0)
		return -EBADF;
	pm_task_digits(name + strlen(name), pidfd);
	about = pm_sys_open_entry(proc, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (about < 0)
		return errno == ENOENT ? -EBADF : -errno;
	found = pm_status_number(about, "Pid:");
	pm_sys_close(about);
	if (found < 0) /* without such a line it is no pidfd */
		return found == -ENOENT ? -EBADF : (int32_t)found;
	if (found != pid)
		return -ESRCH;
	/* a process that may not be sent a signal is there */
	return pm_sys_pidfd_check(pidfd) < 0 && errno != EPERM ? -errno : 0;
}

/* The folder of a process: its descriptor, or -errno. */
static int32_t open_folder(int32_t pid, const struct pm_open_options *options)
{
	const int32_t proc = open_proc(options->procfs);
	char name[12];
	int32_t folder, error = 0;

	if (proc < 0)
		return proc;
	pm_task_digits(name, pid);
	folder = pm_sys_open_entry(proc, name, PINNED);
	if (folder < 0)
		error = errno == ENOENT ? -ESRCH : -errno;
	else if (options->flags & PM_OPEN_PIDFD)
		error = check_pidfd(proc, options->pidfd, pid);
	pm_sys_close(proc);
	if (error && folder >= 0)
		pm_sys_close(folder);
	return error ? error : folder;
}

/* What an error of opening means to a caller who is not told at which step it was. */
static int32_t meaning_of(const struct pm_process *process, int32_t error,
			  const struct pm_process_failure *failure)
{
	if (error == -ENOENT)
		return failure->step == PM_STEP_PAGEMAP ? -ENOENT : -ESRCH;
	return pm_task_error(process->folder, failure->thread, error);
}

/* A byte that is 1 here and 0 in a child of fork; NULL where the kernel has no such memory. */
static void *new_mark(void)
{
	const size_t size = (size_t)pm_sys_page_size();
	unsigned char *mark = pm_sys_map_page(size);

	if (mark == MAP_FAILED)
		return NULL;
	if (pm_sys_madvise(mark, size, PM_UAPI_MADV_WIPEONFORK) < 0) {
		pm_sys_unmap(mark, size);
		return NULL;
	}
	*mark = 1;
	return mark;
}

static void close_all(struct pm_process *process)
{
	pm_sys_close(process->folder);
	if (process->pagemap >= 0)
		pm_sys_close(process->pagemap);
	if (process->maps >= 0)
		pm_sys_close(process->maps);
	if (process->mark)
		pm_sys_unmap(process->mark, (size_t)pm_sys_page_size());
}

/*
 * Whether its pagemap shows PFNs: 0 or -errno. The kernel judged the rights of the moment of
 * opening, which may be dropped later. Without a pagemap of our own nothing vouches for a PFN.
 */
static int32_t find_pfns(struct pm_process *process)
{
	int32_t pfns = process->kernel_thread ? 0 : pm_probe_pfns("/proc/self/pagemap");

	if (pfns == -ENOENT || pfns == -EACCES || pfns == -EPERM || pfns == -ENODATA)
		pfns = 0;
	process->known |= PM_CAN_PFNS;
	process->can |= pfns > 0 ? PM_CAN_PFNS : 0;
	return pfns < 0 ? pfns : 0;
}

/* Everything of it: 0, or -errno, and then nothing is left open. */
static int32_t open_all(int32_t pid, const struct pm_open_options *options,
			struct pm_process *process)
{
	const int32_t folder = open_folder(pid, options);
	struct pm_process_failure failure;
	int32_t error;

	if (folder < 0)
		return folder;
	error = pm_process_open_below(pid, folder, 0, process, &failure);
	error = error ? meaning_of(process, error, &failure) : find_pfns(process);
	if (!error && process->owner)
		process->mark = new_mark();
	if (error)
		close_all(process);
	return error;
}

static int32_t open_new(int32_t pid, const struct pm_open_options *options, struct pm_process **out)
{
	struct pm_open_options ours = { .size = sizeof(ours) };
	struct pm_process *process;
	int32_t error;

	if (pid <= 0 || !out)
		return -EINVAL;
	error = options ? pm_sized_in(&ours, sizeof(ours), FIRST_OPTIONS, options) : 0;
	if (error || (ours.flags & ~(uint32_t)PM_OPEN_PIDFD) || ours.reserved)
		return -EINVAL;
	process = malloc(sizeof(*process));
	if (!process)
		return -ENOMEM;
	error = open_all(pid, &ours, process);
	if (error)
		free(process);
	else
		*out = process;
	return error;
}

int32_t pm_process_open(int32_t pid, const struct pm_open_options *options, struct pm_process **out)
{
	const int before = errno;
	const int32_t error = open_new(pid, options, out);

	errno = before;
	return error;
}

void pm_process_close(struct pm_process *process)
{
	const int before = errno;

	if (!process)
		return;
	close_all(process);
	free(process);
	errno = before;
}

int32_t pm_process_pid(const struct pm_process *process)
{
	return process ? process->pid : -EINVAL;
}

int32_t pm_process_check(const struct pm_process *process)
{
	const int before = errno;
	struct pm_process_failure failure;
	int32_t error = pm_process_usable(process), thread;

	if (!error) {
		thread = process->thread;
		error = pm_process_look(process, PM_LOOK_MEMORY | PM_LOOK_IMAGE, &thread, &failure);
	}
	errno = before;
	return error;
}

int32_t pm_process_fileno(const struct pm_process *process)
{
	return pm_process_pagemap(process);
}
