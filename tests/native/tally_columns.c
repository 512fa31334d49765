/*
 * Counts as columns, and what stands behind mappings: against values by hand.
 */
#include "scene.h"
#include "walk/spans.cdef.h"
#include "analyses/tally.cdef.h"

/* Each count is a column, in bytes, and rss of no file is parted by what stands behind. */
static void columns(void)
{
	static const uint8_t by[] = { PM_BACKED_BY_NONE, PM_BACKED_BY_FILE, PM_BACKED_BY_SHMEM,
				      PM_BACKED_BY_EITHER, PM_BACKED_BY_EITHER | PM_MIXED };
	enum { ROWS = sizeof(by) };
	struct pm_counts counts[ROWS] = { 0 };
	int64_t *out = exactly(PM_COUNTS_COLUMNS * ROWS * sizeof(*out));
	uint8_t *parts = exactly(ROWS), *known = exactly(ROWS);

	for (uint64_t i = 0; i < ROWS; i++) {
		counts[i].pages = 100 + i;
		counts[i].anon = 10 + i;
		counts[i].file_or_shared = i < 4 ? 1 + i : 0;
		counts[i].marked_zero = 7 * i;
	}
	CHECK_EQUAL(pm_counts_columns(counts, by, ROWS, 12, out, parts, known), PM_UNKNOWN_PARTS);
	for (uint64_t i = 0; i < ROWS; i++) {
		CHECK_EQUAL(out[i], (int64_t)(100 + i) << 12);
		CHECK_EQUAL(out[(PM_COUNTS - 1) * ROWS + i], (int64_t)(7 * i) << 12);
		CHECK_EQUAL(out[PM_COLUMN_FILE * ROWS + i], i == 1 ? 2 << 12 : 0);
		CHECK_EQUAL(out[PM_COLUMN_SHMEM * ROWS + i], i == 2 ? 3 << 12 : 0);
		CHECK_EQUAL(parts[i], i == 1 || i == 2 || i == 4);
		CHECK_EQUAL(known[i], 1);
	}
	counts[1].hidden = 1;
	CHECK_EQUAL(pm_counts_columns(counts, by, 3, 12, out, parts, known),
		    PM_UNKNOWN_PARTS | PM_UNKNOWN_KINDS);
	CHECK(known[0] && !known[1] && known[2]);
	CHECK_EQUAL(pm_counts_columns(counts + 1, by + 1, 0, 12, out, parts, known), 0);
	free(out);
	free(parts);
	free(known);
}

/* By the device; of what has none, by the name. Private mappings of others may hold copies. */
static void backings(void)
{
	static const int32_t perms[] = { 0, 1, 0, 1, 0, 0 }, devices[] = { 0, 0, 1, 1, 2, 0 },
			     paths[] = { 0, 1, 2, 2, 2, 1 };
	static const uint8_t is_private[] = { 1, 0 },
			     of_path[] = { PM_BACKED_BY_NONE, PM_BACKED_BY_FILE, 99 },
			     of_device[] = { PM_BACKED_BY_PATH, PM_BACKED_BY_SHMEM,
					     PM_BACKED_BY_HUGETLB },
			     wanted[] = { PM_BACKED_BY_NONE,
					  PM_BACKED_BY_FILE,
					  PM_BACKED_BY_SHMEM | PM_MIXED,
					  PM_BACKED_BY_SHMEM,
					  PM_BACKED_BY_HUGETLB,
					  PM_BACKED_BY_FILE | PM_MIXED };
	uint8_t *out = exactly(6);

	pm_backing_of(perms, devices, paths, 6, is_private, of_device, of_path, out);
	CHECK(!memcmp(out, wanted, 6));
	free(out);
}

int main(void)
{
	columns();
	backings();
	return 0;
}
