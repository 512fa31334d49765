/*
 * Pages of a file: only those that are cached are touched, whatever has become of
 * the file meanwhile, and what our own mapping adds to an entry is not shown.
 */
#include <sys/mman.h>

#include "scene.h"
#include "types_block.h"
#include "analyses/types.cdef.h"

enum { PAGES = 5000 };

static unsigned char cached[PAGES];
static unsigned char faulted[PAGES]; /* which the kernel has mapped when they are looked for */

static uint64_t entry_of(uint64_t vpn)
{
	const uint64_t page = vpn - LIE_FILE_AT;

	return page < PAGES && faulted[page] ? scene_entry(page) : 0;
}

/* A step over the pages of one range, from *at on. */
static int64_t step(const struct pm_types_job *job, uint64_t *at, uint64_t end,
		    struct pm_types_block *block, int ask_again)
{
	struct pm_types_range range = { .page = *at, .file = 5, .ask_again = ask_again };
	int64_t got;

	range.count = end - *at < block->capacity ? end - *at : block->capacity;
	got = pm_types_of_files(job, &range, 1, block);
	if (got < 0 || range.failed)
		return got < 0 ? got : range.failed;
	*at += range.count;
	return got;
}

static uint64_t word_of(int fd, uint64_t pfn)
{
	return fd == LIE_FRAMES ? 0x28 | (pfn / 9 % 2) << 4 : 0;
}

static struct pm_types_job job = { .source.fd = 3,
				   .kpageflags = LIE_FRAMES,
				   .kpagecount = -1,
				   .kpagecgroup = -1,
				   .source.page_shift = 12,
				   .raw = 1,
				   .list = 1 };

static void draw_file(void)
{
	tell_truth(LIE_FILE_AT + PAGES);
	memset(scene, 0, sizeof(scene));
	for (uint64_t i = 0; i < PAGES; i++) {
		cached[i] = (unsigned char)(below(256) & ~(uint64_t)1) | (below(3) > 0);
		if (cached[i] & 1)
			scene[i] = SCENE_PRESENT | SCENE_FILE | UINT64_C(3) << 55 | (i + 1);
	}
	memset(faulted, 0, sizeof(faulted));
	lie.entry = entry_of;
	lie.faulted = faulted;
	lie.cached = cached;
	lie.file_pages = PAGES;
	lie.word = word_of;
	lie.frames_end = 1 << 20;
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(100); round++) {
		struct pm_types_block block = make_block(1 + below(round % 8 ? 1500 : PAGES), 1, 0);
		uint64_t at = 0, next = 0, there = 0;
		const uint64_t end = 1 + below(PAGES);

		draw_file();
		lie.pwritev_interrupt = (unsigned)below(3);
		lie.file_pages = below(2) ? PAGES : below(PAGES);
		while (at < end) {
			CHECK(step(&job, &at, end, &block, (int)below(2)) >= 0);
			CHECK_EQUAL(lie.mapped, lie.unmapped);
			for (uint64_t i = 0; i < block.found; i++) {
				const struct pm_types_run *row = block.rows + i;

				for (; next < row->place; next++)
					CHECK(!(cached[next] & 1) || next >= lie.file_pages);
				for (; next < row->place + row->count; next++) {
					CHECK(cached[next] & 1);
					CHECK(row->flags ==
					      (word_of(LIE_FRAMES, next + 1) | UINT64_C(1) << 61));
				}
			}
		}
		for (; next < end; next++)
			CHECK(!(cached[next] & 1) || next >= lie.file_pages);
		for (uint64_t i = 0; i < end && i < lie.file_pages; i++)
			there += cached[i] & 1;
		CHECK(lie.touched <= there); /* neighbours are mapped along */
		CHECK_EQUAL(lie.touched_outside, 0);
		CHECK_EQUAL(lie.advice & 0xff, MADV_RANDOM << 4 | MADV_SEQUENTIAL);
		free_block(&block);
	}
}

/* Whatever fails, nothing stays mapped, and the place is as it was. */
static void errors(void)
{
	static const int codes[] = { EAGAIN, EINVAL, EIO, ENODEV };
	int *const failing[] = { &lie.map_error, &lie.mincore_error, &lie.madvise_error,
				 &lie.pwritev_error };
	struct pm_types_block block = make_block(64, 1, 0);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = 64;

		draw_file();
		cached[70] = 1;
		*failing[i] = codes[i];
		CHECK_EQUAL(step(&job, &at, 200, &block, 0), -codes[i]);
		CHECK_EQUAL(at, 64);
		CHECK_EQUAL(lie.mapped, lie.unmapped);
	}
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = 64;

		draw_file();
		lie.error = EIO;
		lie.error_at = i ? LIE_FILE_AT + 64 : 71; /* an entry, or a word */
		scene[70] = SCENE_PRESENT | 71;
		CHECK_EQUAL(step(&job, &at, 200, &block, 0), -EIO);
		CHECK_EQUAL(at, 64);
		CHECK_EQUAL(lie.mapped, lie.unmapped);
	}
	free_block(&block);
}

/* Who tells what is cached; and a kernel that says that all is, of pages that are not. */
static void file_systems(void)
{
	static unsigned char all[1 << 20];

	memset(all, 1, sizeof(all));
	draw_file();
	lie.fs_type = 0xef53;
	CHECK_EQUAL(pm_types_cacheable(3, 12, 5), PM_CACHESTAT_TELLS);
	lie.fs_type = 0x01021994;
	CHECK_EQUAL(pm_types_cacheable(3, 12, 5), PM_SWAP_IS_CACHED);
	lie.fs_type = 0x794c7630;
	lie.cached = all;
	CHECK_EQUAL(pm_types_cacheable(3, 12, 5), -EPERM);
	memset(all, 0xfe, sizeof(all));
	CHECK_EQUAL(pm_types_cacheable(3, 12, 5), PM_MINCORE_TELLS);
	lie.fs_type = 0x958458f6;
	CHECK_EQUAL(pm_types_cacheable(3, 12, 5), PM_NOT_CACHED);
	lie.fs_error = ENOSYS;
	CHECK_EQUAL(pm_types_cacheable(3, 12, 5), -ENOSYS);
}

/* Stretches that are passed over have no cached page, whatever the step. */
static void next_cached(void)
{
	for (unsigned round = 0; round < 300; round++) {
		const uint64_t stride = 1 + below(round % 2 ? 3 : 2000), to = below(PAGES);
		const uint64_t size = 1 + below(600);
		uint64_t at = 0, next;

		draw_file();
		memset(cached, 0, sizeof(cached));
		for (uint64_t i = below(stride); i < PAGES; i += stride)
			cached[i] = 1;
		for (next = at; at < to; next = at) {
			const int32_t some = pm_types_next_cached(3, 12, size, &next, to);

			CHECK(some == 0 || some == 1);
			for (uint64_t i = at; i < next && i < to; i++)
				CHECK(!cached[i]);
			if (!some) {
				CHECK_EQUAL(next, to);
				break;
			}
			int found = 0;
			for (uint64_t i = next; i < to && i < next + size; i++)
				found |= cached[i];
			CHECK(found);
			at = next + size;
		}
	}
	uint64_t at = 7;
	lie.cachestat_error = ENOSYS;
	CHECK_EQUAL(pm_types_next_cached(3, 12, 4, &at, 100), -ENOSYS);
	CHECK_EQUAL(at, 7);
}

/* One of several files cannot be looked at: that one has no pages, the others have theirs. */
static void one_of_several(void)
{
	struct pm_types_block block = make_block(64, 0, 0);
	struct pm_types_job counted = job;
	struct pm_types_range ranges[] = { { .page = 10, .count = 20, .file = 5, .ask_again = 1 },
					   { .page = 40, .count = 30, .file = 6 } };

	counted.list = 0;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t pages = 0, wanted = 0;

		draw_file();
		lie.cachestat_error = i ? EIO : 0;
		CHECK(pm_types_of_files(&counted, ranges, 2, &block) >= 0);
		CHECK_EQUAL(ranges[0].failed, i ? -EIO : 0);
		CHECK_EQUAL(ranges[1].failed, 0);
		for (uint64_t at = 0; at < block.found; at++)
			pages += block.types[at].pages;
		for (uint64_t at = i ? 40 : 10; at < 70; at++)
			wanted += (at < 30 || at >= 40) && (cached[at] & 1);
		CHECK_EQUAL(pages, wanted);
	}
	ranges[1].count = 65;
	CHECK_EQUAL(pm_types_of_files(&counted, ranges, 2, &block), -EINVAL);
	free_block(&block);
}

static uint64_t words_of_shares(int fd, uint64_t pfn)
{
	if (fd == LIE_FRAMES)
		return pfn / 9 % 5 ? pfn * 0x50 & 0x850 : UINT64_C(1) << 10 | 0x850; /* or free */
	return pfn / 7 % (fd == LIE_FRAMES + 1 ? 6 : 3);
}

/* Of each range, how much is charged to which cgroup, against a count page by page. */
static void shares(void)
{
	struct pm_types_job shared = job;
	static struct pm_types_share naive[2][3];

	shared.list = PM_TYPES_SHARES;
	shared.kpagecount = LIE_FRAMES + 1;
	shared.kpagecgroup = LIE_FRAMES + 2;
	for (unsigned round = 0; round < 100; round++) {
		struct pm_types_block block = make_block(600, 1, 1);
		struct pm_types_range ranges[] = { { .page = below(2000), .file = 5 },
						   { .page = below(4000), .file = 6 } };
		uint64_t pages = 0;

		draw_file();
		lie.word = words_of_shares;
		memset(naive, 0, sizeof(naive));
		for (unsigned i = 0; i < 2; i++) {
			ranges[i].count = below(300);
			for (uint64_t at = ranges[i].page; at < ranges[i].page + ranges[i].count;
			     at++) {
				const uint64_t word = words_of_shares(LIE_FRAMES, at + 1);
				const uint64_t mapcount = words_of_shares(LIE_FRAMES + 1, at + 1);
				struct pm_types_share *share =
					&naive[i][words_of_shares(LIE_FRAMES + 2, at + 1)];
				const int marked = !(word & 1 << 10); /* else it means nothing */

				if (!(cached[at] & 1))
					continue;
				pages++;
				share->pages++;
				share->active += marked && word & 1 << 6;
				share->mapped += marked && word & 1 << 11;
				share->dirty += !!(word & 1 << 4);
				if (share->mapcount < mapcount)
					share->mapcount = mapcount;
			}
		}
		CHECK(pm_types_of_files(&shared, ranges, 2, &block) >= 0);
		CHECK_EQUAL(block.unknown, 0);
		CHECK_EQUAL(block.looked >= pages, 1);
		for (uint64_t i = 0; i < block.found; i++) {
			const struct pm_types_share *share = block.shares + i;
			struct pm_types_share *other = &naive[share->range][share->cgroup];

			CHECK_EQUAL(share->pages, other->pages);
			CHECK_EQUAL(share->active, other->active);
			CHECK_EQUAL(share->mapped, other->mapped);
			CHECK_EQUAL(share->dirty, other->dirty);
			CHECK_EQUAL(share->mapcount, other->mapcount);
			pages -= share->pages;
		}
		CHECK_EQUAL(pages, 0);
		free_block(&block);
	}
}

/* A folio of which only the first frame says that it is active; its neighbour is not of it. */
static uint64_t words_of_a_folio(int fd, uint64_t pfn)
{
	if (fd != LIE_FRAMES)
		return 0;
	return pfn == 11 ? 1 << 15 | 1 << 6 | 1 << 4 : pfn > 11 && pfn < 19 ? 1 << 16 : 0;
}

static void share_of_a_folio(void)
{
	struct pm_types_job shared = job;
	struct pm_types_block block = make_block(64, 1, 0);
	struct pm_types_range range = { .page = 0, .count = 40, .file = 5 };

	shared.list = PM_TYPES_SHARES;
	draw_file();
	for (uint64_t i = 0; i < PAGES; i++) {
		cached[i] = 1;
		scene[i] = SCENE_PRESENT | SCENE_FILE | (i + 1);
	}
	lie.word = words_of_a_folio;
	CHECK_EQUAL(pm_types_of_files(&shared, &range, 1, &block), 1);
	CHECK_EQUAL(block.shares->pages, 40);
	CHECK_EQUAL(block.shares->active, 8);
	CHECK_EQUAL(block.shares->dirty, 8);
	CHECK_EQUAL(block.shares->cgroup, 0);
	lie.frames_end = 20; /* past it the kernel tells of no frame */
	CHECK_EQUAL(pm_types_of_files(&shared, &range, 1, &block), 1);
	CHECK_EQUAL(block.shares->pages, 19);
	CHECK_EQUAL(block.unknown, 21);
	free_block(&block);
}

/* Frames that are looked for are found wherever they are, each once, and no word is read. */
static void hits(void)
{
	struct pm_types_job sought = job;
	uint64_t pfns[40];

	sought.list = PM_TYPES_HITS;
	sought.kpageflags = -1;
	sought.sought = pfns;
	for (unsigned round = 0; round < 100; round++) {
		struct pm_types_block block = make_block(600, 1, 0);
		struct pm_types_range ranges[] = { { .page = below(2000), .file = 5 },
						   { .page = 2000 + below(2000), .file = 6 } };
		const uint64_t count = below(41);
		uint64_t last = 0, found = 0;

		draw_file();
		sought.sought_count = count;
		for (uint64_t i = 0; i < count; i++)
			last = pfns[i] = last + 1 + below(120);
		for (unsigned i = 0; i < 2; i++)
			ranges[i].count = below(300);
		CHECK(pm_types_of_files(&sought, ranges, 2, &block) >= 0);
		for (unsigned i = 0; i < 2; i++)
			for (uint64_t at = ranges[i].page; at < ranges[i].page + ranges[i].count;
			     at++) {
				int is_sought = 0;

				for (uint64_t each = 0; each < count; each++)
					is_sought |= pfns[each] == at + 1;
				if (!is_sought || !(cached[at] & 1))
					continue;
				CHECK(found < block.found);
				CHECK_EQUAL(block.hits[found].range, i);
				CHECK_EQUAL(block.hits[found].page, at);
				CHECK_EQUAL(block.hits[found].pfn, at + 1);
				found++;
			}
		CHECK_EQUAL(block.found, found);
		free_block(&block);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	errors();
	file_systems();
	next_cached();
	one_of_several();
	shares();
	share_of_a_folio();
	hits();
	return 0;
}
