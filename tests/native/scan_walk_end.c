/*
 * The trap: with a vector of more regions than the kernel collects at a time
 * (512), a scan that saw everything comes back with walk_end short of it. Who
 * goes on there is told regions twice. Seen on 6.18; the lying kernel does it
 * for the same reason.
 */
#include "scene.h"
#include "kernel/uapi.h"

enum { COLLECTED = 512 };

static struct pm_region got[SCENE];

static const struct pm_query present = { .any_of = 8, .returned = 8 };

/* The lie is told at all: a scan of everything, in one call, that ends short. */
static void the_kernel_lies(void)
{
	struct pm_uapi_scan scan = { .size = sizeof(scan),
				     .end = 1400 * 4096,
				     .vec = (uint64_t)(uintptr_t)got,
				     .vec_len = 4096,
				     .category_anyof_mask = 8,
				     .return_mask = 8 };

	alternate(1400);
	CHECK_EQUAL(pm_sys_ioctl(3, PM_UAPI_PAGEMAP_SCAN, &scan), 700);
	CHECK_EQUAL(got[699].end, 1399 * 4096);
	CHECK_EQUAL(scan.walk_end, 2 * COLLECTED * 4096);
}

/* One call sees all `regions` of them, and says so. */
static void at_once(uint64_t regions, uint64_t capacity)
{
	const uint64_t end = 2 * regions * 4096;
	uint64_t next = 0;

	alternate(2 * regions);
	CHECK_EQUAL(pm_scan(3, &present, 0, end, got, capacity, &next), regions);
	for (uint64_t i = 0; i < regions; i++)
		CHECK_EQUAL(got[i].start, 2 * i * 4096);
	/* a full vector proves nothing, but what was told must not come again */
	if (capacity == regions)
		CHECK(next >= got[regions - 1].end && next <= end);
	else
		CHECK_EQUAL(next, end);
}

/* In as many calls as it takes, whatever walk_end says: each page once. */
static void in_calls(uint64_t regions, uint64_t capacity, uint64_t short_by, uint64_t max_pages)
{
	const uint64_t end = 2 * regions * 4096;
	struct pm_query query = present;
	uint64_t start = 0, count = 0, calls = 0;

	alternate(2 * regions);
	lie.short_by = short_by;
	query.max_pages = max_pages;
	while (start < end) {
		uint64_t next;
		int64_t found = pm_scan(3, &query, start, end, got, capacity, &next);

		CHECK(found >= 0);
		for (int64_t i = 0; i < found; i++, count++)
			CHECK_EQUAL(got[i].start, 2 * count * 4096);
		CHECK(next > start);
		start = next;
		CHECK(++calls <= regions + 1);
	}
	CHECK_EQUAL(count, regions);
}

/* A limit of pages met exactly at the end of a region, in it, and at the very end. */
static void limits(void)
{
	struct pm_region one[4];
	uint64_t next;

	tell_truth(40);
	memset(scene, 0, sizeof(scene));
	for (uint64_t vpn = 10; vpn < 20; vpn++)
		scene[vpn] = SCENE_PRESENT | vpn;
	for (uint64_t vpn = 30; vpn < 40; vpn++)
		scene[vpn] = SCENE_PRESENT | vpn;
	lie.entry = scene_entry;
	lie.scan = 1;
	for (uint64_t pages = 1; pages <= 21; pages++) {
		struct pm_query query = present;
		const uint64_t last = pages <= 10 ? 10 + pages : 20 + pages;

		query.max_pages = pages;
		CHECK_EQUAL(pm_scan(3, &query, 0, 40 * 4096, one, 4, &next), pages <= 10 ? 1 : 2);
		CHECK_EQUAL(one[0].start, 10 * 4096);
		CHECK_EQUAL(one[0].end, (pages <= 10 ? last : 20) * 4096);
		if (pages > 10)
			CHECK_EQUAL(one[1].end, (pages <= 20 ? last : 40) * 4096);
		/* at or past what was told, and not past what was not */
		CHECK(next >= (pages <= 20 ? last : 40) * 4096);
		CHECK(next <= (pages < 10    ? last
			       : pages == 10 ? 30
			       : pages < 20  ? last
					     : 40) *
				      4096);
	}
}

/* Two calls end in a region that goes on: its halves touch, and are alike. */
static void touching(void)
{
	struct pm_query query = present;
	struct pm_region first, second;
	uint64_t next, last;

	limits();
	query.max_pages = 4;
	CHECK_EQUAL(pm_scan(3, &query, 0, 40 * 4096, &first, 1, &next), 1);
	CHECK_EQUAL(pm_scan(3, &query, next, 40 * 4096, &second, 1, &last), 1);
	CHECK_EQUAL(first.end, second.start);
	CHECK_EQUAL(first.categories, second.categories);
}

int main(void)
{
	static const uint64_t sizes[] = { 1, 2, 511, 512, 513, 1023, 1024, 1025, 1400, 5000 };

	the_kernel_lies();
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned more = 0; more < 3; more++)
			at_once(sizes[i], sizes[i] + more * 700);
		for (unsigned j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			in_calls(sizes[i], sizes[j], 0, 0);
			in_calls(sizes[i], sizes[j], 1, 0);
			in_calls(sizes[i], sizes[j], 700, 0);
			in_calls(sizes[i], sizes[j], 0, 1 + i);
			in_calls(sizes[i], sizes[j], 3, 513);
		}
	}
	limits();
	touching();
	return 0;
}
