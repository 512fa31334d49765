/* The processor of a thread, out of its stat, whatever its name is. */
#include "check.h"
#include "kernel/status.h"

/* proc(5): the state, 35 fields, and then the processor */
#define BEFORE_PRIORITY " S 1 2 -3 4 5 -1 7 8 9 10 11 12 13 14"
#define AFTER_PRIORITY                      \
	" 16 17 18 19 20 21 22 23 24 25 26" \
	" 27 28 29 30 31 32 33 34 35"
#define FIELDS	  BEFORE_PRIORITY " 20" AFTER_PRIORITY
#define REAL_TIME BEFORE_PRIORITY " -51" AFTER_PRIORITY

static int64_t processor_of(const char *text)
{
	lie = (struct lie){ .bytes = (const uint8_t *)text, .bytes_size = strlen(text) };
	return pm_status_processor(LIE_BYTES);
}

static int64_t number_of(const char *text)
{
	lie = (struct lie){ .bytes = (const uint8_t *)text, .bytes_size = strlen(text) };
	return pm_status_number(LIE_BYTES, "Pid:");
}

/* In a proc of another's hand a number may have any digits: signed ones overflowed. */
static void numbers_of_no_kernel(void)
{
	CHECK_EQUAL(number_of("Name:\tPid:\nPid:\t4242\n"), 4242);
	CHECK_EQUAL(number_of("Pid:\t922337203685477579\n"), INT64_C(922337203685477579));
	CHECK_EQUAL(number_of("Pid:\t9223372036854775807\n"), -EIO);
	CHECK_EQUAL(number_of("Pid:\t9223372036854775808\n"), -EIO);
	CHECK_EQUAL(number_of("Pid:\t9999999999999999999999999\n"), -EIO);
	CHECK_EQUAL(processor_of("7 (cat)" FIELDS " 9999999999999999999999999 1\n"), -EIO);
}

/* Nor need it have an end: a hole of terabytes was read through. */
static void more_than_any_kernel_has(void)
{
	static uint8_t hole[8 << 20];

	memcpy(hole + sizeof(hole) - 8, "\nPid:\t7\n", 8);
	lie = (struct lie){ .bytes = hole, .bytes_size = sizeof(hole) };
	CHECK_EQUAL(pm_status_number(LIE_BYTES, "Pid:"), -EIO);
	lie.bytes += sizeof(hole) - (1 << 20);
	lie.bytes_size = 1 << 20;
	CHECK_EQUAL(pm_status_number(LIE_BYTES, "Pid:"), 7);
}

int main(void)
{
	numbers_of_no_kernel();
	more_than_any_kernel_has();
	CHECK_EQUAL(processor_of("7 (cat)" FIELDS " 0 0 0\n"), 0);
	CHECK_EQUAL(processor_of("7 (cat)" FIELDS " 63 1 2 3\n"), 63);
	CHECK_EQUAL(processor_of("7 (a) S 1 (b) 9 )" FIELDS " 1234 1\n"), 1234);
	CHECK_EQUAL(processor_of("7 (cat)" REAL_TIME " 1 50 1\n"), -EBUSY);
	CHECK_EQUAL(processor_of("7 (cat)" FIELDS), -ENODATA);
	CHECK_EQUAL(processor_of("7 (cat) S 1 2 3\n"), -ENODATA);
	CHECK_EQUAL(processor_of("7 cat S 1 2 3\n"), -ENODATA);
	CHECK_EQUAL(processor_of(""), -ENODATA);
	return 0;
}
