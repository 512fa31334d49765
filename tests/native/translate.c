/* One address to one physical address, and each way in which there is none. */
#include "check.h"

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

static int64_t translate(uint64_t entry, uint64_t address, uint32_t page_shift)
{
	tell_truth(UINT64_C(1) << 52);
	lie.own_entry = entry;
	lie.interrupt = 3;
	return pm_translate(3, address, page_shift);
}

int main(void)
{
	const uint64_t other_bits = UINT64_C(0x3f) << 55 | UINT64_C(1) << 61;

	CHECK_EQUAL(translate(PRESENT | 0x12845d, 0x400000, 12), 0x12845d000);
	CHECK_EQUAL(translate(PRESENT | 0x12845d | other_bits, 0x400fff, 12), 0x12845dfff);
	CHECK_EQUAL(translate(PRESENT | 0x12845d, 0x403fff, 14), 0x4a1177fff);
	CHECK_EQUAL(translate(PRESENT | 0x12845d, 0x40ffff, 16), 0x12845dffff);
	/* the highest PFN that a signed result holds, and one more */
	CHECK_EQUAL(translate(PRESENT | ((UINT64_C(1) << 51) - 1), 1, 12), INT64_MAX - 0xffe);
	CHECK_EQUAL(translate(PRESENT | UINT64_C(1) << 51, 1, 12), -EOVERFLOW);
	CHECK_EQUAL(translate(PRESENT | ((UINT64_C(1) << 55) - 1), 1, 16), -EOVERFLOW);

	CHECK_EQUAL(translate(PRESENT, 0x400000, 12), -ENXIO); /* hidden */
	CHECK_EQUAL(translate(SWAPPED | 0x12845d, 0x400000, 12), -ENXIO);
	CHECK_EQUAL(translate(UINT64_C(1) << 55, 0x400000, 12), -ENXIO);

	tell_truth(0x400);
	CHECK_EQUAL(pm_translate(3, 0x400000, 12), -ENODATA);
	CHECK_EQUAL(pm_translate(3, UINT64_MAX, 12), -ENODATA);
	CHECK(pm_translate(3, 0x3ff123, 12) != -ENODATA);
	lie.error = EIO;
	lie.error_at = 0x3ff;
	CHECK_EQUAL(pm_translate(3, 0x3ff123, 12), -EIO);
	return 0;
}
