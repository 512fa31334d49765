/*
 * The seam to the kernel for what traces another process, beside sys.h: replaceable by a
 * test in the same way, with -DPM_SYS_TRACE_HEADER.
 */
#ifndef PM_SYS_TRACE_H
#define PM_SYS_TRACE_H

#ifdef PM_SYS_TRACE_HEADER
#include PM_SYS_TRACE_HEADER
#else

/* for clone, before any header of the C library */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The kernel's own ptrace, whose PEEK requests store the word at `data`. */
static inline long pm_sys_ptrace(int request, int tid, uintptr_t address, uintptr_t data)
{
	return syscall(SYS_ptrace, (long)request, (long)tid, address, data);
}

/*
 * How a traced thread has stopped, without waiting for it: the signal, and the event above
 * its eight bits. Returns 1, or 0 while it runs, or -1. The stop is looked at and not taken
 * note of: then the signal in it is not lost where the tracer is killed (wait_task_stopped in
 * kernel/exit.c would clear it).
 */
static inline int pm_sys_trace_stop(int tid, int *status)
{
	siginfo_t about;

	about.si_pid = 0;
	if (syscall(SYS_waitid, P_PID, tid, &about, WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL,
		    NULL) < 0)
		return -1;
	if (!about.si_pid)
		return 0;
	if (about.si_code != CLD_TRAPPED && about.si_code != CLD_STOPPED) {
		errno = ESRCH;
		return -1;
	}
	*status = about.si_status;
	return 1;
}

/* Sleep until a SIGCHLD comes, which is blocked, and at most for so long. */
static inline void pm_sys_trace_sleep(long nanoseconds)
{
	const struct timespec most = { nanoseconds / 1000000000, nanoseconds % 1000000000 };
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigtimedwait(&children, NULL, &most);
}

/* A thread's (Linux 6.9), else that of the process: SYS_pidfd_open, which old headers lack. */
static inline int pm_sys_pidfd_open(int thread, int pid)
{
	const int fd = (int)syscall(434, thread, O_EXCL); /* PIDFD_THREAD */

	return fd < 0 && errno == EINVAL ? (int)syscall(434, pid, 0) : fd;
}

static inline int pm_sys_pidfd_getfd(int pidfd, int fd)
{
	return (int)syscall(438, pidfd, fd, 0); /* SYS_pidfd_getfd */
}

static inline int pm_sys_open_below(int folder, const char *path)
{
	return openat(folder, path, O_RDONLY | O_CLOEXEC);
}

/* What the kernel calls an open file, without a NUL; the size, or -1. */
static inline ssize_t pm_sys_read_link(const char *path, char *out, size_t capacity)
{
	return readlink(path, out, capacity);
}

/* Block all signals, those of the C library's own too; and put back what was blocked before. */
static inline void pm_sys_block_signals(uint64_t *before)
{
	const uint64_t all = ~UINT64_C(0);

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, before, sizeof(all));
}

static inline void pm_sys_restore_signals(const uint64_t *before)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(*before));
}

/*
 * A process that shares our memory and our descriptors, and calls `run` on another stack;
 * this thread waits until it has ended. It is not of our thread group, nor its end told by
 * a signal: a SIGKILL that ends us leaves it to finish. Its id, or -1.
 */
static inline int pm_sys_helper(int (*run)(void *), void *stack_end, void *argument)
{
	return clone(run, stack_end, CLONE_VM | CLONE_VFORK | CLONE_FILES, argument);
}

/*
 * As above, but this thread goes on, and descriptors are its own. *living is its id until it has
 * ended, however it does. Signals are blocked as here, so only SIGKILL ends it.
 */
static inline int pm_sys_reader(int (*run)(void *), void *stack_end, void *argument,
				volatile int *living)
{
	return clone(run, stack_end, CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		     argument, living, NULL, living);
}

/* In the reader: close all that it has of our descriptors (SYS_close_range, of Linux 5.9). */
static inline void pm_sys_reader_begin(void)
{
	syscall(436, 0, ~0u, 0);
}

/* Wait while *word is `value`, about so long: errno is not to be trusted beside a reader. */
static inline void pm_sys_wait_word(volatile int *word, int value, uint64_t nanoseconds)
{
	const struct timespec most = { (time_t)(nanoseconds / 1000000000),
				       (long)(nanoseconds % 1000000000) };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &most, NULL, 0);
}

static inline void pm_sys_kill(int child)
{
	kill(child, SIGKILL);
}

/* Bytes of another thread's memory; how many, or -1. This may wait for ever. */
static inline ssize_t pm_sys_read_memory(int tid, uint64_t address, void *out, size_t size)
{
	const struct iovec here = { out, size };
	const uintptr_t there[] = { (uintptr_t)address, size }; /* an iovec, too */

	return syscall(SYS_process_vm_readv, tid, &here, 1, there, 1, 0);
}

/* How a helper ended, as of wait(2). */
static inline int pm_sys_helper_end(int helper)
{
	int status = 0;

	while (waitpid(helper, &status, __WALL) < 0 && errno == EINTR)
		;
	return status;
}

/*
 * In the helper: out of reach of signals that are sent to the group of its parent; told of
 * its children; and, where that is allowed, not kept waiting by others who want to run.
 */
static inline void pm_sys_helper_begin(void)
{
	struct sched_param lowest;

	setsid();
	signal(SIGCHLD, SIG_DFL);
	lowest.sched_priority = 1;
	syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &lowest);
}

/* In the helper: run on this processor alone, if that is allowed. */
static inline void pm_sys_helper_stay(int64_t processor)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	if (processor >= 0 && processor < CPU_SETSIZE) {
		CPU_SET((size_t)processor, &one);
		syscall(SYS_sched_setaffinity, 0, sizeof(one), &one);
	}
}

/* From now on the helper is ended by SIGALRM, unless within so many nanoseconds this is undone by 0. */
static inline void pm_sys_helper_limit(uint64_t nanoseconds)
{
	const struct itimerval most = {
		{ 0, 0 },
		{ (time_t)(nanoseconds / 1000000000),
		  (suseconds_t)(nanoseconds % 1000000000 / 1000) },
	};
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	if (!nanoseconds)
		pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	signal(SIGALRM, SIG_DFL);
	setitimer(ITIMER_REAL, &most, NULL);
	if (nanoseconds)
		pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
}

#endif
#endif
