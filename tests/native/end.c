/* The end of an address space, found by trying: exactly, in few reads, and never past 63 bits. */
#include "check.h"

int main(void)
{
	static const uint64_t ends[] = {
		1,
		2,
		3,
		77,
		(UINT64_C(1) << 35) - 1,
		UINT64_C(1) << 35,
		(UINT64_C(1) << 47) - 1,
		(UINT64_C(1) << 52) - 1,
	};

	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		for (unsigned interrupt = 0; interrupt < 3; interrupt++) {
			tell_truth(ends[i]);
			lie.interrupt = interrupt;
			CHECK_EQUAL(pm_end(3, 12), ends[i]);
			CHECK(lie.reads <= 64);
		}
	/* 64 KiB pages: fewer bits of page number are left */
	tell_truth((UINT64_C(1) << 48) - 1);
	CHECK_EQUAL(pm_end(3, 16), (UINT64_C(1) << 48) - 1);
	/* gone, or never there */
	tell_truth(0);
	CHECK_EQUAL(pm_end(3, 12), 0);
	tell_truth(1 << 20);
	lie.dies_after = 1;
	CHECK_EQUAL(pm_end(3, 12), 0);
	tell_truth(1 << 20);
	lie.error = EIO;
	lie.error_at = UINT64_C(1) << 51;
	CHECK_EQUAL(pm_end(3, 12), -EIO);
	return 0;
}
