/* Page numbers whose byte offset does not fit in 63 bits, and reads of nothing. */
#include "check.h"

int main(void)
{
	const uint64_t last = INT64_MAX / 8; /* its entry would end past 63 bits */
	static const struct {
		uint64_t vpn, count;
	} too_far[] = {
		{ INT64_MAX / 8, 1 },	   { INT64_MAX / 8 + 1, 0 },
		{ INT64_MAX / 8 + 1, 1 },  { UINT64_MAX, 1 },
		{ 1, UINT64_MAX },	   { UINT64_MAX, UINT64_MAX },
		{ 0, UINT64_MAX / 8 + 1 }, { 2, INT64_MAX / 8 - 1 },
		{ UINT64_MAX - 1, 2 },	   { UINT64_C(1) << 61, 1 << 3 },
	};
	uint64_t out;

	memset(&out, 0xee, sizeof(out));
	for (size_t i = 0; i < sizeof(too_far) / sizeof(too_far[0]); i++) {
		tell_truth(UINT64_MAX);
		CHECK_EQUAL(pm_read(3, too_far[i].vpn, too_far[i].count, &out), -EINVAL);
		CHECK_EQUAL(lie.reads, 0);
		check_untouched(&out, sizeof(out));
	}

	tell_truth(UINT64_MAX);
	CHECK_EQUAL(pm_read(3, last - 1, 1, &out), 1);
	check_entries(&out, last - 1, 1);

	tell_truth(UINT64_MAX);
	CHECK_EQUAL(pm_read(3, 0, 0, NULL), 0);
	CHECK_EQUAL(pm_read(3, last, 0, NULL), 0);
	CHECK_EQUAL(lie.reads, 0);
	return 0;
}
