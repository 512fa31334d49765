/*
 * userfaultfd as a tracker: what it is opened with, what it asks for and what not, each way in
 * which the kernel can refuse, and that no descriptor is left.
 */
#include "check.h"
#include "kernel/guard.cdef.h"
#include "kernel/uapi.h"
#include "kernel/userfaultfd.cdef.h"

static void opening(void)
{
	tell_truth(1);
	CHECK_EQUAL(pm_uffd_open(), 8);
	CHECK_EQUAL(lie.last_userfaultfd_flags, O_CLOEXEC | O_NONBLOCK | 1);
	/* nothing but write tracking: of an event of fork or mremap the process would wait */
	CHECK_EQUAL(lie.last_features, UINT64_C(1) << 15);
	CHECK_EQUAL(lie.closed, 0);
}

static void refusals(int userfaultfd_error, int ioctl_error)
{
	tell_truth(1);
	lie.userfaultfd_error = userfaultfd_error;
	lie.ioctl_error = ioctl_error;
	CHECK_EQUAL(pm_uffd_open(), -(userfaultfd_error ? userfaultfd_error : ioctl_error));
	CHECK_EQUAL(lie.opened, lie.closed);
}

static void ranges(void)
{
	uint64_t *bounds = exactly(6 * sizeof(*bounds));
	int32_t *errors = exactly(3 * sizeof(*errors));
	struct pm_uffd_ranges ranges = { bounds, bounds, 3, 3 };

	for (uint64_t i = 0; i < 6; i++)
		bounds[i] = (i + 1) << 12;
	tell_truth(1);
	lie.ioctl_error = ENOTTY; /* no PROCMAP_QUERY */
	CHECK_EQUAL(pm_uffd_register(8, &ranges, errors), 3);
	CHECK(!errors[0] && !errors[1] && !errors[2]);
	lie.protect_error = EBUSY;
	lie.refused_from = 3 << 12;
	CHECK_EQUAL(pm_uffd_register(8, &ranges, errors), 2);
	CHECK(!errors[0] && errors[1] == EBUSY && !errors[2]);
	CHECK_EQUAL(pm_uffd_unregister(8, bounds, 3), 2);
	CHECK_EQUAL(lie.registered, 5);
	CHECK_EQUAL(lie.unregistered, 2);
	ranges.count = 0;
	CHECK_EQUAL(pm_uffd_register(8, &ranges, errors), 0);
	CHECK_EQUAL(pm_uffd_unregister(8, bounds, 0), 0);
}

/* A mapping that has grown, shrunk or gone since it was read is left alone. */
static void stale_bounds(void)
{
	static const uint64_t now[][2] = { { 4096, 8192 }, { 4096, 12288 }, { 0, 8192 } };
	uint64_t bounds[2] = { 4096, 8192 };
	struct pm_uffd_ranges ranges = { bounds, bounds, 1, 3 };
	struct pm_uapi_procmap_query vma = { .size = sizeof(vma) };
	int32_t error;

	tell_truth(1);
	lie.mapping = &vma;
	for (unsigned i = 0; i < 3; i++) {
		vma.start = now[i][0];
		vma.end = now[i][1];
		CHECK_EQUAL(pm_uffd_register(8, &ranges, &error), !i);
		CHECK_EQUAL(error, i ? EAGAIN : 0);
	}
	lie.ioctl_error = ENOENT;
	CHECK_EQUAL(pm_uffd_register(8, &ranges, &error), 0);
	CHECK_EQUAL(error, EAGAIN);
	CHECK_EQUAL(lie.registered, 1);
}

static void guards(void)
{
	int32_t held = -5, child;

	tell_truth(1);
	child = pm_guard_begin(3, &held);
	CHECK_EQUAL(child, 1234);
	CHECK_EQUAL(held, 9);
	pm_guard_end(child, held);
	CHECK_EQUAL(lie.children_ended, 1);
	lie.child_error = EAGAIN;
	held = -5;
	CHECK_EQUAL(pm_guard_begin(3, &held), -EAGAIN);
	CHECK_EQUAL(held, -5);
}

int main(void)
{
	opening();
	refusals(EPERM, 0);
	refusals(ENOSYS, 0);
	refusals(EMFILE, 0);
	refusals(0, EINVAL);
	ranges();
	stale_bounds();
	guards();
	return 0;
}
