/* What every native test needs: a check that says where, and exact buffers. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "lying_sys.h"

/*
 * What is drawn at random is drawn in rounds, from round_from() up to round_to(usual).
 * Where a fuzzer draws (tests/fuzz), each of its inputs is one round of some number.
 */
#ifdef PM_FUZZ
enum { PM_FUZZED = 1 };
unsigned round_from(void);
unsigned round_to(unsigned usual);
#else
enum { PM_FUZZED = 0 };
static inline unsigned round_from(void)
{
	return 0;
}

static inline unsigned round_to(unsigned usual)
{
	return usual;
}
#endif

#define CHECK_EQUAL(got, wanted) \
	check_equal((int64_t)(got), (int64_t)(wanted), #got, __FILE__, __LINE__)
#define CHECK(truth) check_equal(!!(truth), 1, #truth, __FILE__, __LINE__)

static inline void check_equal(int64_t got, int64_t wanted, const char *what, const char *file,
			       int line)
{
	if (got == wanted)
		return;
	fprintf(stderr, "%s:%d: %s is %" PRId64 ", wanted %" PRId64 "\n", file, line, what, got,
		wanted);
	exit(1);
}

/* Heap memory of exactly `size` bytes, filled: ASan guards the byte right behind. */
static inline void *exactly(size_t size)
{
	/* malloc(0) may give NULL, which would also pass for a failure */
	char *memory = malloc(size ? size : 1);

	CHECK(memory != NULL);
	memset(memory, 0xee, size);
	return memory;
}

static inline void check_untouched(const void *memory, size_t size)
{
	const unsigned char *bytes = memory;

	for (size_t i = 0; i < size; i++)
		CHECK_EQUAL(bytes[i], 0xee);
}

/* The entries of `count` pages from `vpn` on, as the lying kernel has them. */
static inline void check_entries(const uint64_t *entries, uint64_t vpn, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		CHECK(entries[i] == lie_entry(vpn + i));
}

static inline void tell_truth(uint64_t end)
{
	lie = (struct lie){ .end = end };
}

#endif
