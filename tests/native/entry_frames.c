/*
 * What the words of frames correct, against a look at each page by itself: bit 56
 * where a PMD maps many pages as one, wherever a block of entries cuts it; and
 * pages of zeros. Frames past the last, reads cut short, and errors.
 */
#include "check.h"
#include "kernel/entry_frames.cdef.h"

enum {
	FRAMES = 1 << 16,
	PMD = 512,
	MOST = 5000,
	COUNTS = LIE_FRAMES + 1,
	FLAGS_FILE = LIE_FRAMES,
};

#define PRESENT	  (UINT64_C(1) << 63)
#define FILE_PAGE (UINT64_C(1) << 61)
#define EXCLUSIVE (UINT64_C(1) << 56)

static uint64_t below(uint64_t limit)
{
	return (uint64_t)rand() % limit;
}

/* Every third frame is mapped once; frames that are multiples of 5 or of PMDs of 7 are of zeros. */
static uint64_t word(int fd, uint64_t pfn)
{
	if (fd == COUNTS)
		return pfn % 3;
	return pfn % 5 == 0 || pfn / PMD % 7 == 0 ? UINT64_C(1) << 24 : UINT64_C(0x868);
}

static void begin(void)
{
	tell_truth(0);
	lie.frames_end = FRAMES;
	lie.word = word;
}

/* Entries of `count` pages from `vpn` on: PMDs in their place, some with a fault, and single pages. */
static void draw(uint64_t vpn, uint64_t count, uint64_t *entries, uint8_t *in_place)
{
	for (uint64_t i = 0; i < count;) {
		const uint64_t into = (vpn + i) % PMD;
		uint64_t size = PMD - into, pmd = below(FRAMES / PMD);
		const uint64_t flags = PRESENT | (below(2) ? EXCLUSIVE : 0) |
				       (below(2) ? FILE_PAGE : 0);
		const unsigned how = (unsigned)below(4);

		if (size > count - i)
			size = count - i;
		for (uint64_t j = 0; j < size; j++) {
			/* a frame out of place in no window: single pages lie one further */
			const uint64_t frame = pmd * PMD + (into + j) % PMD;

			in_place[i + j] = how == 0 && frame;
			entries[i + j] = how == 0   ? flags | frame
					 : how == 1 ? 0
						    : flags | (frame ^ 1);
		}
		if (how == 0 && pmd == 0 && into == 0)
			memset(in_place + i, 0, size); /* frame 0 looks like a hidden one */
		i += size;
	}
}

static void exclusive(void)
{
	for (unsigned round = round_from(); round < round_to(300); round++) {
		const uint64_t vpn = below(3) ? below(100000) : below(200) * PMD;
		const uint64_t count = 1 + below(MOST);
		uint64_t *entries = exactly(count * 8), *wanted = exactly(count * 8);
		uint8_t *in_place = exactly(count);
		int64_t looked = 0;

		begin();
		lie.interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		draw(vpn, count, entries, in_place);
		for (uint64_t i = 0; i < count; i++) {
			wanted[i] = entries[i];
			if (in_place[i])
				wanted[i] = (entries[i] & ~EXCLUSIVE) |
					    ((entries[i] & 0xffffff) % 3 == 1 ? EXCLUSIVE : 0);
			looked += in_place[i];
		}
		CHECK_EQUAL(pm_exclusive_by_count(COUNTS, vpn, entries, count, 12), looked);
		for (uint64_t i = 0; i < count; i++)
			CHECK(entries[i] == wanted[i]);
		free(entries);
		free(wanted);
		free(in_place);
	}
}

/* Hidden PFNs, frames past the last, and a file that cannot be read. */
static void edges(void)
{
	uint64_t entries[PMD], marked;

	begin();
	for (unsigned i = 0; i < PMD; i++)
		entries[i] = PRESENT | EXCLUSIVE;
	CHECK_EQUAL(pm_exclusive_by_count(COUNTS, 0, entries, PMD, 12), 0);
	CHECK_EQUAL(pm_zero_pages(FLAGS_FILE, 0, entries, PMD, 12, &marked), 0);
	CHECK_EQUAL(lie.reads, 0);
	for (unsigned i = 0; i < PMD; i++)
		entries[i] = PRESENT | EXCLUSIVE | (FRAMES + i);
	CHECK_EQUAL(pm_exclusive_by_count(COUNTS, 0, entries, PMD, 12), PMD);
	for (unsigned i = 0; i < PMD; i++)
		CHECK(entries[i] == (PRESENT | EXCLUSIVE | (FRAMES + i)));
	for (unsigned i = 0; i < PMD; i++)
		entries[i] = PRESENT | (FRAMES + i);
	CHECK_EQUAL(pm_zero_pages(FLAGS_FILE, 0, entries, PMD, 12, &marked), 0);
	for (unsigned i = 0; i < PMD; i++)
		entries[i] = PRESENT | (PMD + i);
	lie.error = EIO;
	lie.error_at = PMD;
	CHECK_EQUAL(pm_exclusive_by_count(COUNTS, 0, entries, PMD, 12), -EIO);
	CHECK_EQUAL(pm_zero_pages(FLAGS_FILE, 0, entries, PMD, 12, &marked), -EIO);
	/* a table of 64 KiB maps 8192 pages at once: more than a block has entries */
	begin();
	for (unsigned i = 0; i < PMD; i++)
		entries[i] = PRESENT | (8192 + 700 + i);
	CHECK_EQUAL(pm_exclusive_by_count(COUNTS, 8192 * 3 + 700, entries, PMD, 16), PMD);
}

static void zeros(void)
{
	for (unsigned round = round_from(); round < round_to(300); round++) {
		const uint64_t count = 1 + below(MOST), first = below(PMD);
		uint64_t *entries = exactly(count * 8), marked;
		uint64_t run = 0, frame = 0, wanted_marked = 0;
		int64_t wanted = 0;

		begin();
		lie.interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		for (uint64_t i = 0; i < count; i++, frame += run) {
			static const uint64_t flags[] = { PRESENT,
							  PRESENT,
							  PRESENT | EXCLUSIVE,
							  PRESENT | FILE_PAGE,
							  UINT64_C(1) << 62,
							  0 };

			if (!below(1 + below(700))) {
				run = below(2);
				/* out of its place: none of a file's can be huge */
				frame = 1 + below(FRAMES - MOST - 2 * PMD);
				frame += (frame ^ (first + i)) % PMD == 0;
			}
			entries[i] = flags[below(round % 2 ? 6 : 2)] | frame;
			wanted += entries[i] == (PRESENT | frame) && frame &&
				  word(FLAGS_FILE, frame) >> 24 & 1;
			if (entries[i] >> 61 == 5 && (frame ^ (first + i)) % PMD == 0)
				entries[i] = 0;
		}
		/* the huge page of zeros, where it is marked as of a file */
		for (uint64_t at = PMD - first; round % 3 == 0 && at + PMD <= count;
		     at += 3 * PMD) {
			const uint64_t pmd = 7 * below(2) + below(2) + 7;

			for (uint64_t i = at; i < at + PMD; i++) {
				wanted -= entries[i] >> 61 == 4 && !(entries[i] & EXCLUSIVE) &&
					  entries[i] % FRAMES &&
					  word(FLAGS_FILE, entries[i] % FRAMES) >> 24 & 1;
				entries[i] = PRESENT | FILE_PAGE | (pmd * PMD + i - at);
				wanted_marked += word(FLAGS_FILE, entries[i] % FRAMES) >> 24 & 1;
			}
		}
		wanted += (int64_t)wanted_marked;
		CHECK_EQUAL(pm_zero_pages(FLAGS_FILE, first, entries, count, 12, &marked), wanted);
		CHECK_EQUAL(marked, wanted_marked);
		free(entries);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	exclusive();
	zeros();
	if (PM_FUZZED)
		return 0;
	edges();
	return 0;
}
