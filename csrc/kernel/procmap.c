/*
 * PROCMAP_QUERY (Linux 6.11): one mapping by its address; and what is in swap that no
 * page table tells: pages of shared memory, and whether anything is at all.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/procmap.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"

/* f_type of statfs(2); include/uapi/linux/magic.h */
static const uint64_t TMPFS = 0x01021994;

static int32_t ask(int fd, uint64_t address, uint64_t flags, struct pm_vma *out)
{
	struct pm_uapi_procmap_query query = {
		.size = sizeof(query),
		.query_flags = flags,
		.address = address,
	};
	int result;

	do
		result = pm_sys_ioctl(fd, PM_UAPI_PROCMAP_QUERY, &query);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return -errno;
	*out = (struct pm_vma){
		.start = query.start,
		.end = query.end,
		.page_size = query.page_size,
		.inode = query.inode,
		.dev_major = query.dev_major,
		.dev_minor = query.dev_minor,
		.flags = query.vma_flags,
	};
	return 0;
}

int32_t pm_vma_at(int fd, uint64_t address, struct pm_vma *out)
{
	return ask(fd, address, 0, out);
}

int32_t pm_vma_from(int fd, uint64_t address, struct pm_vma *out)
{
	return ask(fd, address, PM_UAPI_PROCMAP_OR_NEXT, out);
}

int32_t pm_vma_name(int fd, uint64_t address, char *out, uint32_t capacity)
{
	struct pm_uapi_procmap_query query = {
		.size = sizeof(query),
		.address = address,
		.name_size = capacity,
		.name = (uint64_t)(uintptr_t)out,
	};
	int result;

	do
		result = pm_sys_ioctl(fd, PM_UAPI_PROCMAP_QUERY, &query);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : (int32_t)query.name_size;
}

int64_t pm_swapped_shmem(int fd, uint64_t page, uint64_t count, uint32_t page_shift)
{
	const struct pm_uapi_cachestat_range range = { page << page_shift, count << page_shift };
	const int64_t type = pm_sys_fs_type(fd);
	struct pm_uapi_cachestat about;

	if (type < 0)
		return -errno;
	if ((uint64_t)type != TMPFS)
		return -ENOTSUP;
	if (!count)
		return 0; /* a length of 0 is all that follows */
	if (pm_sys_cachestat(fd, &range, &about) < 0)
		return -errno;
	return (int64_t)about.evicted;
}

int32_t pm_swap_in_use(void)
{
	uint64_t total, unused;

	/* as si_swapinfo in mm/swapfile.c adds up; no container's idea of /proc/swaps */
	if (pm_sys_swap(&total, &unused) < 0)
		return -errno;
	return total != unused;
}
