/*
 * The pages of a file that are in the page cache.
 *
 * Only a page table tells where they lie, so they are mapped for a moment. That
 * must leave no trace. Pages that are not cached are not touched, for they would be
 * read in; readahead is off while the others are (MADV_RANDOM), and when the mapping
 * goes, its accessed bits are not taken for use of the pages (MADV_SEQUENTIAL; the
 * kernel's vma_has_recency). The touching is left to the kernel, which copies a
 * byte of each page elsewhere: where the file has become shorter it says EFAULT,
 * and there is no SIGBUS for who merely calls a library.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "analyses/types.h"

enum {
	TOUCHED = 256,	  /* pages that one call touches; the kernel takes 1,024 */
	AROUND = 16,	  /* pages that a fault maps, at multiples of as many */
	MAPPED = 1 << 12, /* pages at a time: all that are mapped count as memory of ours */
};

/* Have the kernel read a byte of each of these pages. Those that are gone stay untouched. */
static int64_t touch(int sink, struct iovec *bytes, int count)
{
	for (int done = 0; done < count;) {
		const ssize_t got = pm_sys_pwritev(sink, bytes + done, count - done, 0);

		if (got > 0)
			done += (int)got;
		else if (got == 0 || errno == EFAULT)
			done++;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/*
 * Touch one page in each window of pages that are cached and have no entry. A fault
 * maps those of its neighbours that are cached too, 16 of them as a rule
 * (fault_around_bytes), so `window` pages cost one fault. Returns how many were
 * touched, or -errno.
 */
/* The kernel reads through iov_base, which is declared to be written to. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int64_t touch_cached(const struct pm_types_job *job, char *memory, uint64_t count,
			    const uint8_t *cached, const uint64_t *entries, uint64_t window)
{
	const uint64_t first = (uint64_t)(uintptr_t)memory >> job->source.page_shift;
	struct iovec bytes[TOUCHED];
	uint64_t touched = PM_NO_VALUE; /* the window that was */
	int64_t failed = 0, all = 0;
	int filled = 0;

	for (uint64_t i = 0; i < count && !failed; i++) {
		const uint64_t here = (first + i) / window;

		if ((cached[i] & 1) && here != touched &&
		    !(entries && pm_flag(entries[i], PM_PRESENT_BIT))) {
			bytes[filled++] =
				(struct iovec){ memory + (i << job->source.page_shift), 1 };
			touched = here;
		}
		if (filled == TOUCHED || (filled && i + 1 == count)) {
			failed = touch(job->sink, bytes, filled);
			all += filled;
			filled = 0;
		}
	}
	return failed ? failed : all;
}

/*
 * Clear those of `count` pages from `page` of a file on that cachestat does not know. It
 * counts: what is neither cached as a whole nor empty is asked for again by halves.
 */
static int64_t ask_again(int file, uint32_t shift, uint64_t page, uint64_t count, uint8_t *cached)
{
	uint64_t part = count;

	for (uint64_t done = 0; done < count;) {
		struct pm_uapi_cachestat_range range = { (page + done) << shift, part << shift };
		struct pm_uapi_cachestat about;

		if (pm_sys_cachestat(file, &range, &about) < 0)
			return -errno;
		if (about.cached && about.cached < part) {
			part /= 2;
			continue;
		}
		if (!about.cached)
			memset(cached + done, 0, part);
		done += part;
		/* its neighbours are often alike */
		part = 2 * part < count - done ? 2 * part : count - done;
	}
	return 0;
}

/* What is cached of the pages of a range, mapped at `memory`; 0 or -errno. */
static int64_t find_cached(uint32_t page_shift, char *memory, const struct pm_types_range *range,
			   uint8_t *cached)
{
	if (pm_sys_mincore(memory, range->count << page_shift, cached) < 0)
		return -errno;
	return range->ask_again
		       ? ask_again(range->file, page_shift, range->page, range->count, cached)
		       : 0;
}

/* The entries of the pages of a range, mapped at `memory`; how many there are, or -errno. */
static int64_t look(const struct pm_types_job *job, char *memory,
		    const struct pm_types_range *range, uint8_t *cached, uint64_t *entries)
{
	const uint64_t count = range->count;
	const uint64_t vpn = (uint64_t)(uintptr_t)memory >> job->source.page_shift;
	const uint64_t size = count << job->source.page_shift;
	int64_t got, read = 0;

	if (pm_sys_madvise(memory, size, MADV_RANDOM) < 0)
		return -errno;
	got = find_cached(job->source.page_shift, memory, range, cached);
	if (got >= 0)
		got = touch_cached(job, memory, count, cached, NULL, AROUND);
	if (got >= 0)
		got = read = pm_read(job->source.fd, vpn, count, entries);
	/* what faults nearby left out: locked, or where reading ahead would go on */
	if (got >= 0)
		got = touch_cached(job, memory, count, cached, entries, 1);
	if (got > 0)
		got = read = pm_read(job->source.fd, vpn, count, entries);
	if (pm_sys_madvise(memory, size, MADV_SEQUENTIAL) < 0 && got >= 0)
		got = -errno;
	return got < 0 ? got : read;
}

/* The same, of a range that is mapped for it. */
static int64_t map_part(const struct pm_types_job *job, const struct pm_types_range *range,
			uint8_t *cached, uint64_t *entries)
{
	const uint64_t size = range->count << job->source.page_shift;
	char *memory =
		pm_sys_map_file(range->file, size, (off_t)(range->page << job->source.page_shift));
	int64_t got;

	if (memory == MAP_FAILED)
		return -errno;
	got = look(job, memory, range, cached, entries);
	if (pm_sys_unmap(memory, size) < 0 && got >= 0)
		got = -errno;
	return got;
}

/* The same, of a range of any length, a part at a time. */
static int64_t map_and_look(const struct pm_types_job *job, const struct pm_types_range *range,
			    uint8_t *cached, uint64_t *entries)
{
	struct pm_types_range part = *range;
	uint64_t done = 0;

	while (done < range->count) {
		const uint64_t left = range->count - done;
		int64_t got;

		part.page = range->page + done;
		part.count = left < MAPPED ? left : MAPPED;
		got = map_part(job, &part, cached, entries + done);
		if (got < 0)
			return got;
		done += (uint64_t)got;
		if ((uint64_t)got < part.count)
			break;
	}
	/* what the entries say of our mapping alone is nothing of the file's */
	for (uint64_t i = 0; i < done; i++)
		entries[i] &= ~(PM_BIT(PM_SOFT_DIRTY_BIT) | PM_BIT(PM_EXCLUSIVE_BIT));
	return (int64_t)done;
}

int64_t pm_types_of_files(const struct pm_types_job *job, struct pm_types_range *ranges,
			  uint64_t count, struct pm_types_block *block)
{
	uint8_t *cached = (uint8_t *)block->pfns; /* free until the entries are there */
	uint64_t stored = 0;
	int64_t failed;

	for (uint64_t i = 0; i < count; i++) {
		struct pm_types_range *range = ranges + i;
		int64_t got;

		if (range->count > block->capacity - stored || i >= block->capacity)
			return -EINVAL;
		got = range->count ? map_and_look(job, range, cached, block->entries + stored) : 0;
		range->failed = got < 0 ? got : 0;
		got = got < 0 ? 0 : got;
		block->runs[i] = (struct pm_range){ range->page, (uint64_t)got };
		stored += (uint64_t)got;
	}
	if (job->list == PM_TYPES_HITS)
		return pm_types_find(job, count, block);
	/* not before the mappings are gone: they would count as one */
	failed = pm_types_gather(job, stored, block);
	if (failed < 0)
		return failed;
	return job->list == PM_TYPES_SHARES ? pm_types_share_out(count, block)
					    : pm_types_settle(job, count, block);
}
