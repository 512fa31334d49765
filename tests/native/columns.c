/*
 * Columns and tallies write exactly `count` items: the buffers are exact, with
 * counts around what a vector register holds. The values are checked against
 * Python in tests/property; here, one word computed by hand.
 */
#include "check.h"
#include "kernel/decode.cdef.h"
#include "analyses/tally.cdef.h"

static void check_count(uint64_t count)
{
	uint64_t *entries = exactly(count * 8), *wide = exactly(count * 8);
	uint8_t *narrow = exactly(count);
	struct pm_tally tally = { 0 };
	uint64_t present = 0;

	for (uint64_t i = 0; i < count; i++) {
		entries[i] = lie_entry(i);
		present += entries[i] >> 63;
	}
	pm_pfns(entries, count, wide);
	pm_addresses(0x1000, 4096, count, wide);
	for (uint64_t i = 0; i < count; i++)
		CHECK_EQUAL(wide[i], 0x1000 + i * 4096);
	pm_swap_offsets(entries, count, 0, wide);
	pm_swap_offsets(entries, count, 1, wide);
	for (uint64_t i = 0; i < count; i++)
		CHECK(wide[i] == UINT64_MAX);
	pm_swap_types(entries, count, 0, narrow);
	pm_swap_types(entries, count, 1, narrow);
	for (uint64_t i = 0; i < count; i++)
		CHECK_EQUAL(narrow[i], PM_NO_SWAP_TYPE);
	for (uint32_t bit = 0; bit < 64; bit++)
		pm_bits(entries, count, bit, narrow);
	for (uint64_t i = 0; i < count; i++)
		CHECK_EQUAL(narrow[i], entries[i] >> 63);
	pm_tally_add(entries, count, &tally);
	pm_tally_add(entries, count, &tally);
	CHECK_EQUAL(tally.pages, 2 * count);
	CHECK_EQUAL(tally.present, 2 * present);
	free(entries);
	free(wide);
	free(narrow);
}

static void by_hand(void)
{
	/* swapped, soft-dirty, guard; swap type 3, offset 0x12345 */
	const uint64_t entry = UINT64_C(0x44800000002468a3);
	struct pm_tally tally = { 0 };
	uint64_t wide = 0;
	uint8_t narrow = 0;

	pm_pfns(&entry, 1, &wide);
	CHECK(wide == UINT64_MAX);
	pm_swap_types(&entry, 1, 0, &narrow);
	CHECK_EQUAL(narrow, 3);
	pm_swap_offsets(&entry, 1, 0, &wide);
	CHECK_EQUAL(wide, 0x12345);
	pm_tally_add(&entry, 1, &tally);
	CHECK_EQUAL(tally.pages, 1);
	CHECK_EQUAL(tally.present, 0);
	CHECK_EQUAL(tally.swapped, 1);
	CHECK_EQUAL(tally.file_or_shared, 0);
	CHECK_EQUAL(tally.exclusive, 0);
	CHECK_EQUAL(tally.soft_dirty, 1);
	CHECK_EQUAL(tally.uffd_wp, 0);
	CHECK_EQUAL(tally.guard, 1);
	CHECK_EQUAL(tally.anonymous, 0);
}

/* Anonymous is what is present and not of a file; a shared page in swap is neither. */
static void anonymous_by_hand(void)
{
	static const uint64_t entries[] = {
		UINT64_C(0x8000000000000001), UINT64_C(0xa000000000000001),
		UINT64_C(0x8180000000000001), UINT64_C(0x4000000000000001),
		UINT64_C(0x6000000000000001), UINT64_C(0xffffffffffffffff),
		UINT64_C(0xc000000000000001), 0,
	};
	struct pm_tally tally = { 0 };

	pm_tally_add(entries, 8, &tally);
	CHECK_EQUAL(tally.pages, 8);
	CHECK_EQUAL(tally.present, 5);
	CHECK_EQUAL(tally.swapped, 4);
	CHECK_EQUAL(tally.file_or_shared, 3);
	CHECK_EQUAL(tally.exclusive, 2);
	CHECK_EQUAL(tally.soft_dirty, 2);
	CHECK_EQUAL(tally.uffd_wp, 1);
	CHECK_EQUAL(tally.guard, 1);
	CHECK_EQUAL(tally.anonymous, 3);
}

int main(void)
{
	for (uint64_t count = 0; count < 70; count++)
		check_count(count);
	check_count(4097);
	by_hand();
	anonymous_by_hand();
	return 0;
}
