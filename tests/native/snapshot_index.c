/* Blocks that overlap, go backwards, or lie past the end of the file are refused. */
#include "check.h"
#include "snapshot/block.h"
#include "snapshot/saved.cdef.h"

int main(void)
{
	const struct pm_saved_block good = { .vpn = 5, .end = 9, .offset = 16, .size = 100 };
	struct pm_saved_block two[2] = { good,
					 { .vpn = 9, .end = 10, .offset = 116, .size = 100 } };

	CHECK_EQUAL(pm_saved_check(two, 2, 216), 0);
	CHECK_EQUAL(pm_saved_check(two, 2, 215), -EBADMSG);
	two[1].vpn = 8;
	CHECK_EQUAL(pm_saved_check(two, 2, 216), -EBADMSG);
	two[1].vpn = two[1].end = 9;
	CHECK_EQUAL(pm_saved_check(two, 2, 216), -EBADMSG);
	two[1].end = UINT64_MAX;
	CHECK_EQUAL(pm_saved_check(two, 2, 216), -EBADMSG);
	two[1] = good;
	two[1].vpn = 9;
	two[1].end = 10;
	two[1].offset = UINT64_MAX - 50;
	CHECK_EQUAL(pm_saved_check(two, 2, 216), -EBADMSG);
	two[1].offset = 0;
	two[1].size = PM_BLOCK_BYTES + 1;
	CHECK_EQUAL(pm_saved_check(two, 2, 1 << 30), -EBADMSG);
	two[1].size = PM_CHUNK_HEADER - 1;
	CHECK_EQUAL(pm_saved_check(two, 2, 1 << 30), -EBADMSG);
	return 0;
}
