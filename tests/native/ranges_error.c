/* An error within any of the ranges is the result, and nothing is written past their room. */
#include "check.h"

int main(void)
{
	struct pm_range ranges[] = { { 10, 5 }, { 15, 5 }, { 40, 0 }, { 60, 5 }, { 90, 5 } };
	enum { RANGES = 5, CAPACITY = 20 };

	for (uint64_t at = 9; at < 97; at++) {
		uint64_t *out = exactly(CAPACITY * 8), *stored = exactly(RANGES * 8);
		int hit = (at >= 10 && at < 20) || (at >= 60 && at < 65) || (at >= 90 && at < 95);

		tell_truth(1000);
		lie.error = EIO;
		lie.error_at = at;
		CHECK_EQUAL(pm_read_ranges(3, ranges, RANGES, out, CAPACITY, stored),
			    hit ? -EIO : CAPACITY);
		free(out);
		free(stored);
	}
	return 0;
}
