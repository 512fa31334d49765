/*
 * The kernel's floor: bare loops of bulk preads, or of PAGEMAP_SCAN, over one
 * range of a process.
 *
 * Usage: floor PID ADDRESS PAGES [hex address], then one request a line on stdin:
 *
 *     MODE CHUNK CATEGORIES      answered by      NANOSECONDS SUM
 *
 * The program waits between requests, so a benchmark can run it in turn with
 * what it compares. Four modes read entries, CHUNK of them by one pread:
 *
 *     window  every chunk into the same CHUNK entries: nothing is kept
 *     pair    the same by two threads, which take turns; SUM is 0
 *     reused  into a buffer for all PAGES entries, the same for every request
 *     fresh   into a buffer for all PAGES entries, allocated within the timing
 *
 * `window` does the least that any reader must do; `fresh` is what a call does
 * that hands out a new buffer each time. SUM is that of all entries modulo
 * 2^64, taken while the clock stands.
 *
 *     scan    regions of what is present or swapped, CHUNK of them by one ioctl,
 *             each with those of CATEGORIES [hex] that it has
 *     look    the same with all that goes before it: opens the files, and reads maps
 *
 * SUM is then the number of pages in them. CATEGORIES says nothing to the others.
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
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../csrc/kernel/uapi.h"

/* What to look at. */
struct range {
	const char *pid;
	int pagemap;
	uint64_t vpn;
	uint64_t pages;
	uint64_t page_size;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *room(uint64_t count, size_t size)
{
	void *buffer = malloc(count * size);

	if (!buffer)
		fail("malloc");
	return buffer;
}

static uint64_t sum(const uint64_t *entries, uint64_t count)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < count; i++)
		total += entries[i];
	return total;
}

static void read_chunk(const struct range *range, uint64_t at, uint64_t count, uint64_t *out)
{
	size_t size = count * sizeof(*out);

	if (pread(range->pagemap, out, size, (off_t)((range->vpn + at) * sizeof(*out))) !=
	    (ssize_t)size)
		fail("short read of the pagemap");
}

/* Read all entries, one chunk after the other, into `out`. */
static void read_kept(const struct range *range, uint64_t chunk, uint64_t *out)
{
	for (uint64_t at = 0; at < range->pages; at += chunk) {
		uint64_t rest = range->pages - at;

		read_chunk(range, at, rest < chunk ? rest : chunk, out + at);
	}
}

/* Read all entries, each chunk over the one before; returns the nanoseconds. */
static uint64_t read_window(const struct range *range, uint64_t chunk, uint64_t *total)
{
	uint64_t *out = room(chunk, sizeof(*out));
	uint64_t took = 0;

	memset(out, 0, chunk * sizeof(*out)); /* its pages are not to be had within the timing */
	for (uint64_t at = 0; at < range->pages; at += chunk) {
		uint64_t rest = range->pages - at, count = rest < chunk ? rest : chunk;
		uint64_t started = now();

		read_chunk(range, at, count, out);
		took += now() - started;
		*total += sum(out, count);
	}
	free(out);
	return took;
}

/* What two threads share: each takes the next chunk into memory of its own. */
struct pair {
	const struct range *range;
	uint64_t chunk;
	_Atomic uint64_t next;
};

static void *read_turns(void *shared)
{
	struct pair *pair = shared;
	uint64_t *out = room(pair->chunk, sizeof(*out));
	uint64_t at;

	while ((at = atomic_fetch_add(&pair->next, pair->chunk)) < pair->range->pages) {
		uint64_t rest = pair->range->pages - at;

		read_chunk(pair->range, at, rest < pair->chunk ? rest : pair->chunk, out);
	}
	free(out);
	return NULL;
}

/* Read all entries with two threads, from the start of the second to its end. */
static uint64_t read_paired(const struct range *range, uint64_t chunk)
{
	struct pair pair = { .range = range, .chunk = chunk };
	uint64_t started = now();
	pthread_t other;

	errno = pthread_create(&other, NULL, read_turns, &pair);
	if (errno)
		fail("pthread_create");
	read_turns(&pair);
	pthread_join(other, NULL);
	return now() - started;
}

/* Scan all pages; returns the number of those found. */
static uint64_t scan_all(const struct range *range, struct pm_uapi_region *regions, uint64_t count,
			 uint64_t categories)
{
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.start = range->vpn * range->page_size,
		.end = (range->vpn + range->pages) * range->page_size,
		.vec = (uint64_t)(uintptr_t)regions,
		.vec_len = count,
		.category_anyof_mask = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED,
		.return_mask = categories,
	};
	uint64_t bytes = 0;

	for (; scan.start < scan.end; scan.start = scan.walk_end) {
		int found = ioctl(range->pagemap, PM_UAPI_PAGEMAP_SCAN, &scan);

		if (found < 0)
			fail("PAGEMAP_SCAN");
		for (int i = 0; i < found; i++)
			bytes += regions[i].end - regions[i].start;
	}
	return bytes / range->page_size;
}

static int open_file(const char *pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fail(path);
	return fd;
}

/* Open and read maps, open the pagemap and scan all; returns the number of pages found. */
static uint64_t look(const struct range *range, struct pm_uapi_region *regions, uint64_t count,
		     uint64_t categories)
{
	static char text[1 << 16];
	struct range anew = *range;
	int maps = open_file(range->pid, "maps");
	uint64_t pages;

	while (read(maps, text, sizeof(text)) > 0)
		;
	anew.pagemap = open_file(range->pid, "pagemap");
	pages = scan_all(&anew, regions, count, categories);
	close(maps);
	close(anew.pagemap);
	return pages;
}

/* Do what a request asks; returns the nanoseconds that it took. */
static uint64_t serve(const struct range *range, const char *mode, uint64_t chunk,
		      uint64_t categories, uint64_t *total)
{
	static uint64_t *kept;
	uint64_t *buffer;
	uint64_t started, took;

	if (!strcmp(mode, "window"))
		return read_window(range, chunk, total);
	if (!strcmp(mode, "pair"))
		return read_paired(range, chunk);
	if (!strcmp(mode, "scan") || !strcmp(mode, "look")) {
		struct pm_uapi_region *regions = room(chunk, sizeof(*regions));

		started = now();
		*total = (*mode == 's' ? scan_all : look)(range, regions, chunk, categories);
		took = now() - started;
		free(regions);
		return took;
	}
	if (!strcmp(mode, "fresh")) {
		started = now();
		buffer = room(range->pages, sizeof(*buffer));
		read_kept(range, chunk, buffer);
		took = now() - started;
		*total = sum(buffer, range->pages);
		free(buffer);
		return took;
	}
	if (!kept) {
		/* written once, lest the first request pay for its pages */
		kept = room(range->pages, sizeof(*kept));
		read_kept(range, chunk, kept);
	}
	started = now();
	read_kept(range, chunk, kept);
	took = now() - started;
	*total = sum(kept, range->pages);
	return took;
}

int main(int argc, char **argv)
{
	struct range range = { .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
	uint64_t chunk, categories;
	char mode[16];

	if (argc != 4) {
		fprintf(stderr, "usage: %s PID ADDRESS PAGES\n", argv[0]);
		return 2;
	}
	range.pid = argv[1];
	range.pagemap = open_file(range.pid, "pagemap");
	range.vpn = strtoull(argv[2], NULL, 16) / range.page_size;
	range.pages = strtoull(argv[3], NULL, 10);

	while (scanf("%15s %" SCNu64 " %" SCNx64, mode, &chunk, &categories) == 3 && chunk > 0) {
		uint64_t total = 0;
		uint64_t took = serve(&range, mode, chunk, categories, &total);

		printf("%" PRIu64 " %" PRIu64 "\n", took, total);
		fflush(stdout);
	}
	return 0;
}
