/*
 * The kernel's floor for telling what the pages of a process are: the entries of
 * one range, and the words of /proc/kpageflags for its frames, on two threads.
 *
 * Usage: flags_floor PID ADDRESS PAGES [hex address], then a line on stdin for
 * each run, answered by its nanoseconds and the number of words.
 *
 * Frames are learnt and sorted before the clock starts, those near each other are
 * read by one call, and nothing is done with what was read: no tool that uses
 * these files on two threads can take less.
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

enum {
	CHUNK = 1 << 14, /* words that one call reads, at most */
	TURN = 256,	 /* stretches of frames that a thread takes at a time */
	BRIDGED = 2,	 /* words that cost less than another call */
};

/* What the threads share: words to be read from each file, in stretches. */
struct stretch {
	uint64_t at;
	uint64_t count;
};

static struct {
	int fd;
	const struct stretch *stretches;
	uint64_t count;
	_Atomic uint64_t next;
} entries, flags;

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

static void *room(uint64_t count, size_t size)
{
	void *memory = malloc(count * size + 1);

	if (!memory)
		fail("malloc");
	return memory;
}

static void read_words(int fd, uint64_t at, uint64_t count, uint64_t *out)
{
	const ssize_t size = (ssize_t)(count * sizeof(*out));

	if (pread(fd, out, (size_t)size, (off_t)(at * sizeof(*out))) != size)
		fail("short read");
}

static void *work(void *out)
{
	uint64_t at;

	while ((at = atomic_fetch_add(&entries.next, 1)) < entries.count)
		read_words(entries.fd, entries.stretches[at].at, entries.stretches[at].count, out);
	while ((at = atomic_fetch_add(&flags.next, TURN)) < flags.count)
		for (uint64_t i = at; i < at + TURN && i < flags.count; i++)
			read_words(flags.fd, flags.stretches[i].at, flags.stretches[i].count, out);
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* The PFNs of the range, sorted; returns how many there are. */
static uint64_t learn(uint64_t *pfns)
{
	uint64_t found = 0, *chunk = room(CHUNK, sizeof(*chunk));

	for (uint64_t i = 0; i < entries.count; i++) {
		const struct stretch *here = entries.stretches + i;

		read_words(entries.fd, here->at, here->count, chunk);
		for (uint64_t j = 0; j < here->count; j++)
			if (chunk[j] >> 63)
				pfns[found++] = chunk[j] & ((UINT64_C(1) << 55) - 1);
	}
	free(chunk);
	qsort(pfns, found, sizeof(*pfns), ascending);
	return found;
}

int main(int argc, char **argv)
{
	char path[64];
	uint64_t vpn, pages, found, words = 0, *pfns, *mine, *others;
	struct stretch *ours, *frames;

	if (argc != 4) {
		fprintf(stderr, "usage: %s PID ADDRESS PAGES\n", argv[0]);
		return 2;
	}
	snprintf(path, sizeof(path), "/proc/%s/pagemap", argv[1]);
	entries.fd = open(path, O_RDONLY);
	flags.fd = open("/proc/kpageflags", O_RDONLY);
	if (entries.fd < 0 || flags.fd < 0)
		fail(path);
	vpn = strtoull(argv[2], NULL, 16) / (uint64_t)sysconf(_SC_PAGESIZE);
	pages = strtoull(argv[3], NULL, 10);

	ours = room(pages / CHUNK + 1, sizeof(*ours));
	for (uint64_t at = 0; at < pages; at += CHUNK)
		ours[entries.count++] =
			(struct stretch){ vpn + at, pages - at < CHUNK ? pages - at : CHUNK };
	entries.stretches = ours;
	pfns = room(pages, sizeof(*pfns));
	found = learn(pfns);
	frames = room(found, sizeof(*frames));
	for (uint64_t i = 0; i < found; i++) {
		struct stretch *last = frames + flags.count - 1;

		if (flags.count && pfns[i] <= last->at + last->count + BRIDGED &&
		    pfns[i] - last->at < CHUNK)
			last->count = pfns[i] + 1 - last->at;
		else
			frames[flags.count++] = (struct stretch){ pfns[i], 1 };
	}
	flags.stretches = frames;
	for (uint64_t i = 0; i < flags.count; i++)
		words += frames[i].count;
	mine = room(CHUNK, sizeof(*mine));
	others = room(CHUNK, sizeof(*others));

	while (getchar() == '\n') {
		uint64_t started;
		pthread_t other;

		entries.next = flags.next = 0;
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
