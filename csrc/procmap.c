/*
 * PROCMAP_QUERY (Linux 6.11): one mapping by its address; and whether anything
 * is in swap at all, which no page table has to be asked for then.
 */
#include <errno.h>
#include <stdint.h>

#include "core.h"
#include "procmap.cdef.h"
#include "sys.h"
#include "uapi.h"

int32_t pm_vma_at(int fd, uint64_t address, struct pm_vma *out)
{
	struct pm_uapi_procmap_query query = { .size = sizeof(query), .address = address };
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
	};
	return 0;
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

int32_t pm_swap_in_use(void)
{
	uint64_t total, unused;

	/* as si_swapinfo in mm/swapfile.c adds up; no container's idea of /proc/swaps */
	if (pm_sys_swap(&total, &unused) < 0)
		return -errno;
	return total != unused;
}
