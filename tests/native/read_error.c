/* An error of the kernel, at the first page or in the middle, is the result. */
#include "check.h"

int main(void)
{
	static const int errors[] = { EIO, ENOMEM, EFAULT, EINVAL, ESRCH, EAGAIN };
	enum { COUNT = 50 };
	uint64_t *out;

	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		for (uint64_t at = 0; at <= COUNT; at++) {
			out = exactly(COUNT * 8);
			tell_truth(1 << 20);
			lie.error = errors[e];
			lie.error_at = 500 + at;
			/* an error right behind the range is not ours */
			CHECK_EQUAL(pm_read(3, 500, COUNT, out), at < COUNT ? -errors[e] : COUNT);
			check_entries(out, 500, at);
			check_untouched(out + at, (COUNT - at) * 8);
			free(out);
		}
	}
	return 0;
}
