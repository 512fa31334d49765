/*
 * What this kernel can do, found by trying: never by its version, because
 * distributions carry features back and configure others away.
 */
#include <errno.h>
#include <stdint.h>

#include "core.h"
#include "sys.h"
#include "uapi.h"

enum { TRIES = 8 };

/* The entry of a page of ours that was just written: present beyond doubt. */
static int32_t read_own_entry(const char *path, uint64_t *entry)
{
	const size_t size = (size_t)pm_sys_page_size();
	volatile char *page;
	unsigned tries = 0;
	int64_t got;
	int fd;

	fd = pm_sys_open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	page = pm_sys_map_page(size);
	if (page == MAP_FAILED) {
		got = -errno;
		goto out_close;
	}
	/* reclaim may take the page back between the write and the read */
	do {
		*page = 1;
		got = pm_read(fd, (uint64_t)(uintptr_t)page / size, 1, entry);
	} while (got == 1 && !pm_flag(*entry, PM_PRESENT_BIT) && ++tries < TRIES);
	if (got == 0 || tries == TRIES)
		got = -ENODATA; /* this is not our pagemap */
	pm_sys_unmap((void *)page, size);
out_close:
	pm_sys_close(fd);
	return got < 0 ? (int32_t)got : 0;
}

int32_t pm_probe_pfns(const char *path)
{
	uint64_t entry = 0;
	int32_t error = read_own_entry(path, &entry);

	/* 4.0 and 4.1 forbade the open instead of hiding the PFN */
	if (error == -EPERM)
		return 0;
	return error ? error : (entry & PM_PLACE_MASK) != 0;
}

int32_t pm_probe_soft_dirty(const char *path)
{
	uint64_t entry = 0;
	int32_t error = read_own_entry(path, &entry);

	/* a page of a new mapping is soft-dirty wherever that is tracked */
	return error ? error : (int32_t)pm_flag(entry, PM_SOFT_DIRTY_BIT);
}

int32_t pm_probe_scan(int fd, uint64_t category)
{
	struct pm_uapi_region region;
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.end = (uint64_t)pm_sys_page_size(),
		.vec = (uint64_t)(uintptr_t)&region,
		.vec_len = 1,
		.category_anyof_mask = category,
		.return_mask = category,
	};

	return pm_sys_ioctl(fd, PM_UAPI_PAGEMAP_SCAN, &scan) < 0 ? -errno : 0;
}

int32_t pm_probe_userfaultfd(uint64_t *features)
{
	struct pm_uapi_uffd_api api = { .api = PM_UAPI_UFFD_API };
	int32_t result;
	int fd = pm_sys_userfaultfd(O_CLOEXEC);

	/* without CAP_SYS_PTRACE only faults of user mode may be handled (5.11) */
	if (fd < 0 && errno == EPERM)
		fd = pm_sys_userfaultfd(O_CLOEXEC | PM_UAPI_UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return -errno;
	result = pm_sys_ioctl(fd, PM_UAPI_UFFDIO_API, &api) < 0 ? -errno : 0;
	pm_sys_close(fd);
	if (!result)
		*features = api.features;
	return result;
}
