/*
 * Pages that map wanted frames: every one of them once, in order, with its span and its
 * entry, and no other; over spans of any shape, in steps, with errors, and of a process
 * that dies.
 */
#include "scene.h"
#include "walk/spans.cdef.h"
#include "analyses/owners.cdef.h"

enum { MOST_SPANS = 30, MOST_WANTED = 200, FRAMES = 300 };

static struct pm_range spans[MOST_SPANS];
static uint64_t spans_count;

static uint64_t pfns[MOST_WANTED];
static struct pm_wanted wanted = { .pfns = pfns };

/* Some of the frames, ascending, and far ones that share their bits of the filter. */
static void draw_wanted(uint64_t mask)
{
	wanted.count = 0;
	for (uint64_t pfn = 1; pfn < FRAMES && wanted.count < MOST_WANTED; pfn++)
		if (!below(4))
			pfns[wanted.count++] = below(8) ? pfn : pfn + (UINT64_C(1) << 40);
	for (uint64_t i = 1; i < wanted.count; i++)
		for (uint64_t at = i; at && pfns[at - 1] > pfns[at]; at--) {
			uint64_t swap = pfns[at];

			pfns[at] = pfns[at - 1];
			pfns[at - 1] = swap;
		}
	wanted.filter_mask = mask;
	wanted.filter = exactly((mask + 1) / 8);
	memset(wanted.filter, 0, (mask + 1) / 8);
	pm_owners_filter(&wanted);
}

static int is_wanted(uint64_t entry)
{
	if (entry < SCENE_PRESENT)
		return 0;
	for (uint64_t i = 0; i < wanted.count; i++)
		if (pfns[i] == entry % (UINT64_C(1) << 55))
			return 1;
	return 0;
}

/* Many pages of few frames. */
static void draw(uint64_t pages)
{
	uint64_t at = below(50);

	draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
	for (uint64_t i = 0; i < pages; i++)
		if (scene[i] & SCENE_PRESENT)
			scene[i] = (scene[i] >> 55 << 55) | (1 + below(FRAMES));
	spans_count = 1 + below(MOST_SPANS);
	for (uint64_t i = 0; i < spans_count; i++) {
		at += below(3) ? 0 : below(300);
		spans[i] = (struct pm_range){ at, below(4) ? below(900) : below(2) };
		at += spans[i].count;
	}
}

/* The wanted pages of spans[span] from *page on: moves there, 0 when there is none. */
static int next_wanted(uint64_t *span, uint64_t *page)
{
	for (; *span < spans_count; ++*span, *page = 0)
		for (; *page < spans[*span].count; ++*page) {
			const uint64_t vpn = spans[*span].vpn + *page;

			if (vpn < lie.end && is_wanted(scene_entry(vpn)))
				return 1;
		}
	return 0;
}

/* `faithful`: nothing goes wrong, so all must be found. Returns an error if there was one. */
static int64_t check_all(int use_scan, int faithful)
{
	const struct pm_source source = { spans, spans_count, 3, 12, (uint32_t)use_scan, NULL };
	const struct pm_place to = { spans_count, 0 };
	struct pm_place at = { 0, 0 };
	uint64_t span = 0, page = 0, seen;
	const uint64_t room = PM_READ_BLOCK + below(3);
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8);
	struct pm_sighting *out = exactly(room * sizeof(*out));
	int64_t got = 0;

	for (unsigned steps = 0; at.span < to.span; steps++) {
		got = pm_owners_find(&source, &wanted, &at, &to, scratch, out, room, &seen);
		if (got < 0)
			break;
		CHECK((uint64_t)got <= room && (uint64_t)got <= seen);
		for (int64_t i = 0; i < got; i++, page++) {
			CHECK(out[i].entry == scene_entry(out[i].vpn));
			CHECK(is_wanted(out[i].entry));
			if (!faithful)
				continue;
			CHECK(next_wanted(&span, &page));
			CHECK_EQUAL(out[i].span, span);
			CHECK_EQUAL(out[i].vpn, spans[span].vpn + page);
		}
		CHECK(steps < 1000);
	}
	CHECK(!faithful || !next_wanted(&span, &page));
	free(out);
	free(scratch);
	return got;
}

static void drawn(void)
{
	static const uint64_t masks[] = { 63, 127, 4095 };

	for (unsigned round = round_from(); round < round_to(120); round++) {
		draw(1 + below(9000));
		draw_wanted(masks[below(3)]);
		lie.interrupt = (unsigned)below(2);
		lie.scan_interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		CHECK(check_all(below(3) > 0, 1) >= 0);
		lie.interrupt = lie.scan_interrupt = 0;
		if (below(2)) {
			lie.dies_after = lie.reads + lie.scans + 1 + below(20);
			check_all(below(2) > 0, 0);
			lie.dies_after = 0;
		}
		lie.error = EIO;
		lie.error_at = below(9000);
		CHECK(check_all(0, 0) >= -EIO);
		lie.error = 0;
		lie.scan_error = EPERM;
		check_all(1, 0);
		free(wanted.filter);
	}
}

/* More found than fit: the next call goes on where this one stopped. */
static void full(void)
{
	draw_scene(SCENE, SCENE, 0);
	for (uint64_t i = 0; i < SCENE; i++)
		scene[i] = SCENE_PRESENT | 7;
	spans[0] = (struct pm_range){ 0, SCENE };
	spans_count = 1;
	pfns[0] = 7;
	wanted = (struct pm_wanted){ pfns, 1, exactly(8), 63 };
	memset(wanted.filter, 0, 8);
	pm_owners_filter(&wanted);
	CHECK(check_all(0, 1) >= 0);
	free(wanted.filter);
}

static void little_room(void)
{
	const struct pm_source source = { spans, 1, 3, 12, 0, NULL };
	const struct pm_place to = { 1, 0 };
	struct pm_place at = { 0, 0 };
	struct pm_sighting out[1];
	uint64_t scratch[1], seen;

	CHECK_EQUAL(pm_owners_find(&source, &wanted, &at, &to, scratch, out, 1, &seen), -EINVAL);
}

static void memory(void)
{
	lie.kcmp_error = 0;
	CHECK_EQUAL(pm_compare_memory(10, 11), PM_SAME);
	CHECK_EQUAL(pm_compare_memory(10, 12), PM_BEFORE);
	CHECK_EQUAL(pm_compare_memory(12, 10), PM_AFTER);
	lie.kcmp_error = ESRCH;
	CHECK_EQUAL(pm_compare_memory(10, 11), -ESRCH);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	full();
	little_room();
	memory();
	return 0;
}
