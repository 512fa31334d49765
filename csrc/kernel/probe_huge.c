/*
 * Whether bit 56 of pages that a PMD maps is each page's own, or that of the first
 * for all of them (Linux 6.15 on: pagemap_pmd_range in fs/proc/task_mmu.c).
 *
 * A child writes into the first page of a huge page of ours. What it got is a copy;
 * the first page is then ours alone, and all others are its and ours.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/probe.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"

enum { MADV_HUGE = 14 }; /* MADV_HUGEPAGE */

/* Whether the kernel maps `pmd` bytes at `page` as one; 1 or 0, or -errno. */
static int64_t is_huge(int fd, uint64_t page, uint64_t pmd)
{
	const struct pm_query query = {
		.all_of = PM_UAPI_IS_HUGE | PM_UAPI_IS_PRESENT,
		.returned = PM_UAPI_IS_HUGE,
	};
	struct pm_region region;
	uint64_t next;
	int64_t got = pm_scan(fd, &query, page, page + pmd, &region, 1, &next);

	if (got < 0)
		return got;
	return got == 1 && region.start == page && region.end == page + pmd;
}

/* The answer, of a huge page that a child has written into. */
static int32_t judge(int fd, volatile char *page, uint64_t size)
{
	uint64_t entries[2];
	int32_t result;
	int held, child = pm_sys_child_writes(page, &held);
	int64_t got;

	if (child < 0)
		return -errno;
	got = pm_read(fd, (uint64_t)(uintptr_t)page / size, 2, entries);
	if (got < 0)
		result = (int32_t)got;
	else if (got < 2 || !pm_flag(entries[0], PM_EXCLUSIVE_BIT))
		result = -ENODATA; /* the child wrote, and the page is not ours alone */
	else
		result = !pm_flag(entries[1], PM_EXCLUSIVE_BIT);
	pm_sys_end_child(child, held);
	return result;
}

int32_t pm_probe_exclusive(const char *path)
{
	const uint64_t size = (uint64_t)pm_sys_page_size(), pmd = size * (size / sizeof(uint64_t));
	int fd = pm_sys_open(path, O_RDONLY | O_CLOEXEC);
	char *memory;
	volatile char *page;
	int64_t huge;
	int32_t result;

	if (fd < 0)
		return -errno;
	memory = pm_sys_map_page(2 * pmd);
	if (memory == MAP_FAILED) {
		result = -errno;
		goto out_close;
	}
	page = memory + (pmd - (uintptr_t)memory % pmd) % pmd;
	pm_sys_madvise((void *)page, pmd, MADV_HUGE); /* where it fails no huge page comes */
	*page = 1;
	huge = is_huge(fd, (uintptr_t)page, pmd);
	if (huge == 1)
		result = judge(fd, page, size);
	else
		result = huge < 0 ? (int32_t)huge : -ENODATA;
	pm_sys_unmap(memory, 2 * pmd);
out_close:
	pm_sys_close(fd);
	return result;
}
