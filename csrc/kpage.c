/*
 * Words of scattered frames, read in the order in which the kernel keeps them.
 *
 * A word costs 70-140 ns (one cache miss on struct page) and a call 300 ns more,
 * so wishes are sorted by PFN and near ones share a call. The sort is by radix,
 * least digit first: 2 million wishes take less than a tenth of their reading.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core.h"
#include "kpage.cdef.h"

enum {
	DIGIT_BITS = 11, /* 2,048 counters: they stay in the first cache */
	DIGITS = 1 << DIGIT_BITS,
	/* words between two wishes that are read rather than left out by a call */
	BRIDGED = 4,
};

/* A PFN whose word lies at an offset that pread can take: 63 bits. */
static const uint64_t PFN_END = (uint64_t)INT64_MAX / sizeof(uint64_t);

_Static_assert(sizeof(struct pm_wish) == 16, "cffi and C agree on a wish");

static void sort_by_digit(const struct pm_wish *from, uint64_t count, unsigned shift,
			  struct pm_wish *to)
{
	uint64_t places[DIGITS] = { 0 };
	uint64_t place = 0;

	for (uint64_t i = 0; i < count; i++)
		places[from[i].pfn >> shift & (DIGITS - 1)]++;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		uint64_t here = places[digit];

		places[digit] = place;
		place += here;
	}
	for (uint64_t i = 0; i < count; i++)
		to[places[from[i].pfn >> shift & (DIGITS - 1)]++] = from[i];
}

/* The same of words, by 11 bits of them from `shift` on. */
static void sort_words(const uint64_t *from, uint64_t count, unsigned shift, uint64_t *to)
{
	uint64_t places[DIGITS] = { 0 };
	uint64_t place = 0;

	for (uint64_t i = 0; i < count; i++)
		places[from[i] >> shift & (DIGITS - 1)]++;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		uint64_t here = places[digit];

		places[digit] = place;
		place += here;
	}
	for (uint64_t i = 0; i < count; i++)
		to[places[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

/*
 * Sort `count` wishes whose PFN and place fit in one word, the place in its lowest
 * `bits`: half as much to move. `spare` holds two arrays of words.
 */
static void sort_packed(struct pm_wish *wishes, uint64_t count, uint64_t differ, unsigned bits,
			struct pm_wish *spare)
{
	uint64_t *from = (uint64_t *)spare, *to = from + count;
	const uint64_t place = PM_BIT(bits) - 1;

	for (uint64_t i = 0; i < count; i++)
		from[i] = wishes[i].pfn << bits | wishes[i].at;
	/* digits in which all are alike need no pass */
	for (unsigned shift = 0; shift < 64 - bits; shift += DIGIT_BITS) {
		uint64_t *swap = from;

		if (!(differ >> shift & (DIGITS - 1)))
			continue;
		sort_words(from, count, shift + bits, to);
		from = to;
		to = swap;
	}
	for (uint64_t i = 0; i < count; i++)
		wishes[i] = (struct pm_wish){ from[i] >> bits, from[i] & place };
}

/* Sort wishes of any PFN and place. */
static void sort_wishes(struct pm_wish *wishes, uint64_t count, uint64_t differ,
			struct pm_wish *spare)
{
	struct pm_wish *from = wishes, *to = spare;

	for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
		struct pm_wish *swap = from;

		if (!(differ >> shift & (DIGITS - 1)))
			continue;
		sort_by_digit(from, count, shift, to);
		from = to;
		to = swap;
	}
	if (from != wishes)
		memcpy(wishes, from, count * sizeof(*wishes));
}

int64_t pm_kpage_sort(const uint64_t *pfns, uint64_t count, struct pm_wish *sorted,
		      struct pm_wish *spare, uint64_t *out)
{
	uint64_t stored = 0, differ = 0, all = 0, descents = 0, last = 0;
	unsigned bits;

	for (uint64_t i = 0; i < count; i++) {
		if (pfns[i] >= PFN_END) {
			out[i] = PM_NO_VALUE;
			continue;
		}
		descents += pfns[i] < last;
		last = pfns[i];
		sorted[stored++] = (struct pm_wish){ pfns[i], i };
		differ |= pfns[i] ^ sorted[0].pfn;
		all |= pfns[i];
	}
	if (!descents)
		return (int64_t)stored; /* in order already */
	bits = 64 - (unsigned)__builtin_clzll(count);
	if (all >> (64 - bits))
		sort_wishes(sorted, stored, differ, spare);
	else
		sort_packed(sorted, stored, differ, bits, spare);
	return (int64_t)stored;
}

int64_t pm_kpage_gather(int fd, const struct pm_wish *wishes, uint64_t count, uint64_t *scratch,
			uint64_t *out)
{
	uint64_t found = 0;

	for (uint64_t i = 0, next; i < count; i = next) {
		const uint64_t first = wishes[i].pfn;
		uint64_t end = first + 1;
		int64_t got;

		for (next = i + 1; next < count && wishes[next].pfn <= end + BRIDGED &&
				   wishes[next].pfn - first < PM_READ_BLOCK;
		     next++)
			end = wishes[next].pfn + 1;
		got = pm_read(fd, first, end - first, scratch);
		if (got < 0)
			return got;
		for (; i < next; i++) {
			const uint64_t here = wishes[i].pfn - first;

			out[wishes[i].at] = here < (uint64_t)got ? scratch[here] : PM_NO_VALUE;
			found += here < (uint64_t)got;
		}
	}
	return (int64_t)found;
}

int64_t pm_kpage_end(int fd)
{
	uint64_t below = 0, above = PFN_END, word;

	/* every frame before the end has a word, holes too, and none after it */
	while (below < above) {
		const uint64_t middle = below + (above - below) / 2;
		const int64_t got = pm_read(fd, middle, 1, &word);

		if (got < 0)
			return got;
		if (got)
			below = middle + 1;
		else
			above = middle;
	}
	return (int64_t)below;
}
