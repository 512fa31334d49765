/*
 * How a walk that counts mappings ends: at its limit of time, at an error of
 * the kernel's, and where the target is gone.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/tally.cdef.h"

static const uint8_t kinds[PM_TYPES_OF_SWAP] = { [0] = PM_ENTRY_SWAP };
static struct pm_range spans[1];
static uint8_t backing[1];

static int past(const struct pm_place *at, const struct pm_place *to)
{
	return at->span > to->span || (at->span == to->span && at->page >= to->page);
}

/* However little is found, limits of time are looked at: a minute is read of an empty space. */
static void time_of_nothing(void)
{
	struct pm_place at = { 0, 0 }, end = { 1, 0 };
	struct pm_counts tally[2] = { 0 };
	uint64_t scratch[PM_READ_BLOCK];
	struct pm_tally_job job = { .source.spans = spans,
				    .backing = backing,
				    .source.fd = 3,
				    .mapcounts = -1,
				    .kinds = kinds,
				    .source.page_shift = 12,
				    .end = 1 << 22,
				    .ways = PM_BY_ENTRIES,
				    .max_ns = 2000 };

	tell_truth(1 << 22);
	memset(scene, 0, sizeof(scene));
	lie.entry = scene_entry;
	lie.tick = 1000;
	spans[0] = (struct pm_range){ 0, 1 << 22 };
	CHECK_EQUAL(pm_tally_spans(&job, &at, &end, scratch, tally), 0);
	CHECK(!past(&at, &end));
	CHECK_EQUAL(tally[0].pages, at.page);
}

static void errors(void)
{
	static const uint32_t ways[] = { PM_BY_SCAN, PM_BY_ENTRIES, PM_BY_ENTRIES | PM_UNTOUCHED,
					 PM_BY_ENTRIES | PM_BY_SCAN, PM_BY_SCAN | PM_PARTED };

	for (unsigned i = 0; i < 5; i++) {
		struct pm_tally_job job = { .source.spans = spans,
					    .backing = backing,
					    .source.fd = 3,
					    .mapcounts = -1,
					    .kinds = kinds,
					    .source.page_shift = 12,
					    .ways = ways[i],
					    .end = 5000,
					    .any_of = 64,
					    .returned = 64 };
		struct pm_place at = { 0, 0 }, end = { 1, 0 };
		uint64_t scratch[PM_READ_BLOCK];
		struct pm_counts tally[2] = { 0 };

		draw_scene(5000, 40, 3);
		spans[0] = (struct pm_range){ 0, 5000 };
		if (ways[i] & PM_BY_SCAN) {
			lie.scan_error = ENOTTY;
			CHECK_EQUAL(pm_tally_spans(&job, &at, &end, scratch, tally), -ENOTTY);
		} else {
			lie.error = EIO;
			lie.error_at = 0;
			CHECK_EQUAL(pm_tally_spans(&job, &at, &end, scratch, tally), -EIO);
		}
		CHECK(at.span == 0 && at.page == 0);
		/* the target is gone: nothing is there, and it ends */
		draw_scene(5000, 40, 3);
		lie.dies_after = 1;
		CHECK(pm_tally_spans(&job, &at, &end, scratch, tally) >= 0);
		CHECK(past(&at, &end));
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	time_of_nothing();
	errors();
	return 0;
}
