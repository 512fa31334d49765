/*
 * Text is read until there is enough of it or the file ends, whatever the
 * kernel gives at a time. The lying kernel's entries serve as text.
 */
#include "check.h"

enum { COUNT = 65, SIZE = COUNT * 8 };

static void check_pieces(size_t most, unsigned interrupt)
{
	char *out = exactly(SIZE);

	tell_truth(1 << 20);
	lie.most = most;
	lie.interrupt = interrupt;
	CHECK_EQUAL(pm_read_text(3, UINT64_C(8) * 77, SIZE, out), SIZE);
	check_entries((uint64_t *)out, 77, COUNT);
	free(out);
}

int main(void)
{
	char *out = exactly(SIZE);

	for (size_t most = 8; most <= SIZE + 8; most += 8)
		check_pieces(most, (unsigned)(most % 3));

	/* the file ends before there is enough */
	tell_truth(80);
	lie.most = 8;
	CHECK_EQUAL(pm_read_text(3, UINT64_C(8) * 77, SIZE, out), 3 * 8);
	check_entries((uint64_t *)out, 77, 3);
	check_untouched(out + 3 * 8, SIZE - 3 * 8);

	/* or the target does, midway */
	tell_truth(1 << 20);
	lie.most = 8;
	lie.error = ESRCH;
	lie.error_at = 80;
	CHECK_EQUAL(pm_read_text(3, UINT64_C(8) * 77, SIZE, out), -ESRCH);
	free(out);
	return 0;
}
