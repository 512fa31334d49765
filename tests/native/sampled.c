/*
 * A thread that samples this process into a small ring, while others read it: under
 * ThreadSanitizer, as threads.c. What they get are samples as they were taken, in order.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "history/sampled.cdef.h"

enum { THREADS = 3, CAPACITY = 8, ENOUGH = 400 };

#define CHECK(truth) \
	((truth) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #truth), exit(1)))

static struct pm_sampled sampled;
static uint64_t words[CAPACITY * PM_SAMPLED_WORDS], scratch[PM_SAMPLE_SCRATCH];

static void *read_all(void *nothing)
{
	int64_t columns[CAPACITY * PM_SAMPLED_COLUMNS], before = -1;
	uint8_t known[CAPACITY * PM_SAMPLED_COLUMNS];
	struct pm_sampled_state state;
	uint64_t next = 0;

	do {
		uint64_t first, count;
		int64_t gone;

		pm_sampled_look(&sampled, &state);
		first = state.taken > next + CAPACITY ? state.taken - CAPACITY : next;
		count = state.taken - first;
		gone = pm_sampled_copy(&sampled, first, count, columns, known);
		CHECK(gone >= 0 && (uint64_t)gone <= count);
		for (uint64_t i = (uint64_t)gone; i < count; i++) {
			CHECK(columns[i] > before); /* its time */
			before = columns[i];
			CHECK(columns[count + i] >= 0);
			/* present is at least rss, of one and the same sample */
			CHECK(known[PM_SAMPLED_AMOUNT * count + i]);
			CHECK(columns[(PM_SAMPLED_AMOUNT + PM_SAMPLE_PRESENT) * count + i] >=
			      columns[(PM_SAMPLED_AMOUNT + PM_SAMPLE_RSS) * count + i]);
			CHECK(!known[(PM_SAMPLED_AMOUNT + PM_SAMPLE_USS) * count + i]);
		}
		next = state.taken;
	} while (next < ENOUGH && !state.ended);
	CHECK(!state.ended || !state.error);
	return nothing;
}

int main(void)
{
	static const uint8_t kinds[32];
	pthread_t threads[THREADS];
	const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct pm_sample_job *job = &sampled.job;

	CHECK(fd >= 0);
	job->tally.source.fd = fd;
	job->tally.source.page_shift = (uint32_t)__builtin_ctzl((unsigned long)getpagesize());
	job->tally.source.use_scan = 1;
	job->tally.kinds = kinds;
	job->tally.mapcounts = job->tally.flags = -1;
	/* of all that ThreadSanitizer reserves, no more than a little */
	job->tally.end = UINT64_C(1) << 20;
	job->folder = job->status = job->rollup = -1;
	pm_sample_plan(job, 1 << PM_SAMPLE_RSS | 1 << PM_SAMPLE_PRESENT);
	sampled.every = 100000;
	sampled.capacity = CAPACITY;
	sampled.words = words;
	sampled.scratch = scratch;
	CHECK(pm_sampled_begin(&sampled) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(threads + i, NULL, read_all, NULL));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pm_sampled_end(&sampled);
	pm_sampled_end(&sampled); /* once more is nothing */
	CHECK(sampled.ended && !sampled.error);
	return 0;
}
