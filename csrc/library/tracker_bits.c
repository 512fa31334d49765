/* Which pages were populated: a bit for each. */
#include <stdint.h>

#include "library/tracker.h"

enum { BITS = 64 };

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

uint64_t pm_tracked_first(const struct pm_tracker *tracker, uint64_t span, uint64_t address,
			  uint64_t end, int populated)
{
	const struct pm_tracked_span *in = &tracker->spans[span];
	const uint64_t from = larger(address, in->start), to = smaller(end, in->end);
	const uint64_t flip = populated ? 0 : UINT64_MAX;
	uint64_t bit, last;

	if (!tracker->populated || from >= to)
		return end;
	bit = in->first + ((from - in->start) >> tracker->page_shift);
	last = in->first + ((to - in->start) >> tracker->page_shift);
	while (bit < last) {
		const uint64_t word = (tracker->populated[bit / BITS] ^ flip) >> bit % BITS;

		if (word) {
			bit += (unsigned)__builtin_ctzll(word);
			break;
		}
		bit += BITS - bit % BITS;
	}
	if (bit == in->first) /* what lies before it is of the same page of hugetlb */
		return smaller(address, in->start);
	return bit < last ? in->start + ((bit - in->first) << tracker->page_shift) : end;
}

void pm_tracked_keep(const struct pm_tracker *tracker, uint64_t span, uint64_t start, uint64_t end,
		     int populated)
{
	const struct pm_tracked_span *in = &tracker->spans[span];
	const uint64_t from = larger(start, in->start), to = smaller(end, in->end);
	uint64_t bit, last;

	if (!tracker->populated || from >= to)
		return;
	bit = in->first + ((from - in->start) >> tracker->page_shift);
	last = in->first + ((to - in->start) >> tracker->page_shift);
	while (bit < last) {
		const uint64_t low = bit % BITS, count = smaller(BITS - low, last - bit);
		const uint64_t mask = (UINT64_MAX >> (BITS - count)) << low;
		uint64_t *word = &tracker->populated[bit / BITS];

		/* what is zero already stays untouched, for most of a large span is */
		if (populated)
			*word |= mask;
		else if (*word & mask)
			*word &= ~mask;
		bit += count;
	}
}
