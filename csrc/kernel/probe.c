/*
 * What this kernel can do, found by trying: never by its version, because
 * distributions carry features back and configure others away.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/probe.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"

enum { TRIES = 8 };

/* A page of ours, and our own pagemap to read its entry from. */
struct own {
	volatile char *page;
	size_t size;
	int fd;
};

static int32_t open_own(const char *path, struct own *own)
{
	int32_t error;

	own->size = (size_t)pm_sys_page_size();
	own->fd = pm_sys_open(path, O_RDONLY | O_CLOEXEC);
	if (own->fd < 0)
		return -errno;
	own->page = pm_sys_map_page(own->size);
	if (own->page != MAP_FAILED)
		return 0;
	error = -errno;
	pm_sys_close(own->fd);
	return error;
}

static void close_own(struct own *own)
{
	pm_sys_unmap((void *)own->page, own->size);
	pm_sys_close(own->fd);
}

static int64_t read_own(const struct own *own, uint64_t *entry)
{
	return pm_read(own->fd, (uint64_t)(uintptr_t)own->page / own->size, 1, entry);
}

/* The entry of our page when it was just written, with all of `bits` unless it cannot have
 * them. It may lack them for a moment: reclaim takes it back between the write and the read,
 * or a fork of another thread shares it. */
static int32_t write_own(const struct own *own, uint64_t bits, uint64_t *entry)
{
	unsigned tries = 0;
	int64_t got;

	do {
		*own->page = 1;
		got = read_own(own, entry);
	} while (got == 1 && (*entry & bits) != bits && ++tries < TRIES);
	if (got < 0)
		return (int32_t)got;
	/* else this is not our pagemap */
	return got == 1 && pm_flag(*entry, PM_PRESENT_BIT) ? 0 : -ENODATA;
}

/* The entry of a page of ours that was just written: present beyond doubt. */
static int32_t read_own_entry(const char *path, uint64_t *entry)
{
	struct own own;
	int32_t error = open_own(path, &own);

	if (error)
		return error;
	error = write_own(&own, PM_BIT(PM_PRESENT_BIT), entry);
	close_own(&own);
	return error;
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

int32_t pm_probe_told(const char *path, uint64_t *told)
{
	const uint64_t written = PM_BIT(PM_SOFT_DIRTY_BIT) | PM_BIT(PM_EXCLUSIVE_BIT);
	const uint64_t guard = PM_BIT(PM_GUARD_BIT);
	uint64_t entry = 0, guarded = 0;
	struct own own;
	int32_t error = open_own(path, &own);

	if (error)
		return error;
	error = write_own(&own, written | PM_BIT(PM_PRESENT_BIT), &entry);
	if (!error && !pm_sys_madvise((void *)own.page, own.size, PM_UAPI_MADV_GUARD_INSTALL))
		error = read_own(&own, &guarded) < 0 ? -EIO : 0;
	else if (!error && !pm_probe_scan(own.fd, PM_UAPI_IS_GUARD))
		guarded = guard; /* memory that is locked, by mlockall say, takes none */
	close_own(&own);
	if (!error)
		*told = PM_BIT(PM_PRESENT_BIT) | PM_BIT(PM_SWAPPED_BIT) | PM_BIT(PM_FILE_BIT) |
			(entry & written) | (guarded & guard);
	return error;
}

/* Whether the entry of our page has bit 57 once it is protected. */
static int32_t protect_own(const struct own *own, int uffd)
{
	struct pm_uapi_uffd_api api = {
		.api = PM_UAPI_UFFD_API,
		.features = PM_UAPI_UFFD_FEATURE_WP,
	};
	struct pm_uapi_uffd_register range = {
		.start = (uint64_t)(uintptr_t)own->page,
		.length = own->size,
		.mode = PM_UAPI_UFFD_REGISTER_WP,
	};
	struct pm_uapi_uffd_protect protect = {
		.start = range.start,
		.length = range.length,
		.mode = PM_UAPI_UFFD_PROTECT,
	};
	uint64_t entry = 0;
	int64_t got;

	/* a feature that the kernel lacks is EINVAL */
	if (pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_API, &api) < 0)
		return errno == EINVAL ? 0 : -errno;
	if (pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_REGISTER, &range) < 0 ||
	    pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_WRITEPROTECT, &protect) < 0)
		return -errno;
	got = read_own(own, &entry);
	if (got != 1)
		return got < 0 ? (int32_t)got : -ENODATA;
	return (int32_t)pm_flag(entry, PM_UFFD_WP_BIT);
}

static int open_userfaultfd(void)
{
	int fd = pm_sys_userfaultfd(O_CLOEXEC);

	/* without CAP_SYS_PTRACE only faults of user mode may be handled (5.11) */
	if (fd < 0 && errno == EPERM)
		fd = pm_sys_userfaultfd(O_CLOEXEC | PM_UAPI_UFFD_USER_MODE_ONLY);
	return fd < 0 ? -errno : fd;
}

int32_t pm_probe_uffd_wp(const char *path)
{
	const int uffd = open_userfaultfd();
	struct own own;
	uint64_t entry;
	int32_t result;

	if (uffd < 0)
		return uffd == -ENOSYS ? 0 : uffd;
	result = open_own(path, &own);
	if (!result) {
		result = write_own(&own, PM_BIT(PM_PRESENT_BIT), &entry);
		if (!result)
			result = protect_own(&own, uffd);
		close_own(&own);
	}
	pm_sys_close(uffd);
	return result;
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
	int found;

	do
		found = pm_sys_ioctl(fd, PM_UAPI_PAGEMAP_SCAN, &scan);
	while (found < 0 && errno == EINTR);
	return found < 0 ? -errno : 0;
}

int32_t pm_probe_userfaultfd(uint64_t *features)
{
	struct pm_uapi_uffd_api api = { .api = PM_UAPI_UFFD_API };
	const int fd = open_userfaultfd();
	int32_t result;

	if (fd < 0)
		return fd;
	result = pm_sys_ioctl(fd, PM_UAPI_UFFDIO_API, &api) < 0 ? -errno : 0;
	pm_sys_close(fd);
	if (!result)
		*features = api.features;
	return result;
}
