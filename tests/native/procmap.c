/*
 * One mapping by its address, as the kernel answers or fails; and whether
 * anything lies in swap.
 */
#include "check.h"
#include "kernel/procmap.cdef.h"
#include "kernel/uapi.h"

static void a_mapping(void)
{
	const struct pm_uapi_procmap_query known = {
		.start = 0x7f0000000000,
		.end = 0x7f0000400000,
		.page_size = 1 << 21,
		.inode = 77,
		.dev_major = 0,
		.dev_minor = 0x123,
	};
	struct pm_vma vma;

	tell_truth(1);
	lie.mapping = &known;
	CHECK_EQUAL(pm_vma_at(3, 0x7f0000001000, &vma), 0);
	CHECK_EQUAL(vma.start, known.start);
	CHECK_EQUAL(vma.end, known.end);
	CHECK_EQUAL(vma.page_size, 1 << 21);
	CHECK_EQUAL(vma.inode, 77);
	CHECK_EQUAL(vma.dev_major, 0);
	CHECK_EQUAL(vma.dev_minor, 0x123);
}

static void no_mapping(void)
{
	static const int errors[] = { ENOENT, ENOTTY, ESRCH };

	for (unsigned i = 0; i < 3; i++) {
		struct pm_vma vma;

		memset(&vma, 0xee, sizeof(vma));
		tell_truth(1);
		lie.ioctl_error = errors[i];
		CHECK_EQUAL(pm_vma_at(3, 0, &vma), -errors[i]);
		check_untouched(&vma, sizeof(vma));
	}
}

static void swap(void)
{
	tell_truth(1);
	CHECK_EQUAL(pm_swap_in_use(), 0);
	lie.swap_total = lie.swap_free = 100;
	CHECK_EQUAL(pm_swap_in_use(), 0);
	lie.swap_free = 99;
	CHECK_EQUAL(pm_swap_in_use(), 1);
	lie.swap_free = 0;
	CHECK_EQUAL(pm_swap_in_use(), 1);
	lie.swap_error = EFAULT;
	CHECK_EQUAL(pm_swap_in_use(), -EFAULT);
}

static void shared_memory(void)
{
	tell_truth(1);
	lie.fs_type = 0x01021994;
	lie.evicted = 7;
	CHECK_EQUAL(pm_swapped_shmem(3, 1, 20, 12), 7);
	CHECK_EQUAL(pm_swapped_shmem(3, 1, 0, 12), 0);
	lie.cachestat_error = EPERM;
	CHECK_EQUAL(pm_swapped_shmem(3, 1, 20, 12), -EPERM);
	lie.fs_type = 0xef53;
	CHECK_EQUAL(pm_swapped_shmem(3, 1, 20, 12), -ENOTSUP);
	lie.fs_error = EIO;
	CHECK_EQUAL(pm_swapped_shmem(3, 1, 20, 12), -EIO);
}

int main(void)
{
	a_mapping();
	no_mapping();
	swap();
	shared_memory();
	return 0;
}
