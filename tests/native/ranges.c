/*
 * Many ranges in one call: each gets its own entries, whether they touch, are
 * empty, overlap, run backwards or lie past the end of the address space.
 */
#include "check.h"

enum { MOST = 12 };

static uint64_t stored_of(struct pm_range range, uint64_t end)
{
	if (range.vpn >= end)
		return 0;
	return range.count < end - range.vpn ? range.count : end - range.vpn;
}

static void check_ranges(const struct pm_range *ranges, uint64_t count, uint64_t end, size_t most)
{
	uint64_t *stored = exactly(count * 8), *out, capacity = 0, total = 0;

	for (uint64_t i = 0; i < count; i++)
		capacity += ranges[i].count;
	out = exactly(capacity * 8);
	tell_truth(end);
	lie.most = most;
	lie.interrupt = 1;
	for (uint64_t i = 0; i < count; i++)
		total += stored_of(ranges[i], end);
	CHECK_EQUAL(pm_read_ranges(3, ranges, count, out, capacity, stored), total);
	total = 0;
	for (uint64_t i = 0; i < count; i++) {
		CHECK_EQUAL(stored[i], stored_of(ranges[i], end));
		check_entries(out + total, ranges[i].vpn, stored[i]);
		total += stored[i];
	}
	check_untouched(out + total, (capacity - total) * 8);
	free(out);
	free(stored);
}

static void touching_ranges_cost_one_read(void)
{
	struct pm_range ranges[] = { { 10, 5 }, { 15, 1 }, { 16, 0 }, { 16, 30 }, { 47, 2 } };
	uint64_t out[38], stored[5];

	tell_truth(1000);
	CHECK_EQUAL(pm_read_ranges(3, ranges, 5, out, 38, stored), 38);
	CHECK_EQUAL(lie.reads, 2);
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 1;
	struct pm_range ranges[MOST];

	printf("seed %u\n", seed);
	srand(seed);
	touching_ranges_cost_one_read();
	for (unsigned round = round_from(); round < round_to(20000); round++) {
		uint64_t count = (uint64_t)rand() % (MOST + 1), at = (uint64_t)rand() % 50;

		for (uint64_t i = 0; i < count; i++) {
			/* mostly touching or close, now and then a leap, back or ahead */
			at = rand() % 5 ? at + (uint64_t)rand() % 3 : (uint64_t)rand() % 400;
			ranges[i] = (struct pm_range){ at, (uint64_t)rand() % 20 };
			at += rand() % 4 ? ranges[i].count : 0;
		}
		check_ranges(ranges, count, (uint64_t)rand() % 450,
			     rand() % 2 ? 0 : 8 + (size_t)rand() % 90);
	}
	return 0;
}
