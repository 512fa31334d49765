/*
 * Short reads: whatever number of bytes the kernel gives at a time, entries
 * arrive whole; one that was torn is read again from its start (an offset
 * inside an entry would be EINVAL, here as in the kernel).
 */
#include "check.h"

int main(void)
{
	enum { COUNT = 65 };
	uint64_t *out;

	for (size_t most = 8; most <= COUNT * 8 + 9; most++) {
		out = exactly(COUNT * 8);
		tell_truth(1 << 20);
		lie.most = most;
		CHECK_EQUAL(pm_read(3, 77, COUNT, out), COUNT);
		check_entries(out, 77, COUNT);
		free(out);
	}

	/* Never a whole entry: that must end, and not as if the address space did. */
	for (size_t most = 1; most < 8; most++) {
		out = exactly(COUNT * 8);
		tell_truth(1 << 20);
		lie.most = most;
		CHECK_EQUAL(pm_read(3, 77, COUNT, out), -EIO);
		free(out);
	}
	return 0;
}
