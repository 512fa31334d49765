/*
 * Which mappings a scan passes over: neither a read nor a scan that fails is taken for an answer, and
 * a process that is gone has none.
 */
#include "scene.h"
#include "snapshot/take.cdef.h"

static uint64_t nothing(uint64_t vpn)
{
	(void)vpn;
	return 0;
}

int main(void)
{
	struct pm_range one = { 5, 2 };

	tell_truth(10);
	lie.entry = scene_entry;
	lie.scan = 1;
	scene[5] = scene[6] = SCENE_DIRTY;
	CHECK_EQUAL(pm_take_skipped(3, 12, &one, 1), 0);
	lie.scanned = nothing;
	CHECK_EQUAL(pm_take_skipped(3, 12, &one, 1), 1);
	lie.scan_error = EINVAL;
	CHECK_EQUAL(pm_take_skipped(3, 12, &one, 1), -EINVAL);
	lie.error = EIO;
	lie.error_at = 5;
	CHECK_EQUAL(pm_take_skipped(3, 12, &one, 1), -EIO);
	tell_truth(5);
	CHECK_EQUAL(pm_take_skipped(3, 12, &one, 1), 0);
	return 0;
}
