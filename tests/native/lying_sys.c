/* See lying_sys.h. */
#define _GNU_SOURCE /* O_NOATIME */
#include "lying_sys.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lie lie;

enum { LYING_PAGE_SIZE = 4096 };

uint64_t lie_entry(uint64_t vpn)
{
	/* splitmix64's finisher: a bijection, so no two pages have equal entries */
	uint64_t x = vpn + UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t lie_read(uint64_t vpn)
{
	if (lie.children)
		return lie.shared_entries[vpn % 2];
	if (lie.own_entry)
		return lie.own_entry;
	return lie.entry ? lie.entry(vpn) : lie_entry(vpn);
}

int lie_lives(void)
{
	return !lie.dies_after || lie.reads + lie.scans <= lie.dies_after;
}

/* Bytes from `offset` on, at most as many as one read gives. */
static ssize_t read_bytes(const void *bytes, size_t held, void *buffer, size_t size, off_t offset)
{
	if ((size_t)offset >= held)
		return 0;
	if (size > held - (size_t)offset)
		size = held - (size_t)offset;
	if (lie.most && size > lie.most)
		size = lie.most;
	memcpy(buffer, (const char *)bytes + offset, size);
	return (ssize_t)size;
}

static int is_named(int fd)
{
	return fd >= LIE_NAMED && fd < LIE_NAMED + LIE_NAMED_MOST;
}

ssize_t pm_sys_pread(int fd, void *buffer, size_t size, off_t offset)
{
	const uint64_t end = fd >= LIE_FRAMES ? lie.frames_end : lie.end;
	uint64_t vpn = (uint64_t)offset / 8, count = size / 8;
	char *out = buffer;

	if (lie.interrupted < lie.interrupt) {
		lie.interrupted++;
		errno = EINTR;
		return -1;
	}
	lie.interrupted = 0;
	if (fd == LIE_BYTES) {
		lie.bytes_asked += size;
		return read_bytes(lie.bytes, lie.bytes_size, buffer, size, offset);
	}
	if (is_named(fd) && lie.files[fd - LIE_NAMED].bytes)
		return read_bytes(lie.files[fd - LIE_NAMED].bytes, lie.files[fd - LIE_NAMED].size,
				  buffer, size, offset);
	if (lie.word_error && fd == lie.word_error_of) {
		errno = lie.word_error;
		return -1;
	}
	lie.reads++;
	lie.pages_asked += count;
	if (fd < LIE_FRAMES && count > lie.most_asked)
		lie.most_asked = count;
	if (offset < 0 || offset % 8 || size % 8) {
		errno = EINVAL;
		return -1;
	}
	if (lie.error && vpn == lie.error_at) {
		errno = lie.error;
		return -1;
	}
	if (lie.error && vpn < lie.error_at && count > lie.error_at - vpn)
		count = lie.error_at - vpn;
	if (vpn >= end || (fd < LIE_FRAMES && !lie_lives()))
		return 0;
	if (count > end - vpn)
		count = end - vpn;
	size = count * 8;
	if (lie.most && size > lie.most)
		size = lie.most;
	for (size_t at = 0; at < size; at += 8) {
		uint64_t entry = fd >= LIE_FRAMES && lie.word ? lie.word(fd, vpn + at / 8)
							      : lie_read(vpn + at / 8);

		memcpy(out + at, &entry, size - at < 8 ? size - at : 8);
	}
	return (ssize_t)size;
}

/* -1 and errno, or `good`. */
static int answer(int error, int good)
{
	if (!error)
		return good;
	errno = error;
	return -1;
}

/* Whether this open is the one that finds no descriptor. */
static int is_refused(void)
{
	return lie.open_refused_at && !--lie.open_refused_at;
}

/* The first file of this name: its descriptor, or -1; -2 where there is none. */
static int open_named(const char *name)
{
	if (lie.at_open)
		lie.at_open(name);
	for (unsigned i = 0; i < lie.files_count; i++)
		if (!strcmp(lie.files[i].name, name)) {
			lie.opened += !lie.files[i].error;
			return answer(lie.files[i].error, LIE_NAMED + (int)i);
		}
	return -2;
}

int pm_sys_open(const char *path, int flags)
{
	int named;

	lie.last_open_flags = flags;
	if (is_refused())
		return answer(EMFILE, 0);
	named = open_named(path);
	if (named > -2)
		return named;
	lie.opened += !lie.open_error;
	return answer(lie.open_error, 7);
}

int pm_sys_open_entry(int folder, const char *name, int flags)
{
	int named;

	(void)folder;
	lie.last_open_flags = flags;
	if (is_refused())
		return answer(EMFILE, 0);
	named = open_named(name);
	if (named > -2 || lie.files)
		return named > -2 ? named : answer(ENOENT, 0);
	if (lie.noatime_error && (flags & O_NOATIME))
		return answer(lie.noatime_error, 7);
	lie.opened += !lie.open_error;
	return answer(lie.open_error, lie.entry_fd ? lie.entry_fd : 7);
}

ssize_t pm_sys_list(int folder, void *buffer, size_t size)
{
	static size_t done;
	ssize_t got;

	if (!is_named(folder))
		return answer(ENOTDIR, 0);
	got = read_bytes(lie.files[folder - LIE_NAMED].bytes, lie.files[folder - LIE_NAMED].size,
			 buffer, size, (off_t)done);
	done = got > 0 ? done + (size_t)got : 0;
	return got;
}

int pm_sys_pidfd_check(int pidfd)
{
	(void)pidfd;
	return answer(lie.pidfd_error, 0);
}

/* None is to be had. */
int pm_sys_memory_file(void)
{
	return answer(ENOSYS, 0);
}

int pm_sys_dup(int fd)
{
	lie.opened += !lie.open_error;
	return answer(lie.open_error, fd);
}

/* There is none to be had: the lying kernel is not made for two. */
int pm_sys_thread_begin(pthread_t *thread, void *(*run)(void *), void *argument)
{
	(void)thread;
	(void)run;
	(void)argument;
	return EAGAIN;
}

void pm_sys_thread_end(pthread_t thread)
{
	(void)thread;
}

void pm_sys_wait(const uint32_t *word, uint64_t until)
{
	if (!__atomic_load_n(word, __ATOMIC_ACQUIRE) && lie.now < until)
		lie.now = until;
}

void pm_sys_wake(const uint32_t *word)
{
	(void)word;
}

void pm_sys_rest(uint64_t nanoseconds)
{
	lie.rested += nanoseconds;
}

int pm_sys_pid(void)
{
	return lie.pid;
}

int pm_sys_close(int fd)
{
	(void)fd;
	lie.closed++;
	/* a careless caller would take this for the reason of an earlier failure */
	errno = ENOTEMPTY;
	return 0;
}

int pm_sys_ioctl(int fd, unsigned long request, void *argument)
{
	(void)fd;
	if (lie.scan && request == PM_UAPI_PAGEMAP_SCAN)
		return lie_scan(argument);
	if (lie.query && request == PM_UAPI_PROCMAP_QUERY)
		return answer(lie.query(argument), 0);
	if (lie.userfault &&
	    (request == PM_UAPI_UFFDIO_REGISTER || request == PM_UAPI_UFFDIO_UNREGISTER ||
	     request == PM_UAPI_UFFDIO_WRITEPROTECT)) {
		const struct pm_uapi_uffd_range *range = argument;

		return answer(lie.userfault(request, range->start, range->start + range->length),
			      0);
	}
	if (request == PM_UAPI_UFFDIO_REGISTER || request == PM_UAPI_UFFDIO_UNREGISTER) {
		const struct pm_uapi_uffd_range *range = argument;
		const int refused = !lie.refused_from || lie.refused_from == range->start;

		if (refused && lie.protect_error)
			return answer(lie.protect_error, 0);
		lie.registered += request == PM_UAPI_UFFDIO_REGISTER;
		lie.unregistered += request == PM_UAPI_UFFDIO_UNREGISTER;
		return 0;
	}
	if (request == PM_UAPI_UFFDIO_API) {
		memcpy(&lie.last_features, (char *)argument + 8, sizeof(lie.last_features));
		if (lie.ioctl_error == EINVAL && !lie.another_file)
			memset(argument, 0, 24);
	}
	if (request == PM_UAPI_UFFDIO_WRITEPROTECT) {
		lie.own_entry = lie.marked_entry ? lie.marked_entry : lie.own_entry;
		return answer(lie.protect_error, 0);
	}
	if (!lie.ioctl_error && request == PM_UAPI_PROCMAP_QUERY) {
		const struct pm_uapi_procmap_query *asked = argument;

		if (asked->size != sizeof(*asked) || asked->query_flags || asked->name_size)
			return answer(EINVAL, 0);
		memcpy(argument, lie.mapping, sizeof(*asked));
		return 0;
	}
	if (!lie.ioctl_error && lie.features)
		memcpy((char *)argument + 8, &lie.features, sizeof(lie.features));
	return answer(lie.ioctl_error, 0);
}

int pm_sys_userfaultfd(int flags)
{
	int result = answer(lie.userfaultfd_error, 8);

	lie.last_userfaultfd_flags = flags;
	lie.userfaultfd_error = lie.userfaultfd_next_error;
	lie.opened += result >= 0;
	return result;
}

/* Even pids share memory with the odd one above them. */
int pm_sys_kcmp_vm(int pid, int other)
{
	const int one = pid / 2, two = other / 2;

	return answer(lie.kcmp_error, one == two ? 0 : one < two ? 1 : 2);
}

void *pm_sys_map_page(size_t size)
{
	void *page = NULL;

	if (answer(lie.map_error, 0) || posix_memalign(&page, LYING_PAGE_SIZE, size))
		return MAP_FAILED;
	lie.mapped++;
	return page;
}

int pm_sys_unmap(void *address, size_t size)
{
	(void)size;
	lie.unmapped++;
	if (!lie.cached) /* a file's mapping is none */
		free(address);
	return 0;
}

uint64_t pm_sys_now(void)
{
	lie.now += lie.tick;
	return lie.now;
}

int pm_sys_child_writes(volatile char *byte, int *held)
{
	(void)byte;
	*held = 9;
	lie.children += !lie.child_error;
	return answer(lie.child_error, 1234);
}

void pm_sys_end_child(int child, int held)
{
	lie.children_ended += child == 1234 && held == 9;
}

int pm_sys_child_continues(int pidfd, int *held)
{
	(void)pidfd;
	*held = 9;
	return answer(lie.child_error, 1234);
}

void pm_sys_dismiss_child(int child, int held)
{
	pm_sys_end_child(child, held);
}

int pm_sys_swap(uint64_t *total, uint64_t *unused)
{
	*total = lie.swap_total;
	*unused = lie.swap_free;
	return answer(lie.swap_error, 0);
}

long pm_sys_page_size(void)
{
	return LYING_PAGE_SIZE;
}
