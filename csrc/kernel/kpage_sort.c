/*
 * Wishes for words of frames, by PFN: the order in which the kernel keeps them.
 *
 * The sort is by radix, least digit first. What comes in long runs is sorted as runs;
 * of many in no order kpage_parts.c leaves the sort to the threads that read.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/kpage.h"

static_assert(sizeof(struct pm_wish) == 16, "cffi and C agree on a wish");

static void sort_by_digit(const struct pm_wish *from, uint64_t count, unsigned shift,
			  struct pm_wish *to)
{
	uint64_t places[PM_DIGITS] = { 0 };
	uint64_t place = 0;

	for (uint64_t i = 0; i < count; i++)
		places[from[i].pfn >> shift & (PM_DIGITS - 1)]++;
	for (unsigned digit = 0; digit < PM_DIGITS; digit++) {
		uint64_t here = places[digit];

		places[digit] = place;
		place += here;
	}
	for (uint64_t i = 0; i < count; i++)
		to[places[from[i].pfn >> shift & (PM_DIGITS - 1)]++] = from[i];
}

/* The same of words, by the 11 bits of them from `shift` on. */
static void sort_words(const uint64_t *from, uint64_t count, unsigned shift, uint64_t *to)
{
	uint64_t places[PM_DIGITS] = { 0 };
	uint64_t place = 0;

	for (uint64_t i = 0; i < count; i++)
		places[from[i] >> shift & (PM_DIGITS - 1)]++;
	for (unsigned digit = 0; digit < PM_DIGITS; digit++) {
		uint64_t here = places[digit];

		places[digit] = place;
		place += here;
	}
	for (uint64_t i = 0; i < count; i++)
		to[places[from[i] >> shift & (PM_DIGITS - 1)]++] = from[i];
}

uint64_t *pm_kpage_sort_words(uint64_t *from, uint64_t count, uint64_t differ, unsigned bits,
			      uint64_t *to)
{
	for (unsigned shift = 0; shift < 64 - bits; shift += PM_DIGIT_BITS) {
		uint64_t *swap = from;

		if (!(differ >> shift & (PM_DIGITS - 1)))
			continue;
		sort_words(from, count, shift + bits, to);
		from = to;
		to = swap;
	}
	return from;
}

/*
 * Sort wishes whose PFN and place fit in one word, the place in its lowest `bits`:
 * half as much to move. `spare` holds two arrays of words. Returns their number.
 */
static uint64_t sort_packed(const uint64_t *pfns, uint64_t count, const struct pm_survey *seen,
			    unsigned bits, struct pm_wish *sorted, struct pm_wish *spare,
			    uint64_t *out)
{
	uint64_t *words = (uint64_t *)spare;
	const uint64_t place = PM_BIT(bits) - 1;
	uint64_t stored = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t pfn = pm_load(pfns + i);

		if (pm_is_wish(seen, pfn))
			words[stored++] = pfn << bits | i;
		else
			out[i] = PM_NO_VALUE;
	}
	words = pm_kpage_sort_words(words, stored, seen->differ, bits, words + stored);
	for (uint64_t i = 0; i < stored; i++)
		sorted[i] = (struct pm_wish){ words[i] >> bits, words[i] & place };
	return stored;
}

/* Sort wishes of any PFN and place. */
static void sort_wishes(struct pm_wish *wishes, uint64_t count, uint64_t differ,
			struct pm_wish *spare)
{
	struct pm_wish *from = wishes, *to = spare;

	for (unsigned shift = 0; shift < 64; shift += PM_DIGIT_BITS) {
		struct pm_wish *swap = from;

		if (!(differ >> shift & (PM_DIGITS - 1)))
			continue;
		sort_by_digit(from, count, shift, to);
		from = to;
		to = swap;
	}
	if (from != wishes)
		memcpy(wishes, from, count * sizeof(*wishes));
}

struct pm_survey pm_kpage_survey(const uint64_t *pfns, uint64_t count)
{
	struct pm_survey seen = { 0 };
	uint64_t first = 0, next = 0, last = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t pfn = pm_load(pfns + i);

		if (pfn >= PM_PFN_END) {
			next = PM_NO_VALUE; /* the run ends */
			continue;
		}
		first = seen.stored++ ? first : pfn;
		seen.runs += pfn != next || seen.stored == 1;
		seen.descents += pfn < last;
		seen.differ |= pfn ^ first;
		seen.all |= pfn;
		last = pfn;
		next = pfn + 1;
	}
	return seen;
}

/*
 * Sort what comes in runs, so that fewer words are to be moved than there are PFNs.
 * Returns 0 where runs overlap: then they must be taken apart.
 */
static int sort_runs(const uint64_t *pfns, uint64_t count, const struct pm_survey *seen,
		     unsigned bits, struct pm_wish *sorted, struct pm_wish *spare, uint64_t *out)
{
	const struct pm_wish *end = sorted + seen->stored;
	uint64_t *words = (uint64_t *)spare;
	const uint64_t place = PM_BIT(bits) - 1;
	uint64_t runs = 0, next = PM_NO_VALUE;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t pfn = pm_load(pfns + i);

		if (!pm_is_wish(seen, pfn)) {
			out[i] = next = PM_NO_VALUE;
			continue;
		}
		if (pfn != next)
			words[runs++] = pfn << bits | i;
		next = pfn + 1;
	}
	words = pm_kpage_sort_words(words, runs, seen->differ, bits, words + runs);
	next = 0;
	for (uint64_t i = 0; i < runs; i++) {
		uint64_t pfn = words[i] >> bits, at = words[i] & place;

		if (pfn < next)
			return 0;
		do {
			if (sorted == end)
				return 0; /* they have changed meanwhile */
			*sorted++ = (struct pm_wish){ pfn++, at++ };
		} while (at < count && pm_load(pfns + at) == pfn && pfn < PM_PFN_END);
		next = pfn;
	}
	return sorted == end;
}

int64_t pm_kpage_sort(const uint64_t *pfns, uint64_t count, struct pm_wish *sorted,
		      struct pm_wish *spare, uint64_t *out)
{
	const struct pm_survey seen = pm_kpage_survey(pfns, count);
	const unsigned bits = pm_place_bits(count);
	const int packs = bits && !(seen.all >> (64 - bits));
	uint64_t stored = 0;

	if (seen.descents && packs && seen.runs <= count / PM_LONG_RUN &&
	    sort_runs(pfns, count, &seen, bits, sorted, spare, out))
		return (int64_t)seen.stored;
	if (seen.descents && packs)
		return (int64_t)sort_packed(pfns, count, &seen, bits, sorted, spare, out);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t pfn = pm_load(pfns + i);

		if (pm_is_wish(&seen, pfn))
			sorted[stored++] = (struct pm_wish){ pfn, i };
		else
			out[i] = PM_NO_VALUE;
	}
	if (seen.descents)
		sort_wishes(sorted, stored, seen.differ, spare);
	return (int64_t)stored;
}
