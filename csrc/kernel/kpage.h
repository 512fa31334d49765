/*
 * What the sorts of PFNs share: a look at all of them beforehand, and words of a PFN
 * and its place.
 */
#ifndef PM_KPAGE_H
#define PM_KPAGE_H

#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	PM_DIGIT_BITS = 11, /* 2,048 counters: they stay in the first cache */
	PM_DIGITS = 1 << PM_DIGIT_BITS,
	PM_LONG_RUN = 2, /* PFNs in a row, on average, that are worth sorting as one */
};

/* What is to be known of PFNs before they are sorted. */
struct pm_survey {
	uint64_t stored;   /* how many a file may hold */
	uint64_t runs;	   /* in which each is the next after the one before */
	uint64_t descents; /* how often one is less than the one before */
	uint64_t differ;   /* the bits in which any two are not alike */
	uint64_t all;	   /* the bits that any has */
};

/* A PFN as it is now, once: another thread of the caller's may change it any time. */
static inline uint64_t pm_load(const uint64_t *pfn)
{
	return *(const volatile uint64_t *)pfn;
}

/* Whether a file may hold it, and it has no bit that the survey has not seen. */
static inline int pm_is_wish(const struct pm_survey *seen, uint64_t pfn)
{
	return pfn < PM_PFN_END && !(pfn & ~seen->all);
}

/* kpage_sort.c */
struct pm_survey pm_kpage_survey(const uint64_t *pfns, uint64_t count);

/*
 * Sort `count` words at `from` by all but their lowest `bits`, with room for as many
 * at `to`; digits of 11 bits in which all are alike, by the bits `differ` of what is
 * above, need no pass. Returns where they are then.
 */
uint64_t *pm_kpage_sort_words(uint64_t *from, uint64_t count, uint64_t differ, unsigned bits,
			      uint64_t *to);

/* How many of the lowest bits of a word hold one of `count` places. */
static inline unsigned pm_place_bits(uint64_t count)
{
	return count ? 64 - (unsigned)__builtin_clzll(count) : 0;
}

#ifdef __cplusplus
}
#endif

#endif
