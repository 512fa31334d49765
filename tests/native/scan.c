/*
 * PAGEMAP_SCAN in calls of any size against a walk page by page: the same
 * regions, none twice, none split but where a call ended, and an end.
 */
#include "scene.h"

static struct pm_region got[SCENE], wanted[SCENE];

/* Scan all of it in calls for `capacity` regions, as a caller with a limit does. */
static void check_scan(struct pm_query query, uint64_t first, uint64_t last, uint64_t capacity)
{
	const uint64_t wanted_count = scene_regions(&query, first, last, wanted);
	uint64_t start = first * 4096, end = last * 4096, count = 0, calls = 0;
	uint64_t left = query.max_pages;

	while (start < end) {
		struct pm_region *out = exactly(capacity * sizeof(*out));
		uint64_t next = 0, pages = 0;
		int64_t found;

		query.max_pages = left;
		found = pm_scan(3, &query, start, end, out, capacity, &next);
		CHECK(found >= 0 && (uint64_t)found <= capacity);
		CHECK(next > start && next <= end && next % 4096 == 0);
		for (int64_t i = 0; i < found; i++) {
			CHECK(out[i].start >= start && out[i].end <= next);
			pages += (out[i].end - out[i].start) / 4096;
			count = join_region(got, count, out[i]);
		}
		check_untouched(out + found, (capacity - (uint64_t)found) * sizeof(*out));
		free(out);
		start = next;
		if (left && left <= pages)
			break;
		left -= left ? pages : 0;
		CHECK(++calls <= 2 * (last - first) + 1);
	}
	check_regions(got, count, wanted, wanted_count);
}

static void drawn(void)
{
	static const uint64_t capacities[] = { 1, 2, 3, 7, 511, 512, 513, 1000, 4096 };

	for (unsigned round = round_from(); round < round_to(400); round++) {
		uint64_t pages = 1 + below(2000), first, last;
		struct pm_query query = draw_query();

		draw_scene(pages, 1 + below(40), (unsigned)below(10));
		lie.scan_interrupt = (unsigned)below(3);
		lie.short_by = below(3) ? 0 : 1 + below(50);
		lie.bounce = below(3) ? 0 : 1 + below(600);
		first = below(2) ? 0 : below(pages);
		last = below(2) ? pages : first + below(pages - first + 1);
		query.max_pages = below(2) ? 0 : 1 + below(pages);
		check_scan(query, first, last, capacities[below(9)]);
	}
}

static int64_t scan_once(const struct pm_query *query, uint64_t start, uint64_t end, uint64_t *next)
{
	struct pm_region *out = exactly(8 * sizeof(*out));
	int64_t result;

	*next = 77;
	result = pm_scan(3, query, start, end, out, 8, next);
	if (result < 0)
		check_untouched(out, 8 * sizeof(*out));
	if (result < 0)
		CHECK_EQUAL(*next, 77);
	free(out);
	return result;
}

static void errors(void)
{
	static const int told[] = { ENOTTY, EINVAL, EFAULT, EPERM, ESRCH, ENOMEM };
	struct pm_query query = { .any_of = 8, .returned = 8 };
	struct pm_region one;
	uint64_t next;

	draw_scene(100, 9, 5);
	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		lie.scan_error = told[i];
		lie.scan_interrupt = 3;
		CHECK_EQUAL(scan_once(&query, 0, 4096, &next), -told[i]);
	}
	lie.scan_error = 0;
	/* past the address space, beginning in it or not */
	CHECK_EQUAL(scan_once(&query, 0, 101 * 4096, &next), -EFAULT);
	CHECK_EQUAL(scan_once(&query, 200 * 4096, 201 * 4096, &next), -EFAULT);
	CHECK_EQUAL(scan_once(&query, 0, 100 * 4096, &next) >= 0, 1);
	/* a category of a kernel to come, wherever it stands */
	for (unsigned i = 0; i < 4; i++) {
		struct pm_query strange = query;

		*(i == 0   ? &strange.all_of
		  : i == 1 ? &strange.any_of
		  : i == 2 ? &strange.none_of
			   : &strange.returned) |= 512;
		CHECK_EQUAL(scan_once(&strange, 0, 4096, &next), -EINVAL);
	}
	/* and one of 6.15 asked of a kernel of 6.7 */
	lie.known = 0xff;
	query.any_of = 256;
	CHECK_EQUAL(scan_once(&query, 0, 4096, &next), -EINVAL);
	/* nonsense of the caller */
	CHECK_EQUAL(pm_scan(3, &query, 0, 4096, &one, 0, &next), -EINVAL);
	CHECK_EQUAL(scan_once(&query, 4096, 0, &next), -EINVAL);
}

/* Interrupted a thousand times before each answer: nothing is lost and nothing comes twice. */
static void storm(void)
{
	alternate(3000);
	lie.scan_interrupt = 1000;
	check_scan((struct pm_query){ .any_of = 8, .returned = 8 }, 0, 3000, 100);
}

/* What nothing can match need not be asked, and could not be told to the kernel. */
static void contradictions(void)
{
	static const struct pm_query queries[] = {
		{ .all_of = 8, .none_of = 8, .returned = 8 },
		{ .all_of = 8 | 16, .none_of = 16 | 4, .returned = 8 },
		{ .any_of = 8, .none_of = 8, .returned = 8 },
		{ .any_of = 8 | 16, .none_of = 8 | 16 | 4, .returned = 8 },
	};
	uint64_t next;

	draw_scene(500, 9, 5);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQUAL(scan_once(queries + i, 0, 500 * 4096, &next), 0);
		CHECK_EQUAL(next, 500 * 4096);
	}
	/* a contradiction in part: any_of that none_of leaves something of */
	check_scan((struct pm_query){ .any_of = 8 | 16, .none_of = 8, .returned = 24 }, 0, 500, 3);
	CHECK_EQUAL(scan_once(queries, 4096, 4096, &next), 0);
	CHECK_EQUAL(next, 4096);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	errors();
	storm();
	contradictions();
	return 0;
}
