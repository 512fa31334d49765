/*
 * What whole mappings hold, in each way of counting, against a count page by
 * page: spans that touch, lie apart, hold nothing, are of hugetlb, or end past
 * the address space; in pieces, and with limits of pages and of time.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/tally.cdef.h"

enum { MOST_SPANS = 30, ALL_ASKED = 8 | 16 | 32 | 64 | 128 | 256 };

#define SCENE_UFFD_WP (UINT64_C(1) << 57)

static const uint8_t kinds[PM_TYPES_OF_SWAP] = {
	[0] = PM_ENTRY_SWAP,	   [5] = PM_ENTRY_SWAP,	   [24] = PM_ENTRY_POISONED,
	[25] = PM_ENTRY_MIGRATING, [28] = PM_ENTRY_DEVICE, [31] = PM_ENTRY_MARKER,
};
static struct pm_range spans[MOST_SPANS + 1];
static uint8_t backing[MOST_SPANS + 1];
static uint64_t spans_count;

/* One page that is not present, by the type that it has in its lowest bits. */
static void count_kind(struct pm_counts *to, uint64_t entry)
{
	static const uint64_t swapped = SCENE_SWAPPED;

	if (entry & SCENE_GUARD)
		to->guard++;
	else if (!(entry & swapped))
		to->marker += !!(entry & SCENE_UFFD_WP);
	else if (entry % SCENE_DIRTY == 0)
		to->hidden++;
	else if (entry % 32 == 0 || entry % 32 == 5)
		to->swap++;
	else if (entry % 32 == 24)
		to->poisoned++;
	else if (entry % 32 == 25)
		to->migrating++;
	else if (entry % 32 == 28)
		to->device++;
	else
		to->marker++;
}

static int of_hugetlb_at(uint64_t span)
{
	return backing[span] == PM_BACKED_BY_HUGETLB;
}

static int is_parted(const struct pm_tally_job *job, uint64_t span)
{
	return job->ways & PM_PARTED && backing[span] & PM_MIXED;
}

/* What a way tells of one page. */
static void count_page(struct pm_counts *to, uint64_t entry, const struct pm_tally_job *job,
		       uint64_t span)
{
	const int of_hugetlb = of_hugetlb_at(span), parted = is_parted(job, span);
	const uint64_t is = lie_categories(entry);
	const uint64_t known = job->ways & PM_BY_SCAN ? job->returned : 0;
	const int entries = !!(job->ways & PM_BY_ENTRIES);
	const unsigned present = !!(is & 8);
	const int found = job->ways & PM_BY_SCAN && is & job->any_of;

	to->pages++;
	if (entries || (found && known & 8)) {
		to->present += present;
		to->hugetlb += present && of_hugetlb;
	}
	if (found) {
		to->zero += known & 8 && known & 32 && present && is & 32;
		to->marked_zero += (entries || parted) && known & 32 && present && is & 32 &&
				   is & 4;
		to->huge += known & 8 && known & 64 && present && is & 64 && !(known & is & 32);
		to->soft_dirty += known & 128 && is & 128;
	}
	if (!entries) {
		if (found && known & 16 && is & 16) {
			if (known & is & 256)
				to->guard++;
			else if (job->ways & PM_ABSENT)
				count_kind(to, entry);
		}
		to->file_or_shared += parted && present && is & 4;
		to->anon += parted && present && !(is & 4);
		return;
	}
	to->soft_dirty += job->ways & PM_UNTOUCHED && is & 128;
	if (is & 24 || of_hugetlb || job->ways & PM_UNTOUCHED)
		to->uffd_wp += entry & SCENE_UFFD_WP ? 1 : 0;
	if (!present && (is & 24) && (entry & SCENE_SWAPPED || of_hugetlb))
		count_kind(to, entry);
	if (!of_hugetlb) {
		to->uss += present && entry >> 56 & 1;
		to->file_or_shared += present && is & 4;
		to->anon += present && !(is & 4);
	}
}

static void check_counts(const struct pm_counts *got, const struct pm_counts *wanted)
{
	CHECK_EQUAL(got->pages, wanted->pages);
	CHECK_EQUAL(got->present, wanted->present);
	CHECK_EQUAL(got->rss, wanted->rss);
	CHECK_EQUAL(got->zero, wanted->zero);
	CHECK_EQUAL(got->hugetlb, wanted->hugetlb);
	CHECK_EQUAL(got->swap, wanted->swap);
	CHECK_EQUAL(got->guard, wanted->guard);
	CHECK_EQUAL(got->marker, wanted->marker);
	CHECK_EQUAL(got->migrating, wanted->migrating);
	CHECK_EQUAL(got->poisoned, wanted->poisoned);
	CHECK_EQUAL(got->device, wanted->device);
	CHECK_EQUAL(got->hidden, wanted->hidden);
	CHECK_EQUAL(got->file_or_shared, wanted->file_or_shared);
	CHECK_EQUAL(got->uss, wanted->uss);
	CHECK_EQUAL(got->soft_dirty, wanted->soft_dirty);
	CHECK_EQUAL(got->uffd_wp, wanted->uffd_wp);
	CHECK_EQUAL(got->anon, wanted->anon);
	CHECK_EQUAL(got->huge, wanted->huge);
}

static uint64_t least(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

/* Of the pages from `from` up to `to`, span by span. */
static void count_naively(const struct pm_tally_job *job, struct pm_place from, struct pm_place to,
			  struct pm_counts *counts)
{
	for (uint64_t i = from.span; i <= to.span && i < spans_count; i++) {
		const uint64_t last = i == to.span ? to.page : spans[i].count;
		struct pm_counts *here = counts + i;

		for (uint64_t page = i == from.span ? from.page : 0; page < last; page++) {
			const uint64_t vpn = spans[i].vpn + page;

			count_page(here, vpn < lie.end ? scene_entry(vpn) : 0, job, i);
		}
		here->rss =
			here->present - (here->zero < here->present ? here->zero : here->present);
		here->rss -= here->hugetlb < here->rss ? here->hugetlb : here->rss;
		if (job->ways & PM_PARTED && !is_parted(job, i)) {
			here->anon = backing[i] == PM_BACKED_BY_NONE ? here->rss : 0;
			here->file_or_shared = here->rss - here->anon;
			continue;
		}
		here->file_or_shared -= least(here->marked_zero, here->file_or_shared);
		if (job->ways & (PM_BY_ENTRIES | PM_PARTED))
			here->anon -= least(here->zero - here->marked_zero, here->anon);
	}
}

static int past(const struct pm_place *at, const struct pm_place *to)
{
	return at->span > to->span || (at->span == to->span && at->page >= to->page);
}

/* From `from` on, once; the counts must be those of the pages passed. Returns the pages found. */
static int64_t step(const struct pm_tally_job *job, struct pm_place *from,
		    const struct pm_place *to, struct pm_counts *sums)
{
	const struct pm_place began = *from;
	const uint64_t room = to->span - began.span + 1;
	struct pm_counts *got = calloc(room, sizeof(*got)), wanted[MOST_SPANS + 1];
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8);
	int64_t found = pm_tally_spans(job, from, to, scratch, got);

	CHECK(found >= 0);
	memset(wanted, 0, sizeof(wanted));
	count_naively(job, began, past(from, to) ? *to : *from, wanted);
	for (uint64_t i = 0; i < room; i++)
		check_counts(got + i, wanted + began.span + i);
	if (sums)
		pm_counts_add(got, room, sums + began.span);
	free(scratch);
	free(got);
	return found;
}

/* What stands behind a mapping. In one of hugetlb every page is huge, holes too, and of zeros none; holes may be protected. */
static void draw_backing(void)
{
	for (uint64_t i = 0; i < spans_count; i++) {
		backing[i] = (uint8_t)(below(4) ? below(4) : PM_BACKED_BY_HUGETLB);
		if (backing[i] % PM_BACKED_BY_HUGETLB && below(2))
			backing[i] |= PM_MIXED;
		for (uint64_t page = 0; of_hugetlb_at(i) && page < spans[i].count; page++) {
			uint64_t *entry = scene + spans[i].vpn + page;

			if (spans[i].vpn + page >= SCENE)
				break;
			*entry = *entry & SCENE_PRESENT ? *entry & ~SCENE_ZERO : 0;
			*entry |= SCENE_HUGE | (*entry || below(3) ? 0 : SCENE_UFFD_WP);
		}
	}
}

/* Give what is swapped a type of its own, or hide it. */
static void add_kinds(void)
{
	static const uint64_t types[] = { 0, 5 | 32, 5, 24, 25, 28, 31, 32 };

	for (uint64_t vpn = 0; vpn < SCENE; vpn++)
		if (scene[vpn] & SCENE_SWAPPED)
			scene[vpn] = scene[vpn] / 32 * 32 + types[vpn / 3 % 8];
}

static void draw_spans(uint64_t pages)
{
	uint64_t at = below(50);

	memset(spans, 0, sizeof(spans));
	memset(backing, 0, sizeof(backing));
	spans_count = 1 + below(MOST_SPANS);
	for (uint64_t i = 0; i < spans_count; i++) {
		at += below(3) ? 0 : below(300);
		spans[i] = (struct pm_range){ at, below(4) ? below(900) : below(2) };
		at += spans[i].count;
	}
	if (!below(4))
		spans[spans_count - 1].count += pages;
	draw_backing();
	add_kinds();
}

static struct pm_tally_job draw_job(uint64_t pages)
{
	static const uint32_t ways[] = { PM_BY_SCAN,
					 PM_BY_SCAN | PM_ABSENT,
					 PM_BY_ENTRIES,
					 PM_BY_ENTRIES | PM_UNTOUCHED,
					 PM_BY_ENTRIES | PM_BY_SCAN,
					 PM_BY_SCAN | PM_PARTED,
					 PM_BY_SCAN | PM_PARTED | PM_ABSENT };
	static const uint64_t asked[] = { 8, 8 | 16, 64, 128, 16, 32, 8 | 32, ALL_ASKED & ~64 };
	struct pm_tally_job job = {
		.source.spans = spans,
		.backing = backing,
		.kinds = kinds,
		.source.fd = 3,
		.mapcounts = -1,
		.flags = -1,
		.source.page_shift = 12,
		.ways = ways[below(7)] | PM_OF_HUGETLB,
		.source.use_scan = (uint32_t)below(2),
		.end = pages,
	};

	if (job.ways & PM_BY_ENTRIES && job.ways & PM_BY_SCAN)
		job.any_of = below(3) ? 64 | 32 | 128 : below(2) ? 64 | 32 : 128;
	else if (job.ways & PM_BY_SCAN)
		job.any_of = asked[below(8)];
	if (job.ways & PM_PARTED) /* which are of what is present, but for zeros */
		job.any_of = 8 | (below(2) ? 16 : 0);
	job.returned = job.any_of | (below(4) || job.ways & PM_PARTED ? 8 | 32 | 64 | 256 : 8);
	return job;
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(200); round++) {
		const uint64_t pages = 1 + below(9000);
		struct pm_counts sums[MOST_SPANS + 1] = { 0 }, wanted[MOST_SPANS + 1] = { 0 };
		struct pm_place at = { 0, 0 }, end;
		struct pm_tally_job job;

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		draw_spans(pages);
		job = draw_job(pages);
		end = (struct pm_place){ spans_count, 0 };
		lie.interrupt = (unsigned)below(2);
		lie.scan_interrupt = (unsigned)below(2);
		lie.short_by = below(4) ? 0 : below(20);
		/* in pieces, as threads take them */
		while (!past(&at, &end)) {
			struct pm_place to = end;

			if (below(4) && at.span < spans_count) {
				to.span = at.span + below(spans_count - at.span);
				to.page = below(spans[to.span].count + 1);
				if (past(&at, &to))
					continue;
			}
			step(&job, &at, &to, sums);
			CHECK(past(&at, &to));
			at = to;
		}
		count_naively(&job, (struct pm_place){ 0, 0 }, end, wanted);
		for (uint64_t i = 0; i < spans_count; i++)
			check_counts(sums + i, wanted + i);
	}
}

/* Stopped by a limit it says where, has counted all before that and nothing behind it, and goes on. */
static void limits(void)
{
	for (unsigned round = round_from(); round < round_to(200); round++) {
		const uint64_t pages = SCENE - below(500);
		struct pm_counts sums[MOST_SPANS + 1] = { 0 }, wanted[MOST_SPANS + 1] = { 0 };
		struct pm_place at = { 0, 0 }, end = { 1, 0 };
		struct pm_tally_job job;
		uint64_t steps = 0;

		draw_scene(pages, 40, 3);
		spans[0] = (struct pm_range){ 0, pages };
		spans_count = 1;
		backing[0] = 0;
		add_kinds();
		job = draw_job(pages);
		if (below(2)) {
			job.max_pages = 1 + below(pages);
		} else {
			lie.tick = 1000;
			job.max_ns = 1 + below(9000);
		}
		while (!past(&at, &end)) {
			const struct pm_place before = at;
			const uint64_t clock = lie.now;
			int64_t found = step(&job, &at, &end, sums);

			CHECK(past(&at, &before) &&
			      (at.span > before.span || at.page > before.page));
			if (!past(&at, &end) && job.max_pages)
				CHECK((uint64_t)found == job.max_pages);
			if (!past(&at, &end) && job.max_ns)
				CHECK(lie.now - clock - lie.tick >= job.max_ns);
			CHECK(++steps <= pages);
		}
		count_naively(&job, (struct pm_place){ 0, 0 }, end, wanted);
		check_counts(sums, wanted);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	limits();
	return 0;
}
