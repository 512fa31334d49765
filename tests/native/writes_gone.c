/*
 * What left the page table of shared memory, and where private memory has the zero page now, and
 * what is kept to find that: against a naive look at each page, whatever mappings were there before,
 * however many regions fit.
 */
#include "scene.h"
#include "history/writes.cdef.h"
#include "kernel/uapi.h"

enum { RANGES = 40, NEVER = PM_UAPI_IS_PFNZERO | PM_UAPI_IS_GUARD };

static unsigned char tracked[SCENE];
static uint64_t bounds[2 * RANGES], files[RANGES], old_files[RANGES];
static const uint8_t private_file[RANGES]; /* none is */
static uint8_t shared[RANGES];
static struct pm_region old_regions[SCENE];
static struct pm_writes writes;
static struct pm_writes_before before;
/* of each page: the file of which it was populated, whether gone, whether written */
static uint64_t was[SCENE];
static unsigned char gone[SCENE], written[SCENE], marked[SCENE];

static void draw_ranges(uint64_t pages)
{
	uint64_t at = below(3), count = 0;

	while (count < RANGES && at < pages) {
		uint64_t end = at + 1 + below(pages / 8 + 1);

		if (end > pages)
			end = pages;
		bounds[2 * count] = at << 12;
		bounds[2 * count + 1] = end << 12;
		shared[count] = (uint8_t)below(2);
		files[count++] = below(4);
		at = end + (below(2) ? 0 : below(30));
	}
	writes = (struct pm_writes){
		.bounds = bounds,
		.private_file = private_file,
		.shared = shared,
		.files = files,
		.count = count,
		.never = NEVER,
		.fd = 3,
		.userfaultfd = -1,
	};
}

/* What was populated before, by the ranges of then: those of now, or others. */
static void draw_before(uint64_t pages)
{
	uint64_t count = 0;

	draw_ranges(pages);
	memset(was, 0, sizeof(was));
	memcpy(old_files, files, sizeof(files));
	for (uint64_t i = 0; i < writes.count; i++) {
		uint64_t vpn = bounds[2 * i] >> 12;

		while (files[i] && vpn < bounds[2 * i + 1] >> 12) {
			uint64_t end = vpn + 1 + below(30);

			if (end > bounds[2 * i + 1] >> 12)
				end = bounds[2 * i + 1] >> 12;
			old_regions[count++] = (struct pm_region){ vpn << 12, end << 12, i };
			for (; vpn < end; vpn++)
				was[vpn] = files[i];
			vpn += below(3) ? below(20) : 0;
		}
	}
	before = (struct pm_writes_before){ { old_regions, count }, old_files };
	if (below(2))
		draw_ranges(pages);
	else if (writes.count && below(2))
		files[below(writes.count)] = below(4);
}

static void draw(uint64_t pages)
{
	draw_scene(pages, 1 + below(40), (unsigned)below(8));
	lie.bounce = below(3) ? 0 : 1 + below(40);
	lie.short_by = below(3) ? 0 : 1 + below(20);
	lie.scan_interrupt = (unsigned)below(2);
	for (uint64_t vpn = 0; vpn < pages; vpn++)
		tracked[vpn] = (unsigned char)(1 + 2 * below(2));
	for (uint64_t vpn = below(pages), end = vpn + below(50); vpn < end && vpn < pages; vpn++)
		tracked[vpn] = 2; /* not tracked: another's */
	lie.tracked = tracked;
	draw_before(pages);
}

static int is_of(uint64_t vpn, uint64_t file)
{
	return tracked[vpn] & 1 && file && was[vpn] == file;
}

static int is_guarded(uint64_t vpn, uint64_t file)
{
	return is_of(vpn, file) && lie_categories(scene_entry(vpn)) & PM_UAPI_IS_GUARD;
}

static int is_gone(uint64_t vpn, uint64_t i)
{
	const uint64_t is = lie_categories(scene_entry(vpn));

	return shared[i] && is_of(vpn, files[i]) &&
	       !(is & (PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED));
}

/* Whether it is there, and was written since it was tracked. */
static int is_written(uint64_t vpn, uint64_t i)
{
	const uint64_t is = lie_categories(scene_entry(vpn));
	const uint64_t never = !shared[i] && is_of(vpn, files[i]) ? PM_UAPI_IS_GUARD : NEVER;

	return is & (PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED) && !(is & never) && tracked[vpn] == 3;
}

/* Pages of `got` in `pages`, each of which must be in the range that it is said to be in. */
static void mark(unsigned char *pages, const struct pm_region *got, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		CHECK(got[i].start < got[i].end && got[i].categories < writes.count);
		CHECK(got[i].start >= bounds[2 * got[i].categories]);
		CHECK(got[i].end <= bounds[2 * got[i].categories + 1]);
		CHECK(!i || got[i - 1].end <= got[i].start);
		for (uint64_t vpn = got[i].start >> 12; vpn < got[i].end >> 12; vpn++)
			pages[vpn]++;
	}
}

/* Guards where pages were. */
static void find_guarded(void)
{
	const uint64_t capacity = 1 + below(below(2) ? 4 : 600);
	struct pm_region *got = exactly(capacity * sizeof(*got));
	struct pm_writes_place place = { 0 };

	memset(gone, 0, sizeof(gone));
	while (place.range < writes.count) {
		const int64_t found = pm_writes_guarded(&writes, &before, &place, got, capacity);

		CHECK(found >= 0 && (uint64_t)found <= capacity);
		mark(gone, got, (uint64_t)found);
	}
	free(got);
	for (uint64_t i = 0, vpn = 0; i < writes.count; i++) {
		for (; vpn < bounds[2 * i] >> 12; vpn++)
			CHECK(!gone[vpn]);
		for (; vpn < bounds[2 * i + 1] >> 12; vpn++)
			CHECK_EQUAL(gone[vpn], is_guarded(vpn, files[i]));
	}
}

/* What was written, and what is gone, in one look: each page once. */
static uint64_t find_gone(enum pm_writes_step step, struct pm_region *all)
{
	const uint64_t capacity = 1 + below(below(2) ? 4 : 600);
	struct pm_region *got = exactly(capacity * sizeof(*got));
	struct pm_writes_place place = { 0 };
	static unsigned char first[SCENE];
	uint64_t count = 0, at = 0;

	memcpy(first, tracked, sizeof(first));
	memset(gone, 0, sizeof(gone));
	memset(marked, 0, sizeof(marked));
	memset(written, 0, sizeof(written));
	while (place.range < writes.count) {
		const int64_t found =
			pm_writes_round(&writes, &before, step, &place, got, capacity);

		CHECK(found >= 0 && (uint64_t)found <= capacity);
		for (int64_t i = 0; i < found; i++) {
			const uint64_t kind = got[i].categories / writes.count;

			CHECK(at <= got[i].start && kind < 3);
			at = got[i].end;
			got[i].categories %= writes.count;
			mark(kind == 2 ? marked : kind ? gone : written, &got[i], 1);
			if (kind == 1)
				all[count++] = got[i];
		}
	}
	free(got);
	for (uint64_t i = 0, vpn = 0; i < writes.count; i++) {
		for (; vpn < bounds[2 * i] >> 12; vpn++)
			CHECK(!gone[vpn] && !written[vpn] && tracked[vpn] == first[vpn]);
		for (; vpn < bounds[2 * i + 1] >> 12; vpn++) {
			const unsigned char now = tracked[vpn];

			tracked[vpn] = first[vpn];
			CHECK_EQUAL(gone[vpn], is_gone(vpn, i));
			CHECK_EQUAL(written[vpn], is_written(vpn, i));
			tracked[vpn] = now;
			CHECK(step == PM_WRITES_COLLECT || now == first[vpn]);
			if (lie_categories(scene_entry(vpn)) & PM_UAPI_IS_PFNZERO && !shared[i])
				/* one that was only read may be protected as well */
				CHECK(now == first[vpn] || now == 1);
			else if (lie_categories(scene_entry(vpn)) & 24)
				CHECK_EQUAL(now, written[vpn] && step == PM_WRITES_COLLECT
							 ? 1
							 : first[vpn]);
			else /* this kernel protects holes that it calls written */
				CHECK_EQUAL(now != first[vpn] && !gone[vpn], marked[vpn]);
		}
	}
	return count;
}

/* Regions that were written, which may lie across ranges and where there are none. */
static uint64_t draw_written(struct pm_region *out, uint64_t pages)
{
	uint64_t count = 0, at = below(50);

	memset(written, 0, sizeof(written));
	while (at < pages && below(60)) {
		uint64_t end = at + 1 + below(40);

		if (end > pages)
			end = pages;
		out[count++] = (struct pm_region){ at << 12, end << 12, below(99) };
		for (; at < end; at++)
			written[at] = 1;
		at += below(2) ? below(200) : 0;
	}
	return count;
}

static void keep(const struct pm_region *regions, uint64_t count, uint64_t pages)
{
	static struct pm_region more[SCENE];
	static unsigned char kept[SCENE];
	const struct pm_regions less = { regions, count };
	const struct pm_regions with = { more, draw_written(more, pages) };
	const uint64_t most = before.found.count + count + with.count + writes.count;
	struct pm_region *got = exactly(most * sizeof(*got));
	const int64_t found = pm_writes_kept(&writes, &before, &less, &with, got, most);
	const uint64_t fewer = found ? below((uint64_t)found) : 0;
	struct pm_region *some = exactly(fewer * sizeof(*some));

	CHECK(found >= 0 && (uint64_t)found <= most);
	memset(kept, 0, sizeof(kept));
	mark(kept, got, (uint64_t)found);
	for (uint64_t i = 0, vpn = 0; i < writes.count; i++) {
		for (; vpn < bounds[2 * i] >> 12; vpn++)
			CHECK(!kept[vpn]);
		for (; vpn < bounds[2 * i + 1] >> 12; vpn++)
			CHECK_EQUAL(kept[vpn], files[i] && (written[vpn] ||
							    (was[vpn] == files[i] && !gone[vpn])));
	}
	/* the first of them, where not all fit */
	CHECK_EQUAL(pm_writes_kept(&writes, &before, &less, &with, some, fewer), fewer);
	if (fewer)
		check_regions(some, fewer, got, fewer);
	free(some);
	free(got);
}

static void errors(void)
{
	struct pm_writes_place place = { 0 };
	struct pm_region one;
	const struct pm_regions none = { 0 };

	draw(100);
	bounds[0] = 0;
	bounds[1] = 100 << 12;
	files[0] = old_files[0] = 1;
	old_regions[0] = (struct pm_region){ 0, 100 << 12, 0 };
	before.found.count = writes.count = 1;
	lie.scan_error = ESRCH;
	CHECK_EQUAL(pm_writes_guarded(&writes, &before, &place, &one, 1), -ESRCH);
	CHECK_EQUAL(pm_writes_guarded(&writes, &before, &place, &one, 0), -EINVAL);
	CHECK_EQUAL(pm_writes_round(&writes, &before, PM_WRITES_PEEK, &place, &one, 1), -ESRCH);
	CHECK_EQUAL(pm_writes_round(&writes, &before, PM_WRITES_PEEK, &place, &one, 0), -EINVAL);
	before.found.count = 0; /* then the kernel is not asked */
	CHECK_EQUAL(pm_writes_guarded(&writes, &before, &place, &one, 1), 0);
	CHECK_EQUAL(pm_writes_kept(&writes, &before, &none, &none, &one, 1), 0);
}

int main(int argc, char **argv)
{
	static struct pm_region all[SCENE];

	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(300); round++) {
		const uint64_t pages = 2 + below(3000);

		draw(pages);
		find_guarded();
		find_gone(PM_WRITES_PEEK, all);
		keep(all, find_gone(PM_WRITES_COLLECT, all), pages);
	}
	errors();
	return 0;
}
