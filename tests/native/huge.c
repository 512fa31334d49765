/*
 * Huge pages of address spaces drawn at random, against a count page by page:
 * folios of every size, mapped whole, in part, in their place or off it, by PMDs
 * or not; in pieces cut anywhere, and with a target that dies.
 *
 * The lying kernel tells one file from another by what is asked: the words of frames
 * are those from FRAMES on, and below it lie the pages of the address space.
 */
#include "scene.h"
#include "kernel/kpage.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/huge.cdef.h"

enum {
	FRAMES = 1 << 20,
	MEMORY = 1 << 15, /* frames: more groups than PM_SMALL_GROUPS */
	PMD_ORDER = 6,
	MOST_SPANS = 12,
	ZEROS = 3, /* small pages of zeros: frames whose words a walk need not read */
};

#define ANON (UINT64_C(1) << 12)
#define HEAD (UINT64_C(1) << 15)
#define TAIL (UINT64_C(1) << 16)
#define THP  (UINT64_C(1) << 22)
#define ZERO (UINT64_C(1) << 24)

static uint64_t memory[MEMORY];
static uint64_t zero_at;	/* the first of them, in memory */
static unsigned orders[MEMORY]; /* of the folio that has a frame, */
static uint64_t heads[MEMORY];	/* and where it begins */
static struct pm_range spans[MOST_SPANS + 1];
static uint8_t shared[MOST_SPANS];
static uint8_t hugetlb[MOST_SPANS];
static uint64_t spans_count;

static uint64_t index_read(uint64_t index)
{
	if (index >= FRAMES)
		return index < FRAMES + MEMORY ? memory[index - FRAMES] : 0;
	return scene_entry(index);
}

/* Folios in a row, each at a multiple of its size. */
static void draw_memory(unsigned least, unsigned largest)
{
	static const uint64_t kinds[] = { THP | ANON, THP, THP | ANON, 0, THP | ZERO };

	for (uint64_t at = 0; at < MEMORY;) {
		unsigned order = (unsigned)below(largest + 1);
		uint64_t kind = kinds[below(5)] | (below(2) ? 8 : 0);

		while (at & ((UINT64_C(1) << order) - 1))
			order--;
		if (kind & ANON && order < least)
			order = 0;
		if (kind & ZERO) /* has the size of what a PMD maps */
			order = at & ((1u << PMD_ORDER) - 1) ? 0 : PMD_ORDER;
		for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
			memory[at + i] = order ? kind | (i ? TAIL : HEAD) : 8;
			orders[at + i] = order;
			heads[at + i] = at;
		}
		at += UINT64_C(1) << order;
	}
	/* small frames, ZEROS in a row; or none */
	for (zero_at = below(MEMORY); zero_at + ZEROS <= MEMORY; zero_at++)
		if (memory[zero_at] == 8 && memory[zero_at + 1] == 8 && memory[zero_at + 2] == 8)
			return;
	zero_at = MEMORY;
}

/* Frames from `frame` on at `count` pages from `vpn` on. */
static void map_frames(uint64_t vpn, uint64_t frame, uint64_t count, uint64_t flags)
{
	for (uint64_t i = 0; i < count && vpn + i < SCENE; i++) {
		const uint64_t at = (frame + i) % MEMORY;
		const int file = memory[at] & THP && !(memory[at] & (ANON | ZERO));

		scene[vpn + i] = SCENE_PRESENT | flags | (file ? SCENE_FILE : 0) | (FRAMES + at);
	}
}

/* The least order of an anonymous folio, or what says that it is not known. */
static uint32_t least_order(void)
{
	uint32_t least = 64;

	for (uint64_t at = 0; at < MEMORY; at++)
		if (memory[at] & ANON && memory[at] & HEAD && orders[at] < least)
			least = orders[at];
	return below(3) ? least : 0;
}

static void draw_pages(uint64_t pages)
{
	memset(scene, 0, sizeof(scene));
	for (uint64_t at = 0; at < pages;) {
		const uint64_t frame = below(MEMORY), head = heads[frame];
		const unsigned order = orders[frame];
		const uint64_t size = UINT64_C(1) << order;
		uint64_t count = size;

		switch (below(6)) {
		case 0: /* a folio in its place, by PMDs where it can be */
			at = (at + size - 1) & ~(size - 1);
			map_frames(at, head, size, 0);
			if (order >= PMD_ORDER && memory[head] & THP && below(2))
				map_frames(at, head, size, SCENE_HUGE);
			break;
		case 1: /* wherever */
			map_frames(at, head, size, 0);
			break;
		case 2: /* frames in a row, from and to the middle of folios */
			count = 1 + below(400);
			map_frames(at, frame, count, 0);
			break;
		case 3: /* a part of one */
			count = 1 + below(size);
			map_frames(at, head + below(size - count + 1), count, 0);
			break;
		case 4: /* scattered, and pages of zeros */
			for (count = 0; count < 20; count++)
				map_frames(at + count,
					   below(2) ? below(MEMORY) : zero_at + below(ZEROS), 1, 0);
			break;
		default: /* swapped, or nothing */
			count = 1 + below(200);
			for (uint64_t i = 0; i < count && at + i < SCENE; i++)
				scene[at + i] = i % 3 ? 0 : SCENE_SWAPPED | 5;
		}
		at += count;
	}
	for (uint64_t at = pages; at < SCENE; at++)
		scene[at] = 0;
}

/* Some are of shared memory that a driver maps by PFN: their entries say nothing of the frame. */
static void draw_shared(void)
{
	for (uint64_t i = 0; i < spans_count; i++) {
		shared[i] = below(3) == 0;
		hugetlb[i] = below(5) == 0;
		for (uint64_t at = 0; shared[i] && at < spans[i].count; at++)
			scene[spans[i].vpn + at] &= ~SCENE_FILE;
	}
}

static void draw_spans(uint64_t pages)
{
	uint64_t at = 0;

	spans_count = 0;
	while (at < pages && spans_count < MOST_SPANS) {
		uint64_t count = 1 + below(pages / 4 + 1);

		if (below(3) == 0)
			at += below(50);
		if (at >= pages)
			break;
		if (count > pages - at || spans_count == MOST_SPANS - 1)
			count = pages - at;
		spans[spans_count++] = (struct pm_range){ .vpn = at, .count = count };
		at += count;
	}
	draw_shared();
}

static uint64_t word_of(uint64_t vpn)
{
	return index_read(scene[vpn] & ((UINT64_C(1) << 55) - 1));
}

static int follows(uint64_t vpn)
{
	return scene[vpn - 1] & SCENE_PRESENT &&
	       (scene[vpn] & ((UINT64_C(1) << 55) - 1)) ==
		       (scene[vpn - 1] & ((UINT64_C(1) << 55) - 1)) + 1;
}

/* Blocks of `size` pages in a piece. */
static uint64_t blocks(uint64_t vpn, uint64_t pages, uint64_t size)
{
	uint64_t sum = 0;

	for (uint64_t at = vpn; at + size <= vpn + pages; at++)
		if (at % size == 0 && (scene[at] & (MEMORY - 1)) % size == 0)
			sum += size;
	return sum;
}

/* Whether the page is of zeros, small or huge. */
static int is_zero(uint64_t vpn)
{
	const uint64_t frame = scene[vpn] & ((UINT64_C(1) << 55) - 1);

	return frame - FRAMES - zero_at < ZEROS || (word_of(vpn) & (THP | ZERO)) == (THP | ZERO);
}

static void count_naively(const struct pm_range *span, int of_hugetlb, uint32_t conts, int scan,
			  struct pm_huge *tally)
{
	const uint64_t end = span->vpn + span->count;

	for (uint64_t at = span->vpn; at < end; at++) {
		if (!(scene[at] & SCENE_PRESENT))
			continue;
		tally->present++;
		if (of_hugetlb)
			tally->hugetlb++;
		else if (is_zero(at))
			tally->zero++;
		else
			tally->anonymous += !(scene[at] & SCENE_FILE);
	}
	if (of_hugetlb)
		return;
	for (uint64_t at = span->vpn, next; at < end; at = next) {
		const uint64_t word = word_of(at);
		struct pm_huge_kind *kind = word & ANON ? &tally->anon : &tally->file;
		unsigned order = 0;
		int whole, pmd;

		next = at + 1;
		if (!(scene[at] & SCENE_PRESENT) || !(word & THP))
			continue;
		while (next < end && scene[next] & SCENE_PRESENT && follows(next) &&
		       word_of(next) & TAIL)
			next++;
		if (word & ZERO)
			continue;
		tally->thp += next - at;
		while (UINT64_C(1) << order < next - at)
			order++;
		whole = word & HEAD &&
			!(index_read((scene[next - 1] & ((UINT64_C(1) << 55) - 1)) + 1) & TAIL);
		/* a real mapping never ends within what a PMD maps; these spans may */
		pmd = scan && whole && scene[at] & SCENE_HUGE;
		if (pmd)
			kind->pmd += next - at;
		else if (!whole)
			kind->partial += next - at;
		else if (at % (next - at))
			kind->unaligned[order] += next - at;
		else
			kind->aligned[order] += next - at;
		for (unsigned each = 1; !pmd && each < PM_HUGE_ORDERS; each++)
			if (conts >> each & 1)
				kind->cont[each] += blocks(at, next - at, UINT64_C(1) << each);
	}
}

static struct pm_huge_scratch scratch;

static void make_scratch(void)
{
	if (scratch.entries)
		return;
	scratch = (struct pm_huge_scratch){
		.entries = exactly(PM_HUGE_BATCH * 8),
		.words = exactly(PM_HUGE_BATCH * 8),
		.pfns = exactly(PM_HUGE_BATCH * 8),
		.wishes = exactly(PM_HUGE_BATCH * sizeof(struct pm_wish)),
		.spare = exactly(PM_HUGE_BATCH * sizeof(struct pm_wish)),
		.runs = exactly(PM_HUGE_RUNS * sizeof(struct pm_range)),
	};
}

/* Count by pieces of at most `most` pages; returns 0 or the first error. */
static int64_t count_pieces(const struct pm_huge_job *job, uint64_t most, struct pm_huge *sums)
{
	struct pm_place at = { 0, 0 }, to;

	while (pm_spans_advance(spans, spans_count, &at, 1 + below(most), &to)) {
		const uint64_t first = at.span, room = to.span - first + 1;
		struct pm_huge *tallies = exactly(room * sizeof(*tallies));
		int64_t got;

		memset(tallies, 0, room * sizeof(*tallies));
		got = pm_huge_spans(job, &at, &to, &scratch, tallies);
		if (got >= 0) {
			CHECK(at.span > to.span || (at.span == to.span && at.page >= to.page));
			pm_huge_add(tallies, to.page ? room : room - 1, sums + first);
		}
		free(tallies);
		if (got < 0)
			return got;
		at = to;
	}
	return 0;
}

static struct pm_huge_job draw_job(void)
{
	return (struct pm_huge_job){
		.source.spans = spans,
		.source.page_shift = 12,
		.source.use_scan = below(4) != 0,
		.pmd_order = PMD_ORDER,
		.shared = shared,
		.hugetlb = hugetlb,
		.zero_count = ZEROS,
		.conts = (uint32_t)below(1 << (PMD_ORDER + 1)) & ~1u,
	};
}

static void draw(uint64_t pages)
{
	draw_memory(1 + (unsigned)below(6), 1 + (unsigned)below(10));
	draw_pages(pages);
	draw_spans(pages);
	tell_truth(FRAMES + MEMORY);
	lie.entry = index_read;
	lie.scan = 1;
}

static void test_random(uint64_t pages, uint64_t most)
{
	struct pm_huge wanted[MOST_SPANS] = { 0 }, got[MOST_SPANS] = { 0 };
	struct pm_huge_job job = draw_job();

	draw(pages);
	job.anon_order = least_order();
	job.zero_pfn = FRAMES + zero_at;
	job.source.spans = spans;
	for (uint64_t i = 0; i < spans_count; i++)
		count_naively(spans + i, hugetlb[i], job.conts, (int)job.source.use_scan,
			      wanted + i);
	if (below(3) == 0)
		lie.most = 8 * (1 + below(3000));
	lie.interrupt = (unsigned)below(2);
	CHECK_EQUAL(count_pieces(&job, most, got), 0);
	for (uint64_t i = 0; i < spans_count; i++) {
		const uint64_t *one = (const uint64_t *)(got + i),
			       *two = (const uint64_t *)(wanted + i);

		for (uint64_t at = 0; at < sizeof(*got) / 8; at++)
			if (one[at] != two[at])
				fprintf(stderr, "span %d, count %d\n", (int)i, (int)at);
		for (uint64_t at = 0; at < sizeof(*got) / 8; at++)
			CHECK_EQUAL(one[at], two[at]);
	}
}

/* Whatever call fails, its errno comes back; and a target that dies ends the walk. */
static void test_failures(void)
{
	struct pm_huge sums[MOST_SPANS] = { 0 };
	struct pm_huge_job job = draw_job();
	int64_t got;

	draw(4000);
	job.source.spans = spans;
	lie.error = EIO;
	lie.error_at = below(2) ? below(4000) : FRAMES + below(MEMORY);
	got = count_pieces(&job, 4000, sums);
	CHECK(got == -EIO || got == 0);

	draw(4000);
	lie.error = ESRCH;
	lie.error_at = spans[0].vpn;
	job.source.use_scan = 0;
	CHECK_EQUAL(count_pieces(&job, 4000, sums), -ESRCH);

	draw(4000);
	job.source.use_scan = (uint32_t)below(2);
	lie.dies_after = 1 + below(200);
	got = count_pieces(&job, 1000, sums);
	CHECK(got == 0 || got == -ESRCH);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	make_scratch();
	for (unsigned round = round_from(); round < round_to(150); round++) {
		test_random(1 + below(3000), 4000);
		test_random(1 + below(3000), 1 + below(300));
	}
	for (unsigned round = round_from(); !PM_FUZZED && round < round_to(6); round++)
		test_random(SCENE, SCENE);
	for (unsigned round = round_from(); round < round_to(200); round++)
		test_failures();
	return 0;
}
