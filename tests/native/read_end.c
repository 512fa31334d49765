/*
 * The address space ends: a read of 0 bytes is the end, not an error, and not
 * a reason to go round for ever. What lies behind is untouched.
 */
#include "check.h"

int main(void)
{
	enum { COUNT = 40 };
	uint64_t *out;

	for (uint64_t end = 0; end <= 900 + COUNT + 2; end += end < 890 ? 89 : 1) {
		uint64_t there = end < 900 ? 0 : end - 900 > COUNT ? COUNT : end - 900;

		for (size_t most = 0; most <= 24; most += 12) {
			out = exactly(COUNT * 8);
			tell_truth(end);
			lie.most = most;
			CHECK_EQUAL(pm_read(3, 900, COUNT, out), there);
			check_entries(out, 900, there);
			check_untouched(out + there, (COUNT - there) * 8);
			CHECK(lie.reads <= COUNT + 1);
			free(out);
		}
	}
	return 0;
}
