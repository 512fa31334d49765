/*
 * The kernel's floor: a bare loop of bulk preads over one range of a pagemap.
 *
 * Usage: floor PID ADDRESS PAGES [hex address], then one request a line on stdin:
 *
 *     MODE CHUNK      answered by      NANOSECONDS SUM
 *
 * CHUNK is the number of entries that one pread asks for, SUM the sum of all
 * entries modulo 2^64, taken after the clock was stopped. The program waits
 * between requests, so a benchmark can run it in turn with what it compares.
 *
 *     window  every chunk into the same CHUNK entries: nothing is kept
 *     reused  into a buffer for all PAGES entries, the same for every request
 *     fresh   into a buffer for all PAGES entries, allocated within the timing
 *
 * `window` does the least that any reader must do; `fresh` is what a call does
 * that hands out a new buffer each time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* Read `pages` entries from page `vpn` on; `step` is 0 to overwrite each chunk. */
static void read_range(int pagemap, uint64_t vpn, uint64_t pages, uint64_t chunk, uint64_t *out,
		       int step)
{
	for (uint64_t done = 0; done < pages; done += chunk) {
		uint64_t count = pages - done < chunk ? pages - done : chunk;
		size_t size = count * sizeof(*out);

		if (pread(pagemap, out, size, (off_t)((vpn + done) * sizeof(*out))) !=
		    (ssize_t)size)
			fail("short read of the pagemap");
		if (step)
			out += count;
	}
}

static uint64_t *room(uint64_t entries)
{
	uint64_t *buffer = malloc(entries * sizeof(*buffer));

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

int main(int argc, char **argv)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t vpn, pages, chunk;
	uint64_t *kept;
	char path[64], mode[16];
	int pagemap;

	if (argc != 4) {
		fprintf(stderr, "usage: %s PID ADDRESS PAGES\n", argv[0]);
		return 2;
	}
	snprintf(path, sizeof(path), "/proc/%s/pagemap", argv[1]);
	pagemap = open(path, O_RDONLY);
	if (pagemap < 0)
		fail(path);
	vpn = strtoull(argv[2], NULL, 16) / page_size;
	pages = strtoull(argv[3], NULL, 10);
	kept = room(pages);

	while (scanf("%15s %" SCNu64, mode, &chunk) == 2 && chunk > 0) {
		int fresh = !strcmp(mode, "fresh"), window = !strcmp(mode, "window");
		uint64_t started = now(), took, total;
		uint64_t *buffer = fresh ? room(pages) : kept;

		read_range(pagemap, vpn, pages, chunk, buffer, !window);
		took = now() - started;
		/* What a window has overwritten is read once more, untimed. */
		if (window)
			read_range(pagemap, vpn, pages, chunk, buffer, 1);
		total = sum(buffer, pages);
		if (fresh)
			free(buffer);
		printf("%" PRIu64 " %" PRIu64 "\n", took, total);
		fflush(stdout);
	}
	return 0;
}
