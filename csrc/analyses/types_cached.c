/*
 * What is cached of a file, before any of it is mapped.
 *
 * cachestat(2) walks what is cached, mincore every page: of 4 TiB that are a hole one
 * costs a microsecond, the other 12 s. But cachestat looks into the page cache of the
 * inode that was opened. An overlay's inode has none, for its files are mapped from
 * the layer below (ovl_mmap); FUSE may pass a file through likewise, and Coda does.
 * There only a mapping tells.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "analyses/types.cdef.h"

/* f_type of statfs(2); include/uapi/linux/magic.h */
static const uint64_t HUGETLBFS = 0x958458f6;
static const uint64_t TMPFS = 0x01021994;
static const uint64_t OTHERS[] = { 0x794c7630 /* overlay */, 0x65735546 /* FUSE */,
				   0x73757245 /* Coda */ };

enum {
	BEYOND = 18, /* pages, as a power of two, beyond which no folio of the file can reach */
};

/* 0, or -EPERM where mincore says that a page far beyond the end is cached. */
static int32_t try_mincore(int file, uint32_t page_shift, uint64_t pages)
{
	const uint64_t page = ((pages >> BEYOND) + 2) << BEYOND;
	const size_t size = (size_t)1 << page_shift;
	unsigned char cached = 0;
	void *memory;

	if (page >= (uint64_t)INT64_MAX >> page_shift)
		return 0;
	memory = pm_sys_map_file(file, size, (off_t)(page << page_shift));
	if (memory == MAP_FAILED)
		return 0; /* past what this file system can hold: then nobody can be asked */
	if (pm_sys_mincore(memory, size, &cached) < 0)
		cached = 0; /* who looks at its pages is told of the error */
	pm_sys_unmap(memory, size);
	return cached & 1 ? -EPERM : 0;
}

int32_t pm_types_cacheable(int file, uint32_t page_shift, uint64_t pages)
{
	const int64_t type = pm_sys_fs_type(file);
	int32_t failed;

	if (type < 0)
		return -errno;
	if ((uint64_t)type == HUGETLBFS)
		return PM_NOT_CACHED;
	for (unsigned i = 0; i < sizeof(OTHERS) / sizeof(*OTHERS); i++) {
		if ((uint64_t)type != OTHERS[i])
			continue;
		failed = try_mincore(file, page_shift, pages);
		return failed < 0 ? failed : PM_MINCORE_TELLS;
	}
	return (uint64_t)type == TMPFS ? PM_SWAP_IS_CACHED : PM_CACHESTAT_TELLS;
}

/* Whether any of `count` pages is cached, or -errno. */
static int32_t any_cached(int file, uint32_t page_shift, uint64_t page, uint64_t count)
{
	const struct pm_uapi_cachestat_range range = { page << page_shift, count << page_shift };
	struct pm_uapi_cachestat about;

	if (pm_sys_cachestat(file, &range, &about) < 0)
		return -errno;
	return about.cached != 0;
}

int32_t pm_types_next_cached(int file, uint32_t page_shift, uint64_t step, uint64_t *page,
			     uint64_t end)
{
	uint64_t at = *page, count = step;
	int32_t some = 0;

	/* each range twice as long as the one before, until there is something in it */
	for (; at < end && !some; count *= 2) {
		if (count > end - at)
			count = end - at;
		some = any_cached(file, page_shift, at, count);
		if (some < 0)
			return some;
		if (some)
			break;
		at += count;
	}
	/* then its first half, or the second */
	while (some && count > step) {
		const uint64_t half = count / 2;
		const int32_t first = any_cached(file, page_shift, at, half);

		if (first < 0)
			return first;
		at += first ? 0 : half;
		count = first ? half : count - half;
	}
	*page = at;
	return some;
}
