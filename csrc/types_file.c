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

#include "sys.h"
#include "types.h"

enum {
	TOUCHED = 256, /* pages that one call touches; the kernel takes 1,024 */
};

/* f_type of hugetlbfs, whose pages mincore tells nothing of (include/uapi/linux/magic.h) */
static const uint64_t HUGETLBFS = 0x958458f6;

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

/* Touch those of `count` pages at `memory` that `cached` says are cached. */
/* The kernel reads through iov_base, which is declared to be written to. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int64_t touch_cached(const struct pm_types_job *job, char *memory, uint64_t count,
			    const uint8_t *cached)
{
	struct iovec bytes[TOUCHED];
	int64_t failed = 0;
	int filled = 0;

	for (uint64_t i = 0; i < count && !failed; i++) {
		if (cached[i] & 1)
			bytes[filled++] = (struct iovec){ memory + (i << job->page_shift), 1 };
		if (filled == TOUCHED || (filled && i + 1 == count)) {
			failed = touch(job->sink, bytes, filled);
			filled = 0;
		}
	}
	return failed;
}

/* The entries of `count` pages of the file, mapped at `memory`. */
static int64_t look(const struct pm_types_job *job, char *memory, uint64_t count,
		    struct pm_types_block *block)
{
	uint8_t *cached = (uint8_t *)block->pfns; /* free until the entries are there */
	const uint64_t size = count << job->page_shift;
	int64_t failed;

	if (pm_sys_madvise(memory, size, MADV_RANDOM) < 0 ||
	    pm_sys_mincore(memory, size, cached) < 0)
		return -errno;
	failed = touch_cached(job, memory, count, cached);
	if (pm_sys_madvise(memory, size, MADV_SEQUENTIAL) < 0 && !failed)
		failed = -errno;
	return failed < 0 ? failed
			  : pm_read(job->pagemap, (uint64_t)(uintptr_t)memory >> job->page_shift,
				    count, block->entries);
}

int64_t pm_types_of_file(const struct pm_types_job *job, uint64_t *page, uint64_t end,
			 struct pm_types_block *block)
{
	const uint64_t count = end - *page < block->capacity ? end - *page : block->capacity;
	const uint64_t size = count << job->page_shift;
	char *memory = pm_sys_map_file(job->file, size, (off_t)(*page << job->page_shift));
	int64_t got, failed;

	if (memory == MAP_FAILED)
		return -errno;
	got = look(job, memory, count, block);
	if (pm_sys_unmap(memory, size) < 0 && got >= 0)
		got = -errno;
	if (got < 0)
		return got;
	/* what the entries say of our mapping alone is nothing of the file's */
	for (uint64_t i = 0; i < (uint64_t)got; i++)
		block->entries[i] &= ~(PM_BIT(PM_SOFT_DIRTY_BIT) | PM_BIT(PM_EXCLUSIVE_BIT));
	/* not before the mapping is gone: it would count as one */
	failed = pm_types_gather(job, (uint64_t)got, block);
	if (failed < 0)
		return failed;
	block->runs[0] = (struct pm_range){ *page, (uint64_t)got };
	*page += count;
	return pm_types_settle(job, 1, block);
}

int32_t pm_types_cacheable(int file)
{
	const int64_t type = pm_sys_fs_type(file);

	return type < 0 ? -errno : (uint64_t)type != HUGETLBFS;
}
