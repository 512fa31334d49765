/*
 * A target that does not rest: pages that a scan reported are gone when they
 * are read, others come after the scan, it dies midway, the kernel refuses.
 * What is told was read, each page at most once and in order, and it ends.
 */
#include "scene.h"
#include "walk/populated.cdef.h"
#include "walk/spans.cdef.h"

static uint64_t now_there[SCENE];

static uint64_t read_now(uint64_t vpn)
{
	return vpn < SCENE ? now_there[vpn] : 0;
}

struct answer {
	int64_t entries; /* or -errno */
	uint64_t last;	 /* the page after the last told */
};

/* Walk over all of the scene; what is told must read as it reads now. */
static struct answer walk(uint64_t capacity, uint64_t runs_capacity)
{
	const struct pm_range span = { 0, SCENE };
	const struct pm_source source = { &span, 1, 3, 12, 1, NULL };
	struct pm_place at = { 0, 0 }, to = { 1, 0 };
	struct answer answer = { 0, 0 };

	while (at.span < 1) {
		uint64_t *out = exactly(capacity * 8), stored = 0, seen = 0;
		struct pm_range *runs = exactly(runs_capacity * sizeof(*runs));
		struct pm_place before = at;
		int64_t got = pm_populated(&source, &at, &to, out, capacity, runs, runs_capacity,
					   &stored);

		if (got < 0) {
			/* nothing moved: the caller may try again from there */
			CHECK_EQUAL(at.span, before.span);
			CHECK_EQUAL(at.page, before.page);
			CHECK_EQUAL(stored, 0);
			answer.entries = got;
			at = to;
			got = 0;
		}
		for (uint64_t i = 0; i < stored; i++) {
			CHECK(runs[i].vpn >= answer.last);
			for (uint64_t page = 0; page < runs[i].count; page++) {
				CHECK(out[seen] == read_now(runs[i].vpn + page));
				CHECK(out[seen++] >> 62);
			}
			answer.last = runs[i].vpn + runs[i].count;
		}
		CHECK_EQUAL(seen, got);
		answer.entries += got;
		CHECK(at.span > before.span || at.page > before.page);
		free(runs);
		free(out);
	}
	return answer;
}

static uint64_t count_now(void)
{
	uint64_t count = 0;

	for (uint64_t vpn = 0; vpn < SCENE; vpn++)
		count += now_there[vpn] >> 62 != 0;
	return count;
}

static void prepare(unsigned holes)
{
	draw_scene(SCENE, 300, holes);
	memcpy(now_there, scene, sizeof(now_there));
	lie.entry = read_now;
	lie.scanned = scene_entry;
}

static void moving(void)
{
	static const uint64_t capacities[] = { 1, 7, 64, 600, 4096, SCENE };

	for (unsigned round = 0; round < 4; round++) {
		uint64_t capacity = capacities[1 + below(5)];

		/* all that the scan reports is gone */
		prepare(8);
		memset(now_there, 0, sizeof(now_there));
		CHECK_EQUAL(walk(capacity, capacities[below(6)]).entries, 0);

		/* some of it is: nothing of the rest is lost */
		prepare(8);
		for (uint64_t vpn = 0; vpn < SCENE; vpn++)
			if (below(2))
				now_there[vpn] = 0;
		CHECK_EQUAL(walk(capacity, capacities[below(6)]).entries, count_now());

		/* others came after the scan: they may be told or not, those it saw must be */
		prepare(9);
		for (uint64_t vpn = 0; vpn < SCENE; vpn++)
			if (!now_there[vpn] && !below(50))
				now_there[vpn] = SCENE_PRESENT | 9;
		CHECK(walk(capacity, SCENE).entries <= (int64_t)count_now());
		prepare(9);
		CHECK_EQUAL(walk(capacity, SCENE).entries, count_now());
	}
}

/* After any number of calls: it ends, and what was told before stands. */
static void dying(void)
{
	int64_t whole = -1, last = 0;

	for (uint64_t calls = 0; calls < 40; calls++) {
		int64_t told;

		if (!calls)
			prepare(8);
		lie.reads = lie.scans = 0;
		lie.dies_after = calls;
		told = walk(600, 300).entries;
		if (!calls)
			whole = told;
		else
			CHECK(told >= last && told <= whole);
		/* who lives for one call more tells no less */
		last = calls ? told : 0;
		if (calls == 1 || calls == 2)
			CHECK(told < whole);
	}
	CHECK_EQUAL(whole, count_now());
}

static void refused(void)
{
	static const int told[] = { ENOTTY, EINVAL, EPERM, ENOMEM };

	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		prepare(8);
		lie.scan_error = told[i];
		CHECK_EQUAL(walk(600, 300).entries, -told[i]);
	}
	/* the span goes on past the address space: what lies before its end is told */
	prepare(8);
	lie.scan_error = EFAULT;
	CHECK_EQUAL(walk(600, 300).entries, count_now());
	lie.end = SCENE / 2;
	memset(now_there + SCENE / 2, 0, sizeof(now_there) / 2);
	CHECK_EQUAL(walk(600, 300).entries, count_now());
	prepare(8);
	memset(now_there, 0, sizeof(now_there));
	memset(scene, 0, sizeof(scene));
	scene[20000] = now_there[20000] = SCENE_PRESENT;
	lie.error = EIO;
	lie.error_at = 20000;
	CHECK_EQUAL(walk(600, 300).entries, -EIO);
}

static void nonsense(void)
{
	const struct pm_range span = { 0, SCENE };
	const struct pm_source source = { &span, 1, 3, 12, 1, NULL };
	struct pm_place at = { 0, 0 }, to = { 1, 0 };
	struct pm_range run;
	uint64_t out, stored;

	prepare(5);
	CHECK_EQUAL(pm_populated(&source, &at, &to, &out, 0, &run, 1, &stored), -EINVAL);
	CHECK_EQUAL(pm_populated(&source, &at, &to, &out, 1, &run, 0, &stored), -EINVAL);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	moving();
	dying();
	refused();
	nonsense();
	return 0;
}
