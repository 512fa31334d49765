/*
 * Footprints of spans, against sums made page by page: spans that touch, lie
 * apart, hold nothing, or end past the address space; frames without words; a
 * kernel that interrupts, reads short, fails, and a target that dies. No chunk
 * may be larger than what the target's lock can be held for.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/footprint.cdef.h"

enum { COUNTS = LIE_FRAMES, FLAGS, MOST_SPANS = 30, CHUNK = 512, REACH = 1 << 18 };

static struct pm_range spans[MOST_SPANS];
static uint64_t spans_count;

/* Every fourth frame is mapped by nobody; flags that no rule knows are set too. */
static uint64_t word_of(int fd, uint64_t pfn)
{
	const uint64_t drawn = lie_entry(pfn * 2 + (uint64_t)(fd == FLAGS));

	return fd == FLAGS ? drawn & ~(drawn >> 20 & UINT64_C(0x1020000)) : drawn % 4 * (drawn % 3);
}

static uint64_t bit(uint64_t word, unsigned number)
{
	return word / (UINT64_C(1) << number) % 2;
}

static const uint8_t kinds[PM_TYPES_OF_SWAP] = {
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 6, 5, 5, 5, 7, 7, 7, 7, 4,
};
static uint32_t came_back; /* some page of this machine, from swap */
static const uint8_t shared[MOST_SPANS] = { 0, 1, 0, 0, 1, 1, 0, 1 };

/* Whether page `vpn` goes on with a folio that the page before has part of. */
static int goes_on(uint64_t vpn, uint64_t first)
{
	const uint64_t places = UINT64_C(1) << 55, now = scene_entry(vpn);
	uint64_t before, frame = now % places;

	if (vpn == first || vpn % CHUNK == 0 || !bit(now, 63))
		return 0;
	before = scene_entry(vpn - 1);
	return bit(before, 63) && before % places + 1 == frame && before % places &&
	       frame < lie.frames_end && bit(word_of(FLAGS, frame), 16);
}

/* Whether all that a mapping has of the folio at `vpn` in a row is mapped equally often. */
static int counted_alike(uint64_t vpn, uint64_t first, uint64_t end)
{
	const uint64_t places = UINT64_C(1) << 55;
	uint64_t from = vpn, to = vpn + 1;

	while (goes_on(from, first))
		from--;
	while (to < end && goes_on(to, first))
		to++;
	for (uint64_t at = from; at < to; at++)
		if (word_of(COUNTS, scene_entry(at) % places) !=
		    word_of(COUNTS, scene_entry(from) % places))
			return 0;
	return 1;
}

/* The flags of a frame; where it tells next to none of itself, with some of its head's. */
static uint64_t flags_of(uint64_t vpn, uint64_t first)
{
	const uint64_t places = UINT64_C(1) << 55;
	uint64_t flags = word_of(FLAGS, scene_entry(vpn) % places), from = vpn, head;

	while (goes_on(from, first))
		from--;
	head = word_of(FLAGS, scene_entry(from) % places);
	if (from != vpn && !bit(flags, 3) && bit(head, 15))
		flags |= head & 0x6018;
	return flags;
}

/* One page of a mapping, the pages from `first` to `end`, as smaps counts it, in other
 * words than csrc's. */
static void add_page(struct pm_footprint *sum, uint64_t vpn, uint64_t first, uint64_t end,
		     int is_shared)
{
	const uint64_t entry = scene_entry(vpn), frame = entry % (UINT64_C(1) << 55);
	uint64_t mapped, flags;
	int alone = (int)bit(entry, 56), dirty, untold;

	if (!bit(entry, 63)) {
		if (bit(entry, 62) && !bit(entry, 58)) {
			sum->swap += frame && entry % 32 <= 22;
			sum->swap_untold += !frame;
		}
		return;
	}
	if (!frame || frame >= lie.frames_end)
		return;
	mapped = word_of(COUNTS, frame);
	flags = flags_of(vpn, first);
	if (!counted_alike(vpn, first, end))
		alone = mapped <= 1;
	dirty = bit(flags, 4) ||
		(!came_back && bit(flags, 12) && bit(flags, 14) && !bit(flags, 13));
	untold = !dirty && (bit(flags, 12) || (is_shared && (bit(flags, 14) || !bit(flags, 3))));
	if (bit(flags, 17)) {
		sum->shared_hugetlb += !alone;
		sum->private_hugetlb += alone ? 1 : 0;
		sum->hugetlb_untold += !alone && mapped < 2;
		sum->hugetlb_pss += UINT64_C(4096) * 4096 / (mapped ? mapped : 1);
	} else if (mapped && !bit(flags, 24)) {
		sum->rss++;
		sum->anon += bit(flags, 12);
		sum->shmem += !bit(flags, 12) && bit(flags, 14);
		sum->pss += UINT64_C(4096) * 4096 / mapped;
		sum->private_dirty += alone && dirty;
		sum->private_untold += alone && untold;
		sum->private_clean += alone && !dirty && !untold;
		sum->shared_dirty += !alone && dirty;
		sum->shared_untold += !alone && untold;
		sum->shared_clean += !alone && !dirty && !untold;
	}
}

static void check_sum(const struct pm_footprint *got, const struct pm_footprint *wanted)
{
	CHECK_EQUAL(got->rss, wanted->rss);
	CHECK_EQUAL(got->pss, wanted->pss);
	CHECK_EQUAL(got->anon, wanted->anon);
	CHECK_EQUAL(got->shmem, wanted->shmem);
	CHECK_EQUAL(got->shared_clean, wanted->shared_clean);
	CHECK_EQUAL(got->shared_dirty, wanted->shared_dirty);
	CHECK_EQUAL(got->private_clean, wanted->private_clean);
	CHECK_EQUAL(got->private_dirty, wanted->private_dirty);
	CHECK_EQUAL(got->shared_untold, wanted->shared_untold);
	CHECK_EQUAL(got->private_untold, wanted->private_untold);
	CHECK_EQUAL(got->swap, wanted->swap);
	CHECK_EQUAL(got->swap_untold, wanted->swap_untold);
	CHECK_EQUAL(got->hugetlb_pss, wanted->hugetlb_pss);
	CHECK_EQUAL(got->hugetlb_untold, wanted->hugetlb_untold);
	CHECK_EQUAL(got->shared_hugetlb, wanted->shared_hugetlb);
	CHECK_EQUAL(got->private_hugetlb, wanted->private_hugetlb);
}

static void draw_spans(uint64_t pages)
{
	uint64_t at = below(50);

	memset(spans, 0, sizeof(spans));
	spans_count = 1 + below(MOST_SPANS);
	for (uint64_t i = 0; i < spans_count; i++) {
		at += below(3) ? 0 : below(300);
		spans[i] = (struct pm_range){ at, below(4) ? below(900) : below(2) };
		at += spans[i].count;
	}
	if (!below(4))
		spans[spans_count - 1].count += pages;
}

/* What a walk is of; the files may end before `frames_end`, past which no frame has words. */
static struct pm_footprint_job job_of(uint32_t use_scan, uint64_t frames_end)
{
	return (struct pm_footprint_job){
		.source.spans = spans,
		.source.fd = 3,
		.counts = COUNTS,
		.flags = FLAGS,
		.source.use_scan = use_scan,
		.source.page_shift = 12,
		.frames_end = frames_end,
		.shared = shared,
		.kinds = kinds,
		.came_back = came_back,
	};
}

/* Step to the end; returns the pages found, or what the step that failed returned. */
static int64_t walk(uint32_t use_scan, struct pm_footprint *sums, struct pm_chunks *chunks)
{
	const struct pm_footprint_job job = job_of(use_scan, lie.frames_end);
	const struct pm_place to = { spans_count, 0 };
	struct pm_place at = { 0, 0 };
	int64_t found = 0;

	while (at.span < to.span) {
		struct pm_footprint_room *room = exactly(sizeof(*room));
		struct pm_footprint before[MOST_SPANS];
		const struct pm_place from = at;
		int64_t got;

		memcpy(before, sums, sizeof(before));
		got = pm_footprint_step(&job, &at, &to, room, sums, chunks);
		free(room);
		if (got < 0) {
			CHECK_EQUAL(at.span, from.span);
			CHECK_EQUAL(at.page, from.page);
			CHECK_EQUAL(memcmp(before, sums, sizeof(before)), 0);
			return got;
		}
		CHECK(at.span > from.span || at.page > from.page);
		found += got;
	}
	CHECK(lie.most_asked <= CHUNK);
	CHECK(lie.most_scanned <= REACH);
	/* where the address space ends, a second read says so */
	CHECK(chunks->count <= lie.reads + lie.scans);
	return found;
}

static void set(uint64_t frames)
{
	lie.word = word_of;
	lie.frames_end = frames;
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(300); round++) {
		struct pm_footprint sums[MOST_SPANS] = { 0 };
		struct pm_chunks chunks = { 0 };
		const uint64_t pages = 1 + below(9000);
		int64_t found, there = 0;

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		/* swap of every type, markers among them */
		for (uint64_t vpn = 0; vpn < pages; vpn++)
			scene[vpn] += scene[vpn] >> 62 == 1 ? below(32) : 0;
		draw_spans(pages);
		set(below(4) ? pages + 1 : pages / 2);
		lie.interrupt = (unsigned)below(2);
		lie.scan_interrupt = (unsigned)below(2);
		lie.short_by = below(4) ? 0 : below(20);
		lie.tick = 100;
		came_back = (uint32_t)below(2);
		found = walk((uint32_t)below(2), sums, &chunks);
		CHECK_EQUAL(chunks.longest_ns, chunks.count ? 100 : 0);
		CHECK_EQUAL(chunks.total_ns, 100 * chunks.count);
		for (uint64_t i = 0; i < spans_count; i++) {
			struct pm_footprint sum = { 0 };

			const uint64_t first = spans[i].vpn;
			uint64_t end = first + spans[i].count;

			if (end > lie.end)
				end = lie.end;
			for (uint64_t vpn = first; vpn < end; vpn++) {
				add_page(&sum, vpn, first, end, shared[i]);
				there += scene_entry(vpn) >> 62 != 0;
			}
			check_sum(sums + i, &sum);
		}
		CHECK_EQUAL(found, there);
	}
}

static uint64_t nothing(uint64_t vpn)
{
	(void)vpn;
	return 0;
}

/* A large hole with page tables costs the kernel time too: it is passed in parts. */
static void reserved(void)
{
	struct pm_footprint sums[MOST_SPANS] = { 0 };
	struct pm_chunks chunks = { 0 };

	tell_truth(UINT64_C(1) << 22);
	lie.entry = nothing;
	lie.scan = 1;
	set(100);
	spans_count = 1;
	spans[0] = (struct pm_range){ 3, 3 * REACH + 5 };
	CHECK_EQUAL(walk(1, sums, &chunks), 0);
	CHECK_EQUAL(lie.most_scanned, REACH);
	CHECK(lie.scans <= 5);
}

static void failures(void)
{
	struct pm_footprint sums[MOST_SPANS] = { 0 };
	struct pm_chunks chunks = { 0 };

	spans_count = 1;
	spans[0] = (struct pm_range){ 0, 2000 };
	for (uint32_t use_scan = 0; use_scan < 2; use_scan++) {
		alternate(2000);
		set(3000);
		lie.error = EIO;
		lie.error_at = 1500;
		CHECK_EQUAL(walk(use_scan, sums, &chunks), -EIO);

		alternate(2000);
		set(3000);
		lie.word_error = ENXIO;
		lie.word_error_of = COUNTS;
		CHECK_EQUAL(walk(use_scan, sums, &chunks), -ENXIO);
		lie.word_error_of = FLAGS;
		CHECK_EQUAL(walk(use_scan, sums, &chunks), -ENXIO);
	}
	alternate(2000);
	set(3000);
	lie.scan_error = ENOTTY;
	CHECK_EQUAL(walk(1, sums, &chunks), -ENOTTY);
}

/* A walk over a target that dies ends, and what was read before stands. */
static void deaths(void)
{
	for (uint64_t calls = 1; calls < 40; calls++) {
		struct pm_footprint sums[MOST_SPANS] = { 0 };
		struct pm_chunks chunks = { 0 };

		alternate(SCENE);
		set(SCENE + 1);
		spans_count = 1;
		spans[0] = (struct pm_range){ 0, SCENE };
		lie.dies_after = calls;
		CHECK(walk((uint32_t)calls % 2, sums, &chunks) <= (int64_t)calls * CHUNK);
	}
}

static void short_reads(void)
{
	struct pm_footprint sums[MOST_SPANS] = { 0 }, again[MOST_SPANS] = { 0 };
	struct pm_chunks chunks = { 0 };
	int64_t whole;

	spans_count = 1;
	spans[0] = (struct pm_range){ 0, 900 };
	alternate(900);
	set(1000);
	whole = walk(0, sums, &chunks);
	CHECK_EQUAL(whole, 450);
	chunks = (struct pm_chunks){ 0 };
	alternate(900);
	set(1000);
	lie.most = 24;
	/* several reads are one chunk then: the calls are no chunks of their own */
	{
		const struct pm_footprint_job job = job_of(0, 1000);
		const struct pm_place to = { 1, 0 };
		struct pm_footprint_room *room = exactly(sizeof(*room));
		struct pm_place at = { 0, 0 };

		CHECK_EQUAL(pm_footprint_step(&job, &at, &to, room, again, &chunks), whole);
		free(room);
	}
	check_sum(again, sums);
}

/* A file that ends before a frame that is mapped says nothing of it: not that it is none. */
static void files_cut_short(void)
{
	struct pm_footprint sums[MOST_SPANS] = { 0 };
	struct pm_footprint_room *room = exactly(sizeof(*room));
	const struct pm_footprint_job job = job_of(0, 1000);
	const struct pm_place to = { 1, 0 };
	struct pm_place at = { 0, 0 };
	struct pm_chunks chunks = { 0 };

	spans_count = 1;
	spans[0] = (struct pm_range){ 0, 900 };
	alternate(900);
	set(500);
	CHECK_EQUAL(pm_footprint_step(&job, &at, &to, room, sums, &chunks), -ENODATA);
	CHECK_EQUAL(at.page, 0);
	CHECK_EQUAL(sums[0].rss, 0);
	free(room);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	reserved();
	failures();
	deaths();
	short_reads();
	files_cut_short();
	return 0;
}
