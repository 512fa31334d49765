/*
 * Whether bit 56 of a huge page is each page's own: by what a child's write leaves of it,
 * or that it cannot be tried. Whatever happens the child ends, and all is given back.
 */
#include "check.h"
#include "kernel/probe.cdef.h"

#define PRESENT	  (UINT64_C(1) << 63)
#define HUGE	  (UINT64_C(1) << 59) /* see lie_categories */
#define EXCLUSIVE (UINT64_C(1) << 56)

static uint64_t huge_entry(uint64_t vpn)
{
	return PRESENT | HUGE | EXCLUSIVE | (vpn & 0xffff);
}

static uint64_t small_entry(uint64_t vpn)
{
	return huge_entry(vpn) & ~HUGE;
}

static void begin(void)
{
	tell_truth(UINT64_C(1) << 51);
	lie.entry = huge_entry;
	lie.scan = 1;
}

static void check(int32_t wanted, unsigned children)
{
	CHECK_EQUAL(pm_probe_exclusive("/proc/self/pagemap"), wanted);
	CHECK_EQUAL(lie.children, children);
	CHECK_EQUAL(lie.children_ended, lie.children);
	CHECK_EQUAL(lie.opened, lie.closed);
	CHECK_EQUAL(lie.mapped, lie.unmapped);
}

int main(void)
{
	begin();
	lie.shared_entries[0] = PRESENT | EXCLUSIVE;
	lie.shared_entries[1] = PRESENT;
	check(1, 1);
	begin();
	lie.shared_entries[0] = lie.shared_entries[1] = PRESENT | EXCLUSIVE;
	check(0, 1);
	begin();
	lie.shared_entries[0] = lie.shared_entries[1] = PRESENT;
	check(-ENODATA, 1);
	begin();
	lie.entry = small_entry;
	check(-ENODATA, 0);
	begin();
	lie.child_error = EAGAIN;
	check(-EAGAIN, 0);
	begin();
	lie.scan_error = ENOTTY;
	check(-ENOTTY, 0);
	begin();
	lie.map_error = ENOMEM;
	check(-ENOMEM, 0);
	begin();
	lie.open_error = EACCES;
	CHECK_EQUAL(pm_probe_exclusive("/proc/self/pagemap"), -EACCES);
	return 0;
}
