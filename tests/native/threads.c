/*
 * All that pagemap does in several threads at once, on one descriptor, with the same spans and
 * the same sorted wishes: under ThreadSanitizer, which sees every access that two of them could
 * make in either order. The kernel is the real one, and what is read is this process itself; words
 * of frames come from a file of our own. Each thread must find what the others find.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/kpage.cdef.h"
#include "kernel/probe.cdef.h"
#include "kernel/read.cdef.h"
#include "walk/halves.h"
#include "walk/populated.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/huge.cdef.h"
#include "analyses/owners.cdef.h"
#include "analyses/tally.cdef.h"
#include "rows/rows.cdef.h"

enum { THREADS = 4, SPANS = 32, SPAN_PAGES = 256, WORDS = 1 << 16, WISHES = 3000, PIECE = 700 };

#define CHECK(truth) \
	((truth) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #truth), exit(1)))

static struct {
	struct pm_source source; /* of `spans` */
	struct pm_range spans[SPANS];
	int words;
	uint64_t pages;
	/* of all threads: what they sort and gather together */
	struct pm_wish wishes[WISHES];
	int64_t sorted;
	uint64_t gathered[WISHES];
	struct pm_wanted wanted;
} all;

/* What each thread found. */
struct found {
	uint64_t number;
	uint64_t populated, by_two, tallied, rows, sighted, huge;
};

static const struct pm_place whole = { SPANS, 0 };

static int before(const struct pm_place *at)
{
	return at->span < SPANS;
}

static void find_populated(struct found *found)
{
	struct pm_place at = { 0, 0 };

	while (before(&at)) {
		uint64_t out[PIECE], stored;
		struct pm_range runs[PIECE];
		const int64_t got =
			pm_populated(&all.source, &at, &whole, out, PIECE, runs, PIECE, &stored);

		CHECK(got >= 0);
		found->populated += (uint64_t)got;
	}
}

/* Once more, by this thread and another. */
static void find_by_two(struct found *found)
{
	uint64_t *out = malloc(SPANS * SPAN_PAGES * 8), stored;
	struct pm_range *runs = malloc(SPANS * SPAN_PAGES * sizeof(*runs));
	struct pm_place at = { 0, 0 };

	found->by_two = (uint64_t)pm_populated_by_two(
		&all.source, &at, &whole, (uint64_t)SPANS * SPAN_PAGES, out, runs, &stored);
	CHECK(!before(&at));
	CHECK(stored == found->by_two); /* none is beside another */
	free(out);
	free(runs);
}

static void find_rows(struct found *found)
{
	static const char bytes[PM_ROW_SLACK + 4] = " x\n";
	struct pm_label labels[SPANS];
	const struct pm_rows rows = { .source = all.source,
				      .labels = labels,
				      .label_bytes = bytes };
	uint64_t *scratch = malloc(PM_READ_BLOCK * 8);
	struct pm_place at = { 0, 0 }, to;
	char *out = malloc(1 << 17);

	for (unsigned i = 0; i < SPANS; i++)
		labels[i] = (struct pm_label){ 0, 3 };
	while (pm_rows_plan(&rows, &at, 1 << 17, &to) > 0) {
		uint64_t pages, missing;

		CHECK(pm_rows_dump(&rows, &at, &to, scratch, out, &pages, &missing) > 0);
		found->rows += pages;
		at = to;
	}
	free(out);
	free(scratch);
}

static void find_wanted(struct found *found)
{
	uint64_t *scratch = malloc(PM_READ_BLOCK * 8), seen;
	struct pm_sighting *out = malloc(PM_READ_BLOCK * sizeof(*out));
	struct pm_place at = { 0, 0 };

	while (before(&at)) {
		CHECK(pm_owners_find(&all.source, &all.wanted, &at, &whole, scratch, out,
				     PM_READ_BLOCK, &seen) >= 0);
		found->sighted += seen;
	}
	free(scratch);
	free(out);
}

static void find_huge(struct found *found)
{
	static const uint8_t shared[SPANS];
	const struct pm_huge_job job = { .source = all.source,
					 .flags_fd = all.words,
					 .shared = shared };
	struct pm_huge_scratch scratch = {
		.entries = malloc(PM_HUGE_BATCH * 8),
		.words = malloc(PM_HUGE_BATCH * 8),
		.pfns = malloc(PM_HUGE_BATCH * 8),
		.wishes = malloc(PM_HUGE_BATCH * sizeof(struct pm_wish)),
		.spare = malloc(PM_HUGE_BATCH * sizeof(struct pm_wish)),
		.runs = malloc(PM_HUGE_RUNS * sizeof(struct pm_range)),
	};
	struct pm_huge tallies[SPANS + 1] = { 0 };
	struct pm_place at = { 0, 0 };

	CHECK(pm_huge_spans(&job, &at, &whole, &scratch, tallies) >= 0);
	for (unsigned i = 0; i < SPANS; i++)
		found->huge += tallies[i].present;
	free(scratch.entries);
	free(scratch.words);
	free(scratch.pfns);
	free(scratch.wishes);
	free(scratch.spare);
	free(scratch.runs);
}

/* A stretch of the wishes for each thread, into one array. */
static void gather(const struct found *found)
{
	const uint64_t count = (uint64_t)all.sorted;
	const uint64_t from = count * found->number / THREADS;
	const uint64_t to = count * (found->number + 1) / THREADS;
	uint64_t *scratch = malloc(PM_READ_BLOCK * 8);

	CHECK(pm_kpage_gather(all.words, all.wishes + from, to - from, scratch, all.gathered) ==
	      (int64_t)(to - from));
	free(scratch);
}

static void *work(void *argument)
{
	struct found *found = argument;

	for (unsigned round = 0; round < 5; round++) {
		uint64_t entries[SPAN_PAGES];
		struct pm_tally tally = { 0 };

		memset((char *)found + sizeof(found->number), 0,
		       sizeof(*found) - sizeof(found->number));
		find_populated(found);
		find_by_two(found);
		for (unsigned i = 0; i < SPANS; i++) {
			CHECK(pm_read(all.source.fd, all.spans[i].vpn, SPAN_PAGES, entries) ==
			      SPAN_PAGES);
			pm_tally_add(entries, SPAN_PAGES, &tally);
		}
		found->tallied = tally.present;
		find_rows(found);
		find_wanted(found);
		find_huge(found);
		gather(found);
	}
	return NULL;
}

/* Every second page of every second span is there. */
static void map_spans(void)
{
	const size_t page = (size_t)1 << all.source.page_shift, size = SPANS * SPAN_PAGES * page;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < SPANS; i++) {
		char *start = memory + i * SPAN_PAGES * page;

		all.spans[i] = (struct pm_range){ .vpn = (uintptr_t)start >> all.source.page_shift,
						  .count = SPAN_PAGES };
		for (size_t at = 0; i % 2 && at < SPAN_PAGES; at += 2, all.pages++)
			start[at * page] = 1;
	}
}

static void make_words(void)
{
	static uint64_t words[WORDS], pfns[WISHES], filter[64];
	static struct pm_wish spare[WISHES];
	FILE *file = tmpfile();

	CHECK(file != NULL);
	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = i << 32;
	all.words = fileno(file);
	CHECK(write(all.words, words, sizeof(words)) == sizeof(words));
	for (uint64_t i = 0; i < WISHES; i++)
		pfns[i] = i * 7919 % WORDS;
	all.sorted = pm_kpage_sort(pfns, WISHES, all.wishes, spare, all.gathered);
	CHECK(all.sorted == WISHES);
	all.wanted = (struct pm_wanted){ pfns, 0, filter, 64 * 64 - 1 };
	pm_owners_filter(&all.wanted);
}

int main(void)
{
	pthread_t threads[THREADS];
	static struct found found[THREADS];

	all.source.spans = all.spans;
	all.source.spans_count = SPANS;
	while (1L << all.source.page_shift < sysconf(_SC_PAGESIZE))
		all.source.page_shift++;
	all.source.fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	CHECK(all.source.fd >= 0);
	all.source.use_scan = pm_probe_scan(all.source.fd, 8) == 0;
	map_spans();
	make_words();
	for (uint64_t i = 0; i < THREADS; i++) {
		found[i].number = i;
		CHECK(!pthread_create(threads + i, NULL, work, found + i));
	}
	for (unsigned i = 0; i < THREADS; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		CHECK(found[i].populated == all.pages);
		CHECK(found[i].by_two == all.pages);
		CHECK(found[i].tallied == all.pages);
		CHECK(found[i].rows == SPANS * SPAN_PAGES);
		CHECK(found[i].sighted == all.pages);
		CHECK(found[i].huge == all.pages);
	}
	for (uint64_t i = 0; i < WISHES; i++)
		CHECK(all.gathered[i] == (i * 7919 % WORDS) << 32);
	return 0;
}
