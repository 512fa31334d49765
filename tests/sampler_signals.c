/*
 * Samples in a handler of SIGPROF, a thousand a second of processor time, while the program
 * allocates and forks: `sampler_signals SECONDS`. Prints how many were taken, and how many came
 * amid another one; what was wrong, an errno that was lost, and allocations amid a sample.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "include/pagemap.h"

enum { HELD = 16 << 20, MOST = 256 << 20, WANTED = PM_AMOUNT_RSS | PM_AMOUNT_SWAP, BLOCKS = 64 };

static struct pm_sampler *sampler;
static volatile unsigned long taken, amid, wrong, allocations;
static volatile unsigned counting; /* how many samples are being taken */

#ifdef __GLIBC__
/* In the place of the C library's: whatever is allocated amid a sample is counted. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);

void *malloc(size_t size)
{
	allocations += counting;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations += counting;
	return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	allocations += counting;
	return __libc_realloc(block, size);
}
#endif

static void check(int32_t got, const struct pm_amounts *amounts)
{
	const int64_t rss = got ? 0 : (int64_t)amounts->rss;

	if (got == -EBUSY)
		amid++;
	else if (got || !(amounts->known & PM_AMOUNT_RSS) || rss < HELD || rss > MOST)
		wrong++;
	else
		taken++;
}

static void sample(void)
{
	struct pm_amounts amounts = { .size = sizeof(amounts) };

	int32_t got;

	counting++;
	got = pm_sampler_sample(sampler, NULL, 0, &amounts);
	counting--;
	check(got, &amounts);
}

static void on_profile(int number)
{
	int64_t rss;

	(void)number;
	errno = 4711; /* as the program may have it: put back below, and kept by the library */
	sample();
	rss = pm_sampler_rss(sampler);
	if (rss < HELD || rss > MOST || errno != 4711)
		wrong++;
	errno = 77;
}

/* A child has samples of its own, after it was told that those of its parent are none. */
static int in_child(void)
{
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	struct pm_process *process;
	int32_t got;

	if (pm_sampler_sample(sampler, NULL, 0, &amounts) != -ECHILD ||
	    pm_sampler_rss(sampler) != -ECHILD)
		return 1;
	pm_sampler_close(sampler);
	if (pm_process_open(getpid(), NULL, &process) || pm_sampler_open(process, WANTED, &sampler))
		return 2;
	got = pm_sampler_sample(sampler, NULL, 0, &amounts);
	pm_sampler_close(sampler);
	pm_process_close(process);
	return got ? 3 : 0;
}

static int fork_once(void)
{
	struct itimerval none = { 0 };
	int status;
	pid_t child = fork();

	if (!child) {
		setitimer(ITIMER_PROF, &none, NULL);
		_exit(in_child());
	}
	while (waitpid(child, &status, 0) < 0)
		;
	return status;
}

static double now(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	return (double)moment.tv_sec + (double)moment.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const double until = now() + (argc > 1 ? atof(argv[1]) : 1);
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_handler = on_profile, .sa_flags = SA_RESTART };
	struct pm_process *process;
	void *blocks[BLOCKS] = { 0 };
	char *held = malloc(HELD);
	unsigned long forks = 0, lost = 0;

	memset(held, 1, HELD);
	if (pm_process_open(getpid(), NULL, &process) || pm_sampler_open(process, WANTED, &sampler))
		return 2;
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	for (unsigned long round = 0; now() < until; round++) {
		errno = 77;
		for (int i = 0; i < BLOCKS; i++) {
			free(blocks[i]);
			blocks[i] = malloc((size_t)(rand() % 60000) + 1);
		}
		lost += errno != 77;
		if (round % 4 == 0)
			sample(); /* which the handler may interrupt */
		if (round % 256 == 0) {
			if (fork_once())
				wrong++;
			forks++;
		}
	}
	setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL);
	printf("taken %lu\namid %lu\nwrong %lu\nlost %lu\nforks %lu\nallocations %lu\nheld %d\n",
	       taken, amid, wrong, lost, forks, allocations, held[1]);
	pm_sampler_close(sampler);
	pm_process_close(process);
	return wrong || lost || allocations || !taken;
}
