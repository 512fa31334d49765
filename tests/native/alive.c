/* Whether the address space lives: both ways in which kernels say that it is gone. */
#include "check.h"

int main(void)
{
	tell_truth(1 << 20);
	lie.interrupt = 5;
	CHECK_EQUAL(pm_alive(3), 1);
	tell_truth(0);
	CHECK_EQUAL(pm_alive(3), 0);
	tell_truth(1 << 20);
	lie.error = ESRCH;
	CHECK_EQUAL(pm_alive(3), 0);
	lie.error = EIO;
	CHECK_EQUAL(pm_alive(3), -EIO);
	return 0;
}
