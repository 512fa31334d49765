/*
 * A file's pages, mapped: which are cached, and that none else is touched. The
 * mapping lies at page numbers of the lying pagemap: LIE_FILE_AT and those of the file.
 */
#include "lying_sys.h"
#include "kernel/uapi.h"

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

/* A page is mapped, and of its neighbours those that are cached and, so says a bit, at rest. */
static void fault(uint64_t page)
{
	if (!lie.faulted)
		return;
	for (uint64_t at = page & ~(uint64_t)15; at < (page | 15) + 1 && at < lie.file_pages; at++)
		if ((lie.cached[at] & 1) && (lie.cached[at] & 2))
			lie.faulted[at] = 1;
	lie.faulted[page] = 1;
}

int pm_sys_cachestat(int fd, const struct pm_uapi_cachestat_range *range,
		     struct pm_uapi_cachestat *out)
{
	(void)fd;
	if (lie.cachestat_error) {
		errno = lie.cachestat_error;
		return -1;
	}
	memset(out, 0, sizeof(*out));
	out->evicted = lie.evicted;
	out->dirty = out->evicted + 1;
	out->writeback = out->evicted + 2;
	out->recently_evicted = out->evicted + 3;
	/* a length of 0 is all that there is */
	for (uint64_t at = 0;
	     lie.cached && at < (range->length ? range->length >> SHIFT : lie.file_pages); at++)
		out->cached += lie.cached[(range->offset >> SHIFT) + at] & 1;
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
		fault(page_of(bytes[i].iov_base));
		lie.touched++;
		lie.touched_outside += !(lie.cached[page_of(bytes[i].iov_base)] & 1);
	}
	if (done || !count)
		return done;
	errno = EFAULT;
	return -1;
}

int pm_sys_stat(int fd, struct stat *about)
{
	(void)fd;
	memset(about, 0, sizeof(*about));
	about->st_mode = lie.mode;
	about->st_size = lie.file_size;
	about->st_dev = 41;
	about->st_ino = 42;
	about->st_nlink = 43;
	errno = lie.stat_error;
	return lie.stat_error ? -1 : 0;
}

int64_t pm_sys_seek_end(int fd)
{
	(void)fd;
	errno = ESPIPE;
	return lie.file_size;
}

int64_t pm_sys_fs_type(int fd)
{
	(void)fd;
	errno = lie.fs_error;
	return lie.fs_error ? -1 : lie.fs_type;
}
