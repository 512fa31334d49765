/*
 * Words of frames in any order, with repeats, past the last frame and none at all,
 * over files that end, fail, tear and interrupt: each goes to its own place.
 */
#include <pthread.h>

#include "check.h"
#include "kernel/kpage.cdef.h"

enum { MOST = 3000, FD = LIE_FRAMES };

static uint64_t below(uint64_t limit)
{
	return (uint64_t)rand() % limit;
}

/* PFNs near each other or apart, repeated; where `wide`, past the end, and none. */
static uint64_t draw_pfn(uint64_t end, int wide)
{
	switch (wide ? below(12) : 5) {
	case 0:
		return PM_NO_VALUE;
	case 1:
		return end + below(3);
	case 2:
		return UINT64_MAX - below(4);
	case 3:
		return INT64_MAX / 8 - below(2);
	case 4:
		return (uint64_t)rand() << below(33);
	default:
		return below(2) ? below(end) : below(end) / 100;
	}
}

static int64_t gather(const struct pm_wish *wishes, uint64_t count, uint64_t *out)
{
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8);
	const int64_t got = pm_kpage_gather(FD, wishes, count, scratch, out);

	free(scratch);
	return got;
}

static void lie_of(uint64_t end)
{
	tell_truth(0);
	lie.frames_end = end;
	lie.interrupt = (unsigned)below(3);
	lie.most = below(3) ? 0 : 8 + below(900);
}

static void check_sorted(const uint64_t *pfns, uint64_t count, const struct pm_wish *wishes,
			 uint64_t sorted)
{
	uint64_t wanted = 0;

	for (uint64_t i = 0; i < count; i++)
		wanted += pfns[i] < (uint64_t)INT64_MAX / 8;
	CHECK_EQUAL(sorted, wanted);
	for (uint64_t i = 0; i < sorted; i++) {
		CHECK(wishes[i].at < count && pfns[wishes[i].at] == wishes[i].pfn);
		CHECK(!i || wishes[i - 1].pfn < wishes[i].pfn ||
		      (wishes[i - 1].pfn == wishes[i].pfn && wishes[i - 1].at < wishes[i].at));
	}
}

/* Runs of frames, as most memory has them; they may overlap where `end` is near. */
static void draw_runs(uint64_t *pfns, uint64_t count, uint64_t end)
{
	uint64_t next = 0, left = 0;

	for (uint64_t i = 0; i < count; i++, left--, next++) {
		if (!left) {
			left = 1 + below(60);
			next = below(20) ? below(end) : (uint64_t)INT64_MAX / 8 - below(30);
		}
		pfns[i] = below(200) ? next : UINT64_MAX;
	}
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(300); round++) {
		const uint64_t count = below(5) ? below(MOST) : below(4), end = 1 + below(20000);
		uint64_t *pfns = exactly(count * 8), *out = exactly(count * 8), found = 0;
		struct pm_wish *wishes = exactly(count * 16), *spare = exactly(count * 16);
		int64_t sorted, got;

		for (uint64_t i = 0; i < count; i++)
			pfns[i] = draw_pfn(end, round % 2);
		if (round % 3 == 0)
			draw_runs(pfns, count, round % 2 ? end : UINT64_C(1) << 40);
		lie_of(end);
		sorted = pm_kpage_sort(pfns, count, wishes, spare, out);
		if (round % 5 == 0) { /* the same, where the words go */
			memcpy(out, pfns, count * 8);
			CHECK_EQUAL(pm_kpage_sort(out, count, wishes, spare, out), sorted);
		}
		check_sorted(pfns, count, wishes, (uint64_t)sorted);
		/* in two stretches, as threads take them */
		got = gather(wishes, (uint64_t)sorted / 3, out);
		got += gather(wishes + sorted / 3, (uint64_t)(sorted - sorted / 3), out);
		for (uint64_t i = 0; i < count; i++) {
			CHECK(out[i] == (pfns[i] < end ? lie_entry(pfns[i]) : PM_NO_VALUE));
			found += pfns[i] < end;
		}
		CHECK_EQUAL(got, found);
		free(pfns);
		free(out);
		free(wishes);
		free(spare);
	}
}

/* The same in parts, of which any number in a row is sorted and read at a time. */
static void in_parts(void)
{
	unsigned parted = 0;

	for (unsigned round = round_from(); round < round_to(300); round++) {
		const uint64_t count = below(4) ? below(MOST) : below(9), end = 1 + below(20000);
		uint64_t *pfns = exactly(count * 8), *out = exactly(count * 8);
		uint64_t *words = exactly(count * 8), *spare = exactly(count * 8);
		uint64_t *ends = exactly(PM_PARTS * 8), *scratch = exactly(PM_READ_BLOCK * 8);
		uint64_t wanted = 0, found = 0, begin = 0;
		int64_t stored;

		for (uint64_t i = 0; i < count; i++) {
			pfns[i] = draw_pfn(end, round % 2);
			if (round % 4 < 3 && pfns[i] >> 40) /* what fits in a word with its place */
				pfns[i] = below(2) ? PM_NO_VALUE : below(end);
			wanted += pfns[i] < (uint64_t)INT64_MAX / 8;
			found += pfns[i] < end;
		}
		lie_of(end);
		stored = pm_kpage_part(pfns, count, words, spare, ends, out);
		if (stored >= 0) {
			parted++;
			CHECK_EQUAL(stored, wanted);
			CHECK_EQUAL(ends[PM_PARTS - 1], wanted);
			while (begin < wanted) {
				const uint64_t to = ends[below(PM_PARTS)];

				if (to <= begin)
					continue;
				for (uint64_t i = 0; i < begin; i++)
					CHECK(words[i] < words[begin]);
				/* for each column; the second time they are sorted */
				for (unsigned time = 0; time < 2; time++) {
					const int64_t got = pm_kpage_gather_part(
						FD, words + begin, to - begin, count, spare + begin,
						scratch, out);

					CHECK(got >= 0);
					found -= time ? 0 : (uint64_t)got;
				}
				begin = to;
			}
			CHECK_EQUAL(found, 0);
			for (uint64_t i = 0; i < count; i++)
				CHECK(out[i] == (pfns[i] < end ? lie_entry(pfns[i]) : PM_NO_VALUE));
		} else {
			CHECK_EQUAL(stored, -ERANGE);
		}
		free(pfns);
		free(out);
		free(words);
		free(spare);
		free(ends);
		free(scratch);
	}
	CHECK(parted > 100 || PM_FUZZED);
}

/* Frames near each other share a read, however many they are; those apart do not. */
static void reads(void)
{
	struct pm_wish wishes[100];
	uint64_t out[100];

	for (uint64_t i = 0; i < 100; i++)
		wishes[i] = (struct pm_wish){ 5000 + 2 * i, 99 - i };
	tell_truth(0);
	lie.frames_end = 1 << 20;
	CHECK_EQUAL(gather(wishes, 100, out), 100);
	CHECK_EQUAL(lie.reads, 1);
	for (uint64_t i = 0; i < 100; i++)
		CHECK(out[i] == lie_entry(5000 + 2 * (99 - i)));
	for (uint64_t i = 0; i < 100; i++)
		wishes[i].pfn = 1000 * i;
	lie.reads = lie.pages_asked = 0;
	CHECK_EQUAL(gather(wishes, 100, out), 100);
	CHECK_EQUAL(lie.reads, 100);
	CHECK_EQUAL(lie.pages_asked, 100);
}

static void errors(void)
{
	static const int codes[] = { EIO, EFAULT, EINVAL, EPERM };
	struct pm_wish wishes[3] = { { 10, 0 }, { 11, 1 }, { 4000, 2 } };
	uint64_t out[3];

	for (unsigned i = 0; i < 4; i++) {
		for (uint64_t at = 10; at < 12; at++) {
			tell_truth(0);
			lie.frames_end = 5000;
			lie.error = codes[i];
			lie.error_at = at;
			CHECK_EQUAL(gather(wishes, 3, out), -codes[i]);
		}
		lie.error_at = 0;
		lie.error = 0;
		lie.most = 3; /* never a whole word */
		CHECK_EQUAL(gather(wishes, 3, out), -EIO);
	}
}

static void end_is_found(void)
{
	static const uint64_t ends[] = { 0, 1, 2, 4095, 4096, 6553600, INT64_MAX / 8 };

	for (unsigned i = 0; i < 7; i++) {
		tell_truth(0);
		lie.frames_end = ends[i];
		CHECK_EQUAL(pm_kpage_end(FD), ends[i]);
		CHECK(lie.reads <= 64);
	}
	lie.error = EIO;
	lie.error_at = INT64_MAX / 8 / 2;
	CHECK_EQUAL(pm_kpage_end(FD), -EIO);
}

/* What another thread draws anew all the time, while it is sorted. */
static struct {
	uint64_t pfns[700];
	volatile int stop;
} changing;

static void *change(void *nothing)
{
	volatile uint64_t *pfns = changing.pfns;

	for (unsigned round = 0; !changing.stop; round++)
		for (uint64_t i = 0; i < 700; i++)
			switch (round % 4) {
			case 0:
				pfns[i] = i * 2654435761u % 4096; /* in no order */
				break;
			case 1:
				pfns[i] = PM_NO_VALUE;
				break;
			case 2:
				pfns[i] = i / 50 % 2 * 2000 + i % 50; /* in runs that overlap */
				break;
			default:
				pfns[i] = INT64_MAX / 8 - 9 * i;
			}
	return nothing;
}

/* What comes of it is of no worth, but it goes to its place and nowhere else. */
static void changed_meanwhile(void)
{
	uint64_t *out = exactly(700 * 8), *scratch = exactly(PM_READ_BLOCK * 8);
	struct pm_wish *wishes = exactly(700 * 16), *spare = exactly(700 * 16);
	uint64_t *words = exactly(700 * 8), *ends = exactly(PM_PARTS * 8);
	pthread_t thread;

	tell_truth(0);
	lie.frames_end = 5000;
	changing.stop = 0;
	CHECK(!pthread_create(&thread, NULL, change, NULL));
	for (unsigned round = round_from(); round < round_to(3000); round++) {
		int64_t sorted;

		memset(wishes, 0xff, 700 * 16);
		sorted = pm_kpage_sort(changing.pfns, 700, wishes, spare, out);
		CHECK(sorted >= 0 && sorted <= 700);
		for (int64_t i = 0; i < sorted; i++)
			CHECK(wishes[i].at < 700 && wishes[i].pfn < (uint64_t)INT64_MAX / 8);
		CHECK(pm_kpage_gather(FD, wishes, (uint64_t)sorted, scratch, out) >= 0);
		memset(words, 0xff, 700 * 8);
		sorted = pm_kpage_part(changing.pfns, 700, words, (uint64_t *)spare, ends, out);
		CHECK(sorted == -ERANGE || (sorted >= 0 && sorted <= 700));
		CHECK(sorted < 0 || ends[PM_PARTS - 1] == (uint64_t)sorted);
		CHECK(sorted < 0 || pm_kpage_gather_part(FD, words, (uint64_t)sorted, 700,
							 (uint64_t *)spare, scratch, out) >= 0);
	}
	changing.stop = 1;
	CHECK(!pthread_join(thread, NULL));
	free(out);
	free(scratch);
	free(wishes);
	free(spare);
	free(words);
	free(ends);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	in_parts();
	if (PM_FUZZED)
		return 0;
	reads();
	errors();
	changed_meanwhile();
	end_is_found();
	return 0;
}
