/*
 * userfaultfd with WP_ASYNC: a write to a protected page lifts the protection, and nobody waits.
 *
 * Closing the descriptor ends all of it, also where we are killed.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/procmap.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"

int32_t pm_uffd_agree(int32_t uffd)
{
	struct pm_uapi_uffd_api api = {
		.api = PM_UAPI_UFFD_API,
		.features = PM_UAPI_UFFD_FEATURE_WP_ASYNC,
	};

	if (pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_API, &api) == 0)
		return 0;
	/* userfaultfd_api clears what it refuses; other files say EINVAL, and touch nothing */
	return errno == EINVAL && api.api ? -ENOTTY : -errno;
}

int32_t pm_uffd_open(void)
{
	const int fd = pm_sys_userfaultfd(O_CLOEXEC | O_NONBLOCK | PM_UAPI_UFFD_USER_MODE_ONLY);
	int32_t error;

	if (fd < 0)
		return -errno;
	error = pm_uffd_agree(fd);
	if (!error)
		return fd;
	pm_sys_close(fd);
	return error;
}

/* Whether a mapping has other bounds now than the two addresses, as far as this kernel tells. */
static int changed(int32_t maps, const uint64_t *bounds)
{
	struct pm_vma vma;
	const int32_t error = pm_vma_at(maps, bounds[0], &vma);

	if (error)
		return error != -ENOTTY;
	return vma.start != bounds[0] || vma.end != bounds[1];
}

int64_t pm_uffd_register(int32_t uffd, const struct pm_uffd_ranges *ranges, int32_t *errors)
{
	int64_t registered = 0;

	for (uint64_t i = 0; i < ranges->count; i++) {
		const uint64_t *bounds = ranges->bounds + 2 * i;
		struct pm_uapi_uffd_register range = {
			.start = bounds[0],
			.length = bounds[1] - bounds[0],
			.mode = PM_UAPI_UFFD_REGISTER_WP,
		};

		errors[i] = EAGAIN;
		if (changed(ranges->maps, ranges->mappings + 2 * i))
			continue;
		errors[i] = pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_REGISTER, &range) < 0 ? errno : 0;
		registered += !errors[i];
	}
	return registered;
}

int64_t pm_uffd_unregister(int32_t uffd, const uint64_t *bounds, uint64_t count)
{
	int64_t done = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct pm_uapi_uffd_range range = {
			.start = bounds[2 * i],
			.length = bounds[2 * i + 1] - bounds[2 * i],
		};

		done += pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_UNREGISTER, &range) == 0;
	}
	return done;
}

int32_t pm_uffd_protect(int32_t uffd, uint64_t start, uint64_t end)
{
	struct pm_uapi_uffd_protect range = {
		.start = start,
		.length = end - start,
		.mode = PM_UAPI_UFFD_PROTECT,
	};
	int result;

	do
		result = pm_sys_ioctl(uffd, PM_UAPI_UFFDIO_WRITEPROTECT, &range);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : 0;
}
