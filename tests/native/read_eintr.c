/* A storm of signals delays a read and changes nothing. */
#include "check.h"

int main(void)
{
	enum { COUNT = 300 };
	uint64_t *out;

	for (unsigned storm = 0; storm < 100; storm += 9) {
		out = exactly(COUNT * 8);
		tell_truth(1 << 20);
		lie.interrupt = storm;
		lie.most = 37 * 8; /* so that later reads are interrupted too */
		CHECK_EQUAL(pm_read(3, 1000, COUNT, out), COUNT);
		check_entries(out, 1000, COUNT);
		CHECK_EQUAL(lie.reads, (COUNT + 36) / 37);
		free(out);
	}
	return 0;
}
