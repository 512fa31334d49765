/*
 * Written pages, against a naive look at each page: whatever is tracked and written, however
 * many regions fit, and wherever walk_end falls short; each written page once, and protected.
 */
#include "scene.h"
#include "history/writes.cdef.h"
#include "kernel/uapi.h"

enum { RANGES = 40, NEVER = PM_UAPI_IS_PFNZERO | PM_UAPI_IS_GUARD };

static unsigned char tracked[SCENE], before[SCENE];
static uint64_t bounds[2 * RANGES];
static uint8_t files[RANGES];
static struct pm_writes writes;

static void draw(uint64_t pages)
{
	uint64_t at = below(3), count = 0;

	draw_scene(pages, 1 + below(40), (unsigned)below(8));
	lie.bounce = below(3) ? 0 : 1 + below(40);
	lie.short_by = below(3) ? 0 : 1 + below(20);
	lie.scan_interrupt = (unsigned)below(2);
	for (uint64_t vpn = 0; vpn < pages;) {
		unsigned char kind = (unsigned char)(below(3) ? 1 | 2 * below(2) : 2);

		for (uint64_t run = 1 + below(50); run && vpn < pages; run--, vpn++)
			tracked[vpn] = below(20) ? kind : (unsigned char)(kind ^ (2 * (kind & 1)));
	}
	lie.tracked = tracked;
	while (count < RANGES && at < pages) {
		uint64_t end = at + 1 + below(pages / 8 + 1);

		if (end > pages)
			end = pages;
		bounds[2 * count] = at << 12;
		bounds[2 * count + 1] = end << 12;
		files[count++] = (uint8_t)below(2);
		at = end + (below(2) ? 0 : below(30));
	}
	writes = (struct pm_writes){
		.bounds = bounds, .private_file = files, .count = count, .never = NEVER, .fd = 3
	};
}

/* Whether a page of range `i` is to be found. */
static int wanted(enum pm_writes_step step, uint64_t i, uint64_t vpn)
{
	const uint64_t is = lie_categories(scene_entry(vpn)) | before[vpn];

	if (!(is & (PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED)) || is & NEVER)
		return 0;
	if (files[i] && is & PM_UAPI_IS_FILE)
		return 0;
	return step == PM_WRITES_POPULATED || (is & 3) == 3;
}

static void step_by_step(enum pm_writes_step step)
{
	const uint64_t capacity = 1 + below(below(2) ? 4 : 600);
	struct pm_region *got = exactly(capacity * sizeof(*got));
	struct pm_writes_place place = { 0 };
	uint64_t range = 0, vpn = bounds[0] >> 12;

	memcpy(before, tracked, sizeof(before));
	while (place.range < writes.count) {
		const int64_t found = pm_writes_next(&writes, step, &place, got, capacity);

		CHECK(found >= 0 && (uint64_t)found <= capacity);
		for (int64_t i = 0; i < found; i++) {
			while (range < got[i].categories) { /* the end of a range before */
				for (; vpn < bounds[2 * range + 1] >> 12; vpn++)
					CHECK(!wanted(step, range, vpn));
				vpn = bounds[2 * ++range] >> 12;
			}
			CHECK_EQUAL(range, got[i].categories);
			for (; vpn < got[i].start >> 12; vpn++)
				CHECK(!wanted(step, range, vpn));
			for (; vpn < got[i].end >> 12; vpn++)
				CHECK(wanted(step, range, vpn));
		}
	}
	CHECK_EQUAL(place.range, writes.count);
	while (range < writes.count) {
		for (; vpn < bounds[2 * range + 1] >> 12; vpn++)
			CHECK(!wanted(step, range, vpn));
		if (++range < writes.count)
			vpn = bounds[2 * range] >> 12;
	}
	free(got);
}

/* Exactly what was found is protected: `collected`, or else nothing was. */
static void check_protected(int collected)
{
	uint64_t vpn = 0;

	for (uint64_t i = 0; i < writes.count; i++) {
		for (; vpn < bounds[2 * i] >> 12; vpn++)
			CHECK_EQUAL(tracked[vpn], before[vpn]);
		for (; vpn < bounds[2 * i + 1] >> 12; vpn++)
			CHECK_EQUAL(tracked[vpn], collected && wanted(PM_WRITES_COLLECT, i, vpn)
							  ? 1
							  : before[vpn]);
	}
}

static void untracked(void)
{
	uint8_t *found = exactly(writes.count);
	const int64_t count = pm_writes_untracked(&writes, found);
	int64_t naive = 0;

	for (uint64_t i = 0; i < writes.count; i++) {
		int any = 0;

		for (uint64_t vpn = bounds[2 * i] >> 12; vpn < bounds[2 * i + 1] >> 12; vpn++)
			any |= !(tracked[vpn] & 1);
		CHECK_EQUAL(found[i], any);
		naive += any;
	}
	CHECK_EQUAL(count, naive);
	free(found);
}

/* What fails is told, and no range is not an error. */
static void errors(void)
{
	struct pm_writes_place place = { 0 };
	struct pm_region one;
	uint8_t found[RANGES];

	draw(100);
	lie.scan_error = ESRCH;
	CHECK_EQUAL(pm_writes_untracked(&writes, found), -ESRCH);
	CHECK_EQUAL(pm_writes_protect(&writes), -ESRCH);
	CHECK_EQUAL(pm_writes_next(&writes, PM_WRITES_COLLECT, &place, &one, 1), -ESRCH);
	CHECK_EQUAL(pm_writes_next(&writes, PM_WRITES_COLLECT, &place, &one, 0), -EINVAL);
	writes.count = 0;
	CHECK_EQUAL(pm_writes_untracked(&writes, found), 0);
	CHECK_EQUAL(pm_writes_protect(&writes), 0);
	CHECK_EQUAL(pm_writes_next(&writes, PM_WRITES_COLLECT, &place, &one, 1), 0);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(300); round++) {
		draw(1 + below(3000));
		untracked();
		step_by_step(PM_WRITES_POPULATED);
		check_protected(0);
		step_by_step(PM_WRITES_PEEK);
		check_protected(0);
		step_by_step(PM_WRITES_COLLECT);
		check_protected(1);
		draw(1 + below(3000));
		memcpy(before, tracked, sizeof(before));
		CHECK_EQUAL(pm_writes_protect(&writes), 0);
		check_protected(1);
	}
	errors();
	return 0;
}
