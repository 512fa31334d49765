/*
 * A file's pages, mapped: which are cached, and that none else is touched. The
 * mapping lies at page numbers of the lying pagemap: LIE_FILE_AT and those of the file.
 */
#include "lying_sys.h"

#include <errno.h>
#include <string.h>

enum { SHIFT = 12 };

static uint64_t page_of(const void *address)
{
	return ((uint64_t)(uintptr_t)address >> SHIFT) - LIE_FILE_AT;
}

void *pm_sys_map_file(int fd, size_t size, off_t offset)
{
	(void)fd;
	(void)size;
	if (lie.map_error) {
		errno = lie.map_error;
		return MAP_FAILED;
	}
	lie.mapped++;
	/* never looked into: only the kernel touches it */
	return (void *)(((uintptr_t)LIE_FILE_AT << SHIFT) +
			(uintptr_t)offset); // NOLINT(performance-no-int-to-ptr)
}

int pm_sys_madvise(void *address, size_t size, int advice)
{
	(void)address;
	(void)size;
	lie.advice = lie.advice << 4 | (unsigned)advice;
	if (!lie.madvise_error && advice == 102 && lie.marked_entry)
		lie.own_entry = lie.marked_entry;
	if (!lie.madvise_error)
		return 0;
	errno = lie.madvise_error;
	return -1;
}

int pm_sys_mincore(void *address, size_t size, unsigned char *cached)
{
	if (lie.mincore_error) {
		errno = lie.mincore_error;
		return -1;
	}
	memcpy(cached, lie.cached + page_of(address), size >> SHIFT);
	return 0;
}

ssize_t pm_sys_pwritev(int fd, const struct iovec *bytes, int count, off_t offset)
{
	static unsigned interrupted;
	ssize_t done = 0;

	(void)fd;
	(void)offset;
	if (interrupted < lie.pwritev_interrupt) {
		interrupted++;
		errno = EINTR;
		return -1;
	}
	interrupted = 0;
	if (lie.pwritev_error) {
		errno = lie.pwritev_error;
		return -1;
	}
	for (int i = 0; i < count && page_of(bytes[i].iov_base) < lie.file_pages; i++, done++) {
		lie.touched++;
		lie.touched_outside += !(lie.cached[page_of(bytes[i].iov_base)] & 1);
	}
	if (done || !count)
		return done;
	errno = EFAULT;
	return -1;
}

int64_t pm_sys_fs_type(int fd)
{
	(void)fd;
	errno = lie.fs_error;
	return lie.fs_error ? -1 : lie.fs_type;
}
