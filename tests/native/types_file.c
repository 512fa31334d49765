/*
 * Pages of a file: only those that are cached are touched, whatever has become of
 * the file meanwhile, and what our own mapping adds to an entry is not shown.
 */
#include <sys/mman.h>

#include "scene.h"
#include "types_block.h"

enum { PAGES = 5000 };

static unsigned char cached[PAGES];

static uint64_t word_of(int fd, uint64_t pfn)
{
	return fd == LIE_FRAMES ? 0x28 | (pfn / 9 % 2) << 4 : 0;
}

static struct pm_types_job job = { .pagemap = 3,
				   .kpageflags = LIE_FRAMES,
				   .kpagecount = -1,
				   .kpagecgroup = -1,
				   .page_shift = 12,
				   .raw = 1,
				   .list = 1 };

static uint64_t mapped_entry(uint64_t vpn)
{
	return scene_entry(vpn - LIE_FILE_AT);
}

static void draw_file(void)
{
	tell_truth(LIE_FILE_AT + PAGES);
	memset(scene, 0, sizeof(scene));
	for (uint64_t i = 0; i < PAGES; i++) {
		cached[i] = (unsigned char)(below(256) & ~(uint64_t)1) | (below(3) > 0);
		if (cached[i] & 1)
			scene[i] = SCENE_PRESENT | SCENE_FILE | UINT64_C(3) << 55 | (i + 1);
	}
	lie.entry = mapped_entry;
	lie.cached = cached;
	lie.file_pages = PAGES;
	lie.word = word_of;
	lie.frames_end = 1 << 20;
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(100); round++) {
		struct pm_types_block block = make_block(1 + below(1500), 1, 0);
		uint64_t at = 0, next = 0, there = 0;
		const uint64_t end = 1 + below(PAGES);

		draw_file();
		lie.pwritev_interrupt = (unsigned)below(3);
		lie.file_pages = below(2) ? PAGES : below(PAGES);
		while (at < end) {
			CHECK(pm_types_of_file(&job, &at, end, &block) >= 0);
			CHECK_EQUAL(lie.mapped, lie.unmapped);
			for (uint64_t i = 0; i < block.found; i++) {
				const struct pm_types_run *row = block.rows + i;

				for (; next < row->place; next++)
					CHECK(!(cached[next] & 1));
				for (; next < row->place + row->count; next++) {
					CHECK(cached[next] & 1);
					CHECK(row->flags ==
					      (word_of(LIE_FRAMES, next + 1) | UINT64_C(1) << 61));
				}
			}
		}
		for (; next < end; next++)
			CHECK(!(cached[next] & 1));
		for (uint64_t i = 0; i < end && i < lie.file_pages; i++)
			there += cached[i] & 1;
		CHECK_EQUAL(lie.touched, there);
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
		CHECK_EQUAL(pm_types_of_file(&job, &at, 200, &block), -codes[i]);
		CHECK_EQUAL(at, 64);
		CHECK_EQUAL(lie.mapped, lie.unmapped);
	}
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = 64;

		draw_file();
		lie.error = EIO;
		lie.error_at = i ? LIE_FILE_AT + 64 : 71; /* an entry, or a word */
		scene[70] = SCENE_PRESENT | 71;
		CHECK_EQUAL(pm_types_of_file(&job, &at, 200, &block), -EIO);
		CHECK_EQUAL(at, 64);
		CHECK_EQUAL(lie.mapped, lie.unmapped);
	}
	free_block(&block);
}

static void file_systems(void)
{
	tell_truth(0);
	lie.fs_type = 0xef53;
	CHECK_EQUAL(pm_types_cacheable(3), 1);
	lie.fs_type = 0x958458f6;
	CHECK_EQUAL(pm_types_cacheable(3), 0);
	lie.fs_error = ENOSYS;
	CHECK_EQUAL(pm_types_cacheable(3), -ENOSYS);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	errors();
	file_systems();
	return 0;
}
