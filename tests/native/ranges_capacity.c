/*
 * Ranges that do not fit, by one entry or because their sum passes 2^64, are
 * refused before anything is read; every output stays as it was.
 */
#include "check.h"

static void check_refused(const struct pm_range *ranges, uint64_t count, uint64_t capacity,
			  int error)
{
	uint64_t *out = exactly(16 * 8), *stored = exactly(count * 8);

	tell_truth(1 << 20);
	CHECK_EQUAL(pm_read_ranges(3, ranges, count, out, capacity, stored), -error);
	CHECK_EQUAL(lie.reads, 0);
	check_untouched(out, 16 * 8);
	check_untouched(stored, count * 8);
	free(out);
	free(stored);
}

int main(void)
{
	const uint64_t quarter = UINT64_C(1) << 58; /* pages whose offsets still fit */
	struct pm_range small[] = { { 0, 10 }, { 100, 0 }, { 200, 7 } };
	struct pm_range wraps[] = {
		{ 0, quarter }, { 1, quarter }, { 2, quarter }, { 3, quarter }, { 4, 16 },
	};
	struct pm_range many[80], largest[17];
	struct pm_range far[] = { { 0, 4 }, { UINT64_MAX - 3, 4 } };
	struct pm_range long_one[] = { { 0, 4 }, { 8, UINT64_MAX - 2 } };
	uint64_t out[17], stored[3];

	check_refused(small, 3, 16, ENOSPC);
	check_refused(small, 3, 0, ENOSPC);
	check_refused(small, 1, 9, ENOSPC);
	check_refused(wraps, 5, 16, ENOSPC);
	/* 64 of them make 2^64, so what fits in the sum modulo 2^64 is the last 16 alone */
	for (uint64_t i = 0; i < 80; i++)
		many[i] = (struct pm_range){ i, i < 64 ? quarter : 1 };
	check_refused(many, 80, 16, ENOSPC);
	/* and where the capacity says that anything fits, the sum passes 2^64 itself */
	for (uint64_t i = 0; i < 17; i++)
		largest[i] = (struct pm_range){ 0, INT64_MAX / 8 };
	check_refused(largest, 17, UINT64_MAX, ENOSPC);
	check_refused(far, 2, 16, EINVAL);
	check_refused(long_one, 2, 16, EINVAL);

	tell_truth(1 << 20);
	CHECK_EQUAL(pm_read_ranges(3, small, 3, out, 17, stored), 17);
	CHECK_EQUAL(pm_read_ranges(3, NULL, 0, NULL, 0, NULL), 0);
	return 0;
}
