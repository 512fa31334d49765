/*
 * Pages counted and listed, in steps of any size, over spans of any shape, against
 * a kernel that tears, interrupts, ends and fails: each page once, as a naive walk
 * has it.
 */
#include "scene.h"
#include "types_block.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/types.cdef.h"

enum { MOST_SPANS = 20, FRAMES_END = SCENE - 700 };

static struct pm_range spans[MOST_SPANS];
static uint64_t spans_count;

/* Few different words, in runs; the map count and cgroup change now and then. */
static uint64_t word_of(int fd, uint64_t pfn)
{
	static const uint64_t words[] = { 0, 0x868, 0x5828, UINT64_C(1) << 34 | 0x5828, 1 << 20 };

	if (fd == LIE_FRAMES)
		return words[pfn / 50 % 5];
	return pfn / (fd == LIE_FRAMES + 1 ? 7 : 300) % 3;
}

static const uint8_t kinds[32] = { [5] = PM_ENTRY_SWAP };

/* What page `vpn` is: 0 nothing to count, 1 a page, 2 of a frame without a word. */
static int naive_page(const struct pm_types_job *job, uint64_t vpn, struct pm_types_run *page)
{
	const uint64_t entry = vpn < lie.end ? scene_entry(vpn) : 0, pfn = entry & 0xffffffff;

	*page = (struct pm_types_run){ .place = vpn, .count = 1 };
	if ((entry & job->all_of) != job->all_of || entry & job->none_of)
		return 0;
	if (job->kinds_wanted == 1 << PM_ENTRY_PRESENT && !(entry & SCENE_PRESENT))
		return 0;
	if (entry & SCENE_PRESENT) {
		if (pfn >= lie.frames_end) {
			page->pfn = pfn;
			page->flags = page->mapcount = page->cgroup = PM_NO_VALUE;
			return 2;
		}
		page->pfn = pfn;
		page->flags = pm_types_word(word_of(LIE_FRAMES, pfn), entry, job->raw);
		page->mapcount = word_of(LIE_FRAMES + 1, pfn);
		page->cgroup = word_of(LIE_FRAMES + 2, pfn);
		if (job->by_cgroup && page->cgroup != job->cgroup)
			return 0;
	} else {
		if (!(entry & SCENE_SWAPPED) || job->by_cgroup)
			return 0;
		/* the scene has guards, swap type 5, and what has no type */
		page->swapped = !job->kinds || (!(entry & SCENE_GUARD) && entry % 32 == 5) ? 1 : 2;
		page->pfn = page->swapped == 1 ? pfn >> 5 : vpn;
		page->flags = pm_types_word(0, entry, job->raw);
		if (job->kinds && entry & SCENE_GUARD) /* is none of swap: bit 52 for 62 */
			page->flags = (page->flags & ~(UINT64_C(1) << 62)) | UINT64_C(1) << 52;
	}
	for (uint64_t i = 0; i < job->filters_count; i++) {
		const struct pm_types_filter *filter = job->filters + i;

		if (filter->any && !(page->flags & filter->mask))
			return 0;
		if (!filter->any && (page->flags & filter->mask) != filter->bits)
			return 0;
	}
	return 1;
}

static void draw_spans(uint64_t pages)
{
	uint64_t at = below(50);

	spans_count = 1 + below(MOST_SPANS);
	for (uint64_t i = 0; i < spans_count; i++) {
		at += below(3) ? 0 : below(300);
		spans[i] = (struct pm_range){ at, below(4) ? below(900) : below(2) };
		at += spans[i].count;
	}
	if (!below(4))
		spans[spans_count - 1].count += pages;
}

/* The rows of a step are the next pages of a naive walk, and as long as they can be. */
static void check_rows(const struct pm_types_job *job, const struct pm_types_block *block,
		       struct pm_place *wanted)
{
	for (uint64_t row = 0; row < block->found; row++) {
		const struct pm_types_run *got = block->rows + row;

		CHECK(got->count == 1 || job->list == PM_TYPES_ALIKE);
		for (uint64_t i = 0; i < got->count;) {
			struct pm_types_run page;

			CHECK(wanted->span < spans_count);
			if (wanted->page == spans[wanted->span].count) {
				*wanted = (struct pm_place){ wanted->span + 1, 0 };
				continue;
			}
			if (!naive_page(job, spans[wanted->span].vpn + wanted->page++, &page))
				continue;
			CHECK(page.place == got->place + i && page.pfn == got->pfn + i);
			CHECK(page.flags == got->flags && page.swapped == got->swapped);
			CHECK(page.mapcount == got->mapcount && page.cgroup == got->cgroup);
			i++;
		}
	}
}

static void add_types(const struct pm_types_block *block, struct pm_type *sums, uint64_t *count)
{
	for (uint64_t i = 0; i < block->found; i++) {
		uint64_t at = 0;

		for (uint64_t before = 0; before < i; before++)
			CHECK(block->types[before].flags != block->types[i].flags);
		while (at < *count && sums[at].flags != block->types[i].flags)
			at++;
		if (at == *count)
			sums[(*count)++] = (struct pm_type){ block->types[i].flags, 0, 0, 1 };
		sums[at].pages += block->types[i].pages;
	}
}

/* All types together are what a naive walk counts. */
static void check_types(const struct pm_types_job *job, const struct pm_type *sums, uint64_t count,
			uint64_t unknown)
{
	uint64_t naive = 0, gone = 0, summed = 0;

	for (uint64_t at = 0; at < count; at++)
		summed += sums[at].pages;
	for (uint64_t i = 0; i < spans_count; i++) {
		for (uint64_t page = 0; page < spans[i].count; page++) {
			struct pm_types_run here;
			const int what = naive_page(job, spans[i].vpn + page, &here);

			naive += what == 1;
			gone += what == 2;
		}
	}
	CHECK_EQUAL(summed, naive);
	CHECK_EQUAL(unknown, gone);
	for (uint64_t at = 0; at < count; at++) {
		uint64_t pages = 0;

		for (uint64_t i = 0; i < spans_count; i++)
			for (uint64_t page = 0; page < spans[i].count; page++) {
				struct pm_types_run here;

				pages += naive_page(job, spans[i].vpn + page, &here) == 1 &&
					 here.flags == sums[at].flags;
			}
		CHECK_EQUAL(sums[at].pages, pages);
	}
}

static struct pm_types_job draw_job(struct pm_types_filter *filters)
{
	struct pm_types_job job = {
		.source.spans = spans,
		.source.fd = 3,
		.kpageflags = LIE_FRAMES,
		.kpagecount = LIE_FRAMES + 1,
		.kpagecgroup = LIE_FRAMES + 2,
		.source.page_shift = 12,
		.source.use_scan = (uint32_t)below(2),
		.raw = (uint32_t)below(2),
		.list = (uint32_t)below(3),
		.by_cgroup = !below(3),
		.cgroup = below(3),
		.filters = filters,
		.filters_count = below(3),
	};

	if (below(2)) {
		job.kinds = kinds;
		job.kinds_wanted = below(2) ? 0 : 1 << PM_ENTRY_PRESENT;
	}
	if (!below(3))
		*(below(2) ? &job.all_of : &job.none_of) = SCENE_FILE;
	filters[0] = (struct pm_types_filter){ 0x5000, below(2) ? 0x5000 : 0, below(2) };
	filters[1] = (struct pm_types_filter){ 0x800 | 0x20, 0x820, 0 };
	return job;
}

static void drawn(void)
{
	static const uint64_t capacities[] = { 1, 3, 64, 1000, 4096 };

	for (unsigned round = round_from(); round < round_to(150); round++) {
		const uint64_t pages = 1 + below(SCENE / 4);
		struct pm_types_filter filters[2];
		struct pm_types_job job = draw_job(filters);
		struct pm_types_block block = make_block(capacities[below(5)], (int)job.list, 1);
		struct pm_type sums[100];
		struct pm_place at = { 0, 0 }, wanted = { 0, 0 }, end;
		uint64_t count = 0, unknown = 0;

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		draw_spans(pages);
		lie.word = word_of;
		lie.frames_end = below(3) ? FRAMES_END : 1 + below(pages);
		lie.interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		end = (struct pm_place){ spans_count, 0 };
		while (at.span < end.span) {
			const int64_t got = pm_types_of_spans(&job, &at, &end, &block);

			CHECK(got >= 0 && (uint64_t)got == block.found);
			CHECK(block.found <= block.capacity);
			unknown += block.unknown;
			if (job.list)
				check_rows(&job, &block, &wanted);
			else
				add_types(&block, sums, &count);
		}
		if (!job.list)
			check_types(&job, sums, count, unknown);
		free_block(&block);
	}
}

/* Rows as columns: each cell where it belongs, and what is not known marked. */
static void split(void)
{
	enum { MOST = 500 };
	static struct pm_types_run rows[MOST];
	static uint64_t numbers[8][MOST];
	static uint8_t known[5][MOST];
	static int32_t codes[MOST];
	static uint32_t slots[2 * MOST];

	for (unsigned round = round_from(); round < round_to(50); round++) {
		const uint64_t count = below(MOST + 1), unit = below(2) ? 1 : 4096;
		uint64_t slots_count = 2;
		struct pm_types_columns columns = {
			numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5],
			numbers[6], codes,	known[0],   known[1],	known[2],   known[3],
			known[4],   numbers[7], 9,	    slots,	0,
		};

		for (uint64_t i = 0; i < count; i++)
			rows[i] = (struct pm_types_run){ below(1 << 30),
							 below(1 << 30),
							 below(3),
							 1 + below(9),
							 below(2) ? below(1 << 30)
							 : below(9)
								 ? word_of(LIE_FRAMES, below(1000))
								 : PM_NO_VALUE,
							 below(3) ? below(9) : PM_NO_VALUE,
							 below(3) ? below(9) : PM_NO_VALUE };
		while (slots_count <= count)
			slots_count *= 2;
		columns.slots_count = slots_count;
		memset(slots, 0, sizeof(slots));
		pm_types_split(rows, count, unit, &columns);
		CHECK(columns.words_count <= count);
		for (uint64_t i = 0; i < count; i++) {
			const struct pm_types_run *row = rows + i;
			const int present = !row->swapped;

			CHECK_EQUAL(columns.place[i], row->place * unit);
			CHECK(columns.pages[i] == row->count && columns.flags[i] == row->flags);
			CHECK(columns.has_pfn[i] == present &&
			      columns.in_swap[i] == (row->swapped == 1));
			CHECK(columns.pfn[i] == (present ? row->pfn : 0));
			CHECK(columns.swap_offset[i] == (row->swapped == 1 ? row->pfn : 0));
			CHECK(columns.has_flags[i] == (row->flags != PM_NO_VALUE));
			CHECK(columns.has_mapcount[i] == (present && row->mapcount != PM_NO_VALUE));
			CHECK(columns.has_cgroup[i] == (present && row->cgroup != PM_NO_VALUE));
			CHECK(columns.mapcount[i] == row->mapcount &&
			      columns.cgroup[i] == row->cgroup);
			CHECK(codes[i] >= 0 && (uint64_t)codes[i] < columns.words_count);
			CHECK_EQUAL(columns.words[codes[i]], row->flags);
		}
		for (uint64_t one = 0; one < columns.words_count; one++)
			for (uint64_t other = 0; other < one; other++)
				CHECK(columns.words[one] != columns.words[other]);
	}
}

/* All frames up to the end of memory, or a part; a file that is shorter tells nothing. */
static void memory(void)
{
	for (unsigned round = round_from(); round < round_to(50); round++) {
		const uint64_t start = below(2000), last = start + 1 + below(9000);
		struct pm_types_job job = { .source.fd = -1,
					    .kpageflags = LIE_FRAMES,
					    .kpagecount = LIE_FRAMES + 1,
					    .kpagecgroup = LIE_FRAMES + 2,
					    .source.page_shift = 12,
					    .list = 1 };
		struct pm_types_block block = make_block(1 + below(3000), 1, 1);
		uint64_t at = start, next = start, stop;

		tell_truth(0);
		lie.word = word_of;
		lie.frames_end = 1 + below(12000);
		lie.most = below(2) ? 0 : 8 + below(5000);
		stop = last < lie.frames_end ? last : lie.frames_end;
		while (at < last) {
			CHECK(pm_types_of_memory(&job, &at, last, &block) >= 0);
			for (uint64_t i = 0; i < block.found; i++) {
				CHECK(block.rows[i].pfn == next && block.rows[i].place == next);
				for (uint64_t end = next + block.rows[i].count; next < end; next++)
					CHECK(block.rows[i].flags ==
					      pm_types_word(word_of(LIE_FRAMES, next), 0, 0));
			}
		}
		CHECK_EQUAL(next, stop > start ? stop : start);
		free_block(&block);
	}
}

/* A failure of any file leaves the place as it was. A target that dies has no pages. */
static void errors(void)
{
	struct pm_types_block block = make_block(64, 0, 1);
	struct pm_types_job job = { .source.spans = spans,
				    .source.fd = 3,
				    .kpageflags = LIE_FRAMES,
				    .kpagecount = LIE_FRAMES + 1,
				    .kpagecgroup = LIE_FRAMES + 2,
				    .source.page_shift = 12 };
	struct pm_place at = { 0, 0 }, end = { 1, 0 };
	uint64_t pfn = 7;

	spans[0] = (struct pm_range){ 0, 64 };
	for (uint64_t failing = 0; failing < 2; failing++) {
		draw_scene(64, 64, 0);
		for (uint64_t i = 0; i < 64; i++)
			scene[i] = SCENE_PRESENT | (5000 + i);
		lie.word = word_of;
		lie.frames_end = FRAMES_END;
		lie.error = EIO;
		lie.error_at = failing ? 5000 : 0;
		CHECK_EQUAL(pm_types_of_spans(&job, &at, &end, &block), -EIO);
		CHECK(at.span == 0 && at.page == 0);
	}
	lie.error_at = 7;
	CHECK_EQUAL(pm_types_of_memory(&job, &pfn, 100, &block), -EIO);
	CHECK_EQUAL(pfn, 7);
	lie.error = 0;
	lie.dies_after = lie.reads + 1;
	lie.reads += 5;
	CHECK_EQUAL(pm_types_of_spans(&job, &at, &end, &block), 0);
	CHECK(at.span == 1);
	free_block(&block);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	memory();
	split();
	if (PM_FUZZED)
		return 0;
	errors();
	return 0;
}
