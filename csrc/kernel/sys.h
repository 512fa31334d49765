/*
 * The seam to the kernel: every system call of csrc/ goes through here.
 *
 * A test that wants the kernel to lie compiles the sources with
 * -DPM_SYS_HEADER='"its_header.h"', which defines the same functions.
 */
#ifndef PM_SYS_H
#define PM_SYS_H

#ifdef PM_SYS_HEADER
#include PM_SYS_HEADER
#else

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/uapi.h"

static inline ssize_t pm_sys_pread(int fd, void *buffer, size_t size, off_t offset)
{
	return pread(fd, buffer, size, offset);
}

static inline int pm_sys_open(const char *path, int flags)
{
	return open(path, flags);
}

/* An entry of an open folder. */
static inline int pm_sys_open_entry(int folder, const char *name, int flags)
{
	return openat(folder, name, flags);
}

/* Entries of an open folder, as getdents64(2) gives them: bytes, 0 at the end, or -1. */
static inline ssize_t pm_sys_list(int folder, void *buffer, size_t size)
{
	return (ssize_t)syscall(SYS_getdents64, folder, buffer, size);
}

/* Whether the process of a pidfd is there, if only as a zombie: 0, or -1 and errno. */
static inline int pm_sys_pidfd_check(int pidfd)
{
	return (int)syscall(424, pidfd, 0, NULL, 0); /* SYS_pidfd_send_signal, of Linux 5.1 */
}

static inline int pm_sys_stat(int fd, struct stat *about)
{
	return fstat(fd, about);
}

/* Where a file or a device ends, in bytes, or -1. */
static inline int64_t pm_sys_seek_end(int fd)
{
	return lseek(fd, 0, SEEK_END);
}

/* A file of memory alone, without a name; or -1. */
static inline int pm_sys_memory_file(void)
{
	return (int)syscall(SYS_memfd_create, "pagemap", 1 /* MFD_CLOEXEC */);
}

/* Another descriptor of the same open file, closed on exec. */
static inline int pm_sys_dup(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static inline int pm_sys_close(int fd)
{
	return close(fd);
}

static inline int pm_sys_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument);
}

static inline int pm_sys_userfaultfd(int flags)
{
	return (int)syscall(SYS_userfaultfd, flags);
}

/* Compare two processes' address spaces; as kcmp(2): 0 the same, 1 or 2 in an order. */
static inline int pm_sys_kcmp_vm(int pid, int other)
{
	return (int)syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0);
}

static inline void *pm_sys_map_page(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A file's bytes, to be read; its pages are not brought in. */
static inline void *pm_sys_map_file(int fd, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, offset);
}

static inline int pm_sys_madvise(void *address, size_t size, int advice)
{
	return madvise(address, size, advice);
}

static inline int pm_sys_mincore(void *address, size_t size, unsigned char *cached)
{
	return mincore(address, size, cached);
}

static inline ssize_t pm_sys_pwritev(int fd, const struct iovec *bytes, int count, off_t offset)
{
	return pwritev(fd, bytes, count, offset);
}

/* How many pages of a range of a file are cached: cachestat(2), since 6.5. */
static inline int pm_sys_cachestat(int fd, const struct pm_uapi_cachestat_range *range,
				   struct pm_uapi_cachestat *out)
{
	return (int)syscall(PM_UAPI_SYS_CACHESTAT, fd, range, out, 0);
}

/* What sort of file system a file is on (statfs's f_type), or -1. */
static inline int64_t pm_sys_fs_type(int fd)
{
	struct statfs about;

	/* f_type is signed on some machines */
	return fstatfs(fd, &about) < 0 ? -1 : (int64_t)(uint32_t)about.f_type;
}

static inline int pm_sys_unmap(void *address, size_t size)
{
	return munmap(address, size);
}

/*
 * A child that writes a byte and then waits for its end; its pid, or -1. *held is what it
 * waits by: where we are killed, it ends as well. No signal is sent when it ends, and
 * nobody's wait() but ours sees it.
 */
static inline int pm_sys_child_writes(volatile char *byte, int *held)
{
	int ready[2], hold[2];
	long child;
	char done = 0;

	if (syscall(SYS_pipe2, ready, O_CLOEXEC) < 0)
		return -1;
	if (syscall(SYS_pipe2, hold, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	child = syscall(SYS_clone, 0, 0, 0, 0, 0);
	if (!child) {
		*byte = 2;
		close(hold[1]);
		if (write(ready[1], &done, 1) == 1)
			while (read(hold[0], &done, 1) < 0)
				;
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	if (child > 0)
		while (read(ready[0], &done, 1) < 0 && errno == EINTR)
			;
	close(ready[0]);
	if (child < 0)
		close(hold[1]);
	*held = hold[1];
	return (int)child;
}

static inline void pm_sys_end_child(int child, int held)
{
	close(held);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* Close all descriptors but these, of which -1 is none (SYS_close_range, of Linux 5.9). */
static inline void pm_sys_close_all_but(const int *kept, int count)
{
	const unsigned none = ~0u;

	for (unsigned from = 0, next = 0; next != none; from = next + 1) {
		next = none;
		for (int i = 0; i < count; i++)
			if ((unsigned)kept[i] >= from && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		if (next > from)
			syscall(436, from, next == none ? none : next - 1, 0);
	}
}

/* What the child below does: wait for a word, or for the end of `parent`, a pidfd or -1. */
static inline void pm_sys_guard(int pidfd, int parent, int hold)
{
	const int kept[] = { pidfd, parent, hold };
	struct pollfd either[] = { { hold, POLLIN, 0 }, { parent, POLLIN, 0 } };
	ssize_t got = -1;
	char said;

	pm_sys_close_all_but(kept, 3);
	while (poll(either, 2, -1) < 0)
		;
	if (either[0].revents) /* also where the end came after the word */
		got = read(hold, &said, 1);
	if (got < 1)
		syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
	_exit(0);
}

/*
 * A child that waits, and has the process of `pidfd` go on (SIGCONT) if we end without a word; its
 * pid, or -1. *held is what it gets the word by; that we end it knows from a pidfd, since others
 * may have been forked with *held meanwhile. It keeps no other descriptor of ours. It is in a
 * process group of its own and deaf to signals, so what ends us and ours does not end it. As above,
 * nobody's wait() but ours sees it.
 */
static inline int pm_sys_child_continues(int pidfd, int *held)
{
	sigset_t all, before;
	int hold[2], us;
	long child;

	if (syscall(SYS_pipe2, hold, O_CLOEXEC) < 0)
		return -1;
	us = (int)syscall(434, getpid(), 0); /* SYS_pidfd_open */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = syscall(SYS_clone, 0, 0, 0, 0, 0);
	if (!child) {
		close(hold[1]);
		pm_sys_guard(pidfd, us, hold[0]);
	}
	if (child > 0)
		setpgid((pid_t)child, (pid_t)child); /* here, for it may not run for a while */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(hold[0]);
	if (us >= 0)
		close(us);
	if (child < 0)
		close(hold[1]);
	*held = hold[1];
	return (int)child;
}

/* The end of such a child, which does nothing any more. */
static inline void pm_sys_dismiss_child(int child, int held)
{
	const char word = 0;

	while (write(held, &word, 1) < 0 && errno == EINTR)
		;
	pm_sys_end_child(child, held);
}

/* A thread that gets no signals: 0 or an errno. The caller is to end it. */
static inline int pm_sys_thread_begin(pthread_t *thread, void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static inline void pm_sys_thread_end(pthread_t thread)
{
	pthread_join(thread, NULL);
}

/* Sleep while *word is 0, until that moment of pm_sys_now at the latest; or for less. */
static inline void pm_sys_wait(const uint32_t *word, uint64_t until)
{
	const struct timespec moment = { (time_t)(until / 1000000000u),
					 (long)(until % 1000000000u) };

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0, &moment, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

/* Wake the thread that sleeps by this word, which is not 0 any more. */
static inline void pm_sys_wake(const uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Rest for less than a second. */
static inline void pm_sys_rest(uint64_t nanoseconds)
{
	const struct timespec time = { .tv_sec = 0, .tv_nsec = (long)nanoseconds };

	nanosleep(&time, NULL);
}

static inline int pm_sys_pid(void)
{
	return getpid();
}

/* Nanoseconds of a clock that only goes forward. */
static inline uint64_t pm_sys_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The size of all swap areas, and what of it is free; in one unit. */
static inline int pm_sys_swap(uint64_t *total, uint64_t *unused)
{
	struct sysinfo about;

	if (sysinfo(&about) < 0)
		return -1;
	*total = about.totalswap;
	*unused = about.freeswap;
	return 0;
}

static inline long pm_sys_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

#endif
#endif
