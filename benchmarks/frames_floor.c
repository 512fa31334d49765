/*
 * The kernel's floor for telling what all memory is: the words of /proc/kpageflags
 * for ranges of frames, read by two threads, and nothing done with them.
 *
 * Usage: frames_floor START END [START END ...] in decimal, then a line on stdin for
 * each run, answered by its nanoseconds and the number of words.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 14 }; /* words that one call reads, at most */

struct stretch {
	uint64_t at;
	uint64_t count;
};

static int file;
static struct stretch *stretches;
static uint64_t stretches_count;
static _Atomic uint64_t next;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *work(void *out)
{
	uint64_t at;

	while ((at = atomic_fetch_add(&next, 1)) < stretches_count) {
		const struct stretch *here = stretches + at;
		const size_t size = here->count * sizeof(uint64_t);

		if (pread(file, out, size, (off_t)(here->at * sizeof(uint64_t))) != (ssize_t)size)
			fail("short read");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static uint64_t mine[CHUNK], others[CHUNK];
	uint64_t words = 0;

	file = open("/proc/kpageflags", O_RDONLY);
	if (file < 0)
		fail("/proc/kpageflags");
	for (int i = 1; i + 1 < argc; i += 2)
		words += strtoull(argv[i + 1], NULL, 10) - strtoull(argv[i], NULL, 10);
	stretches = malloc((words / CHUNK + (uint64_t)argc) * sizeof(*stretches));
	if (!stretches)
		fail("malloc");
	for (int i = 1; i + 1 < argc; i += 2) {
		const uint64_t end = strtoull(argv[i + 1], NULL, 10);

		for (uint64_t at = strtoull(argv[i], NULL, 10); at < end; at += CHUNK)
			stretches[stretches_count++] =
				(struct stretch){ at, end - at < CHUNK ? end - at : CHUNK };
	}

	while (getchar() == '\n') {
		uint64_t started;
		pthread_t other;

		atomic_store(&next, 0);
		started = now();
		errno = pthread_create(&other, NULL, work, others);
		if (errno)
			fail("pthread_create");
		work(mine);
		pthread_join(other, NULL);
		printf("%" PRIu64 " %" PRIu64 "\n", now() - started, words);
		fflush(stdout);
	}
	return 0;
}
