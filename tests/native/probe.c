/*
 * Probes: what the kernel answers, each way in which it can refuse, and that a
 * probe leaves neither a descriptor nor a mapping behind.
 */
#include "check.h"
#include "kernel/probe.cdef.h"

#define PRESENT (UINT64_C(1) << 63)

static void own_page(uint64_t entry)
{
	tell_truth(UINT64_C(1) << 52);
	lie.own_entry = entry;
	lie.interrupt = 2;
}

static void nothing_left(void)
{
	CHECK_EQUAL(lie.opened, lie.closed);
	CHECK_EQUAL(lie.mapped, lie.unmapped);
}

static void answers(uint64_t entry, int32_t pfns, int32_t soft_dirty)
{
	own_page(entry);
	CHECK_EQUAL(pm_probe_pfns("pagemap"), pfns);
	CHECK_EQUAL(pm_probe_soft_dirty("pagemap"), soft_dirty);
	CHECK(lie.last_open_flags & O_CLOEXEC);
	nothing_left();
}

static void refusals(int open_error, int map_error, int read_error, int32_t pfns, int32_t dirty)
{
	own_page(PRESENT | 5);
	lie.open_error = open_error;
	lie.map_error = map_error;
	if (read_error)
		lie.end = 0;
	CHECK_EQUAL(pm_probe_pfns("pagemap"), pfns);
	CHECK_EQUAL(pm_probe_soft_dirty("pagemap"), dirty);
	nothing_left();
}

/* Which bits the kernel tells of a page that is written, and then guarded. */
static void told(void)
{
	const uint64_t always = UINT64_C(7) << 61, dirty = UINT64_C(1) << 55;
	const uint64_t sole = UINT64_C(1) << 56, guard = UINT64_C(1) << 58;
	const uint64_t written[] = { 0, dirty, sole, dirty | sole };
	uint64_t bits = 0;

	for (unsigned i = 0; i < 4; i++) {
		own_page(PRESENT | written[i] | 5);
		lie.marked_entry = UINT64_C(1) << 62 | guard;
		CHECK_EQUAL(pm_probe_told("pagemap", &bits), 0);
		CHECK(bits == (always | written[i] | guard));
		nothing_left();
		/* 6.13 has guards, of which its page table does not tell */
		own_page(PRESENT | written[i] | 5);
		lie.marked_entry = UINT64_C(1) << 62 | 159;
		CHECK_EQUAL(pm_probe_told("pagemap", &bits), 0);
		CHECK(bits == (always | written[i]));
		/* no guards: then a scan knows of none either */
		own_page(PRESENT | written[i] | 5);
		lie.madvise_error = EINVAL;
		lie.ioctl_error = EINVAL;
		CHECK_EQUAL(pm_probe_told("pagemap", &bits), 0);
		CHECK(bits == (always | written[i]));
		/* but memory that is locked takes none, and a scan does know */
		lie.ioctl_error = 0;
		CHECK_EQUAL(pm_probe_told("pagemap", &bits), 0);
		CHECK(bits == (always | written[i] | guard));
		nothing_left();
	}
	bits = 1;
	own_page(PRESENT);
	lie.open_error = EACCES;
	CHECK_EQUAL(pm_probe_told("pagemap", &bits), -EACCES);
	own_page(UINT64_C(1) << 62 | 5);
	CHECK_EQUAL(pm_probe_told("pagemap", &bits), -ENODATA);
	CHECK(bits == 1);
	nothing_left();
}

static void uffd_wp(void)
{
	own_page(PRESENT | 5);
	lie.marked_entry = PRESENT | UINT64_C(1) << 57 | 5;
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), 1);
	nothing_left();
	own_page(PRESENT | 5);
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), 0);
	/* there is no userfaultfd, or none that protects: that is an answer; being forbidden is not */
	lie.userfaultfd_error = ENOSYS;
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), 0);
	lie.ioctl_error = EINVAL;
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), 0);
	lie.ioctl_error = 0;
	lie.protect_error = ENOMEM;
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), -ENOMEM);
	lie.open_error = ENOENT;
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), -ENOENT);
	lie.userfaultfd_error = lie.userfaultfd_next_error = EPERM;
	CHECK_EQUAL(pm_probe_uffd_wp("pagemap"), -EPERM);
	nothing_left();
}

static void scan(void)
{
	tell_truth(0);
	CHECK_EQUAL(pm_probe_scan(3, 1), 0);
	lie.ioctl_error = ENOTTY;
	CHECK_EQUAL(pm_probe_scan(3, 1), -ENOTTY);
	lie.ioctl_error = EINVAL;
	CHECK_EQUAL(pm_probe_scan(3, UINT64_C(1) << 40), -EINVAL);
}

static void userfaultfd(void)
{
	const uint64_t untouched = UINT64_C(0x5555555555555555);
	uint64_t features = untouched;

	tell_truth(0);
	lie.features = 0x1ffff;
	CHECK_EQUAL(pm_probe_userfaultfd(&features), 0);
	CHECK_EQUAL(features, 0x1ffff);
	nothing_left();

	/* forbidden for faults in the kernel, allowed for those of user mode */
	features = untouched;
	lie.userfaultfd_error = EPERM;
	CHECK_EQUAL(pm_probe_userfaultfd(&features), 0);
	CHECK_EQUAL(lie.last_userfaultfd_flags & 1, 1);
	CHECK_EQUAL(features, 0x1ffff);
	nothing_left();

	features = untouched;
	lie.userfaultfd_error = lie.userfaultfd_next_error = EPERM;
	CHECK_EQUAL(pm_probe_userfaultfd(&features), -EPERM);
	lie.userfaultfd_error = lie.userfaultfd_next_error = ENOSYS;
	CHECK_EQUAL(pm_probe_userfaultfd(&features), -ENOSYS);
	lie.userfaultfd_error = lie.userfaultfd_next_error = 0;
	lie.ioctl_error = EINVAL;
	CHECK_EQUAL(pm_probe_userfaultfd(&features), -EINVAL);
	CHECK(features == untouched);
	nothing_left();
}

int main(void)
{
	answers(PRESENT | 0x12845d, 1, 0);
	answers(PRESENT | UINT64_C(1) << 55, 0, 1);
	answers(PRESENT | UINT64_C(1) << 55 | 1, 1, 1);
	/* never present: that cannot be the page that was just written */
	answers(UINT64_C(1) << 62 | 5, -ENODATA, -ENODATA);

	/* 4.0 and 4.1 answered EPERM instead of hiding PFNs */
	refusals(EPERM, 0, 0, 0, -EPERM);
	refusals(ENOENT, 0, 0, -ENOENT, -ENOENT);
	refusals(0, ENOMEM, 0, -ENOMEM, -ENOMEM);
	refusals(0, 0, 1, -ENODATA, -ENODATA);

	told();
	uffd_wp();
	scan();
	userfaultfd();
	return 0;
}
