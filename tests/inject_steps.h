/*
 * The seam of csrc/kernel/sys_trace.h: the real kernel, with a step before and after each call
 * that may mean something to the target. At one of them something happens (inject_killed.c).
 */
#ifndef INJECT_STEPS_H
#define INJECT_STEPS_H

/* the real ones, under other names */
#undef PM_SYS_TRACE_HEADER
#undef PM_SYS_TRACE_H
#define pm_sys_ptrace	    real_ptrace
#define pm_sys_trace_stop   real_trace_stop
#define pm_sys_pidfd_open   real_pidfd_open
#define pm_sys_pidfd_getfd  real_pidfd_getfd
#define pm_sys_open_below   real_open_below
#define pm_sys_read_link    real_read_link
#define pm_sys_read_memory  real_read_memory
#define pm_sys_kill	    real_kill
#define pm_sys_helper_begin real_helper_begin
#include "kernel/sys_trace.h"
#undef pm_sys_ptrace
#undef pm_sys_trace_stop
#undef pm_sys_pidfd_open
#undef pm_sys_pidfd_getfd
#undef pm_sys_open_below
#undef pm_sys_read_link
#undef pm_sys_read_memory
#undef pm_sys_kill
#undef pm_sys_helper_begin

/* Count a step, by the helper; at the one that was chosen, kill who was. */
void step(void);
/* Whether the thread is to be seen as one that has not stopped. */
int unseen(void);
/* Whether a call of this name is to wait longer than anybody has patience. */
int waits(const char *what);

static inline long pm_sys_ptrace(int request, int tid, uintptr_t address, uintptr_t data)
{
	long result;

	step();
	result = real_ptrace(request, tid, address, data);
	step();
	return result;
}

/* How often it is asked in vain differs from run to run. */
static inline int pm_sys_trace_stop(int tid, int *status)
{
	const int got = unseen() ? 0 : real_trace_stop(tid, status);

	if (got > 0)
		step();
	return got;
}

static inline int pm_sys_pidfd_open(int thread, int pid)
{
	const int fd = real_pidfd_open(thread, pid);

	step();
	return fd;
}

static inline int pm_sys_pidfd_getfd(int pidfd, int fd)
{
	const int got = real_pidfd_getfd(pidfd, fd);

	step();
	return got;
}

static inline int pm_sys_open_below(int folder, const char *path)
{
	const int fd = real_open_below(folder, path);

	step();
	return fd;
}

static inline ssize_t pm_sys_read_link(const char *path, char *out, size_t capacity)
{
	const ssize_t size = real_read_link(path, out, capacity);

	step();
	return size;
}

static inline ssize_t pm_sys_read_memory(int tid, uint64_t address, void *out, size_t size)
{
	if (waits("memory"))
		usleep(1000000);
	return real_read_memory(tid, address, out, size);
}

static inline void pm_sys_kill(int child)
{
	if (!waits("memory"))
		real_kill(child);
}

static inline void pm_sys_helper_begin(void)
{
	step();
	real_helper_begin();
	step();
}

#endif
