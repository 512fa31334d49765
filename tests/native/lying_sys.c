/* See lying_sys.h. */
#include "lying_sys.h"

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

ssize_t pm_sys_pread(int fd, void *buffer, size_t size, off_t offset)
{
	uint64_t vpn = (uint64_t)offset / 8, count = size / 8;
	char *out = buffer;

	(void)fd;
	if (lie.interrupted < lie.interrupt) {
		lie.interrupted++;
		errno = EINTR;
		return -1;
	}
	lie.interrupted = 0;
	lie.reads++;
	lie.pages_asked += count;
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
	if (vpn >= lie.end)
		return 0;
	if (count > lie.end - vpn)
		count = lie.end - vpn;
	size = count * 8;
	if (lie.most && size > lie.most)
		size = lie.most;
	for (size_t at = 0; at < size; at += 8) {
		uint64_t entry = lie.own_entry ? lie.own_entry : lie_entry(vpn + at / 8);

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

int pm_sys_open(const char *path, int flags)
{
	(void)path;
	lie.last_open_flags = flags;
	lie.opened += !lie.open_error;
	return answer(lie.open_error, 7);
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
	(void)request;
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
	free(address);
	return 0;
}

long pm_sys_page_size(void)
{
	return LYING_PAGE_SIZE;
}
