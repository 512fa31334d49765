/*
 * What is in the page cache, of many files: each is opened, asked about and closed.
 *
 * cachestat(2) walks what is cached, so a sparse terabyte costs no more than its pages. Where
 * it cannot be asked (before Linux 6.5), or looks into the wrong inode (overlay), mincore(2)
 * looks at each page of a mapping.
 */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "analyses/cache.cdef.h"
#include "analyses/types.cdef.h"

static_assert(sizeof(struct pm_cache_file) == 88, "eleven words");

static const uint64_t NO_DEVICE = UINT64_MAX;

enum {
	OPEN = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW,
	MAPPED_PAGES = 4096 /* at a time, with a byte of the stack for each */
};

/* The pages of a mapping from page `at` up to `end` that are cached, or -errno. */
static int64_t by_mincore(int file, uint64_t at, uint64_t end, uint32_t page_shift)
{
	unsigned char cached[MAPPED_PAGES];
	int64_t found = 0;

	for (; at < end; at += MAPPED_PAGES) {
		const uint64_t count = end - at < MAPPED_PAGES ? end - at : MAPPED_PAGES;
		const size_t size = (size_t)(count << page_shift);
		void *memory = pm_sys_map_file(file, size, (off_t)(at << page_shift));
		int failed;

		if (memory == MAP_FAILED)
			return -errno;
		failed = pm_sys_mincore(memory, size, cached) < 0 ? errno : 0;
		pm_sys_unmap(memory, size);
		if (failed)
			return -failed;
		for (uint64_t i = 0; i < count; i++)
			found += cached[i] & 1;
	}
	return found;
}

/* What cachestat tells, or -errno. */
static int32_t by_cachestat(int file, uint32_t page_shift, struct pm_cache_file *out)
{
	const struct pm_uapi_cachestat_range all = { 0, 0 };
	struct pm_uapi_cachestat about;

	if (pm_sys_cachestat(file, &all, &about) < 0)
		return -errno;
	out->cached = about.cached << page_shift;
	out->dirty = about.dirty << page_shift;
	out->writeback = about.writeback << page_shift;
	out->evicted = about.evicted << page_shift;
	out->recently_evicted = about.recently_evicted << page_shift;
	return 0;
}

/* The cached pages of a range of pages, or -errno. */
static int64_t in_range(int file, const struct pm_cache_file *about, uint64_t first, uint64_t end,
			uint32_t page_shift)
{
	const struct pm_uapi_cachestat_range range = { first << page_shift, (end - first)
										    << page_shift };
	struct pm_uapi_cachestat found;

	if (about->told == PM_CACHE_MINCORE)
		return by_mincore(file, first, end, page_shift);
	return pm_sys_cachestat(file, &range, &found) < 0 ? -errno : (int64_t)found.cached;
}

/* A share in percent: 0 and 100 are nothing and all, and nothing else is. */
static uint8_t percent(uint64_t found, uint64_t of)
{
	const uint64_t share = found >= of ? 100 : found * 100 / of;

	if (found && found < of)
		return (uint8_t)(share < 1 ? 1 : share);
	return (uint8_t)share;
}

/* How much of each part of a file is cached, of which all together is known by now. */
static void fill_parts(int file, uint32_t page_shift, const struct pm_cache_file *about,
		       uint8_t *parts)
{
	const uint64_t page = (uint64_t)1 << page_shift;
	const uint64_t pages = (about->size >> page_shift) + ((about->size & (page - 1)) != 0);
	const uint64_t count = pages < PM_CACHE_PARTS ? pages : PM_CACHE_PARTS;
	const uint64_t cached = about->cached >> page_shift;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t first = pages / count * i + pages % count * i / count;
		const uint64_t end = pages / count * (i + 1) + pages % count * (i + 1) / count;
		int64_t found = cached ? (int64_t)(end - first) : 0;

		if (cached && cached < pages) /* else all parts are alike */
			found = in_range(file, about, first, end, page_shift);
		if (found < 0) {
			memset(parts, PM_CACHE_NO_PART, PM_CACHE_PARTS);
			return;
		}
		parts[i] = percent((uint64_t)found, end - first);
	}
}

/* `last` is the device that was asked about before, where cachestat told. */
static int32_t ask(int file, uint32_t page_shift, int32_t owned, uint64_t *last,
		   struct pm_cache_file *out)
{
	const uint64_t page = (uint64_t)1 << page_shift;
	const uint64_t pages = (out->size >> page_shift) + ((out->size & (page - 1)) != 0);
	const int32_t who = *last == out->device ? PM_CACHESTAT_TELLS
						 : pm_types_cacheable(file, page_shift, pages);
	int64_t found;

	if (who < 0)
		return who;
	if (who == PM_NOT_CACHED)
		return -EOPNOTSUPP;
	if (who != PM_MINCORE_TELLS) {
		const int32_t failed = by_cachestat(file, page_shift, out);

		out->told = PM_CACHE_CACHESTAT;
		if (!failed)
			*last = out->device;
		if (!failed || (failed != -ENOSYS && failed != -EPERM && failed != -EOPNOTSUPP))
			return failed;
	}
	if (!owned)
		return -EPERM;
	found = by_mincore(file, 0, pages, page_shift);
	out->told = PM_CACHE_MINCORE;
	if (found < 0)
		return (int32_t)found;
	out->cached = (uint64_t)found << page_shift;
	return 0;
}

/* `devices` says whether those of blocks are wanted. */
static int64_t look(int file, uint32_t page_shift, int32_t owned, int32_t devices, uint64_t *last,
		    uint8_t *parts, struct pm_cache_file *out)
{
	const uint64_t page = (uint64_t)1 << page_shift;
	struct stat about;
	int32_t failed = 0;

	memset(out, 0, sizeof(*out));
	if (parts)
		memset(parts, PM_CACHE_NO_PART, PM_CACHE_PARTS);
	if (pm_sys_stat(file, &about) < 0) {
		out->error = errno;
		return 0;
	}
	if (!S_ISREG(about.st_mode) && !(devices && S_ISBLK(about.st_mode)))
		return 0;
	out->device = (uint64_t)about.st_dev;
	out->inode = (uint64_t)about.st_ino;
	out->links = (uint64_t)about.st_nlink;
	out->size = (uint64_t)about.st_size;
	if (S_ISBLK(about.st_mode)) {
		const int64_t end = pm_sys_seek_end(file);

		failed = end < 0 ? -errno : 0;
		out->size = end < 0 ? 0 : (uint64_t)end;
	}
	if (!failed)
		failed = ask(file, page_shift, owned, last, out);
	if (out->size)
		out->share = (double)out->cached / (double)((out->size + page - 1) & ~(page - 1));
	if (failed) {
		out->told = PM_CACHE_UNTOLD;
		out->error = -failed;
	} else if (parts) {
		fill_parts(file, page_shift, out, parts);
	}
	return !failed;
}

int64_t pm_cache_of(int file, uint32_t page_shift, int32_t owned, uint8_t *parts,
		    struct pm_cache_file *out)
{
	uint64_t last = NO_DEVICE;

	return look(file, page_shift, owned, 1, &last, parts, out);
}

int64_t pm_cache_below(int folder, const char *names, uint64_t count, uint32_t page_shift,
		       uint8_t *parts, struct pm_cache_file *out)
{
	uint64_t last = NO_DEVICE;
	int64_t known = 0;

	for (uint64_t i = 0; i < count; i++, names += strlen(names) + 1) {
		int32_t owned = 1;
		int file = pm_sys_open_entry(folder, names, OPEN | O_NOATIME);

		if (file < 0 && errno == EPERM) {
			owned = 0;
			file = pm_sys_open_entry(folder, names, OPEN);
		}
		if (file < 0) {
			memset(&out[i], 0, sizeof(out[i]));
			if (parts)
				memset(parts + i * PM_CACHE_PARTS, PM_CACHE_NO_PART,
				       PM_CACHE_PARTS);
			out[i].error = errno == ELOOP ? 0 : errno; /* a link by now */
			continue;
		}
		known += look(file, page_shift, owned, 0, &last,
			      parts ? parts + i * PM_CACHE_PARTS : NULL, &out[i]);
		pm_sys_close(file);
	}
	return known;
}
