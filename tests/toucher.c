/*
 * A process that touches known pages at known times, for tests of working sets.
 *
 * Usage: toucher PAGES PERIOD_MS
 *
 * Maps one mapping, `heap`, of two halves, `hot` and `cold`, and another one,
 * `warm`, of PAGES pages each, all of them written once. From then on it reads
 * a byte of each page of `hot` every period, and at each `w` on standard input
 * of each page of `warm`, once, and prints `touched`; at each `d` it writes one
 * instead. It ends at the end of that input, or when its parent dies.
 *
 * A processor that still has the translation of a page in its TLB sets no
 * accessed mark, and nothing flushes it for a process that is alone on its
 * processor. So before each round this one unmaps more than the kernel flushes
 * page by page (tlb_single_page_flush_ceiling, 33), which empties the TLB.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FLUSH_PAGES = 40 };

static size_t page;

static char *map_pages(size_t pages)
{
	size_t size = (pages + 2) * page;
	char *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		exit(1);
	start += page; /* alone between inaccessible pages */
	if (mprotect(start, pages * page, PROT_READ | PROT_WRITE))
		exit(1);
	madvise(start, pages * page, MADV_NOHUGEPAGE);
	return start;
}

static void write_all(char *start, size_t pages)
{
	for (size_t at = 0; at < pages; at++)
		start[at * page] = 1;
}

static void touch(const char *start, size_t pages)
{
	for (size_t at = 0; at < pages; at++)
		(void)*(const volatile char *)(start + at * page);
}

static void empty_tlb(void)
{
	size_t size = FLUSH_PAGES * page;
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		exit(1);
	for (size_t at = 0; at < FLUSH_PAGES; at++)
		start[at * page] = 1;
	munmap(start, size);
}

static void show(const char *name, const char *start, size_t pages)
{
	printf("area %s %" PRIxPTR " %" PRIxPTR "\n", name, (uintptr_t)start,
	       (uintptr_t)start + pages * page);
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	size_t pages;
	int period;
	char *heap, *warm;

	if (argc != 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = (size_t)sysconf(_SC_PAGESIZE);
	pages = (size_t)atol(argv[1]);
	period = atoi(argv[2]);
	heap = map_pages(2 * pages);
	warm = map_pages(pages);
	write_all(heap, 2 * pages);
	write_all(warm, pages);
	show("hot", heap, pages);
	show("cold", heap + pages * page, pages);
	show("warm", warm, pages);
	puts("ready");
	fflush(stdout);

	for (;;) {
		char command;

		empty_tlb();
		touch(heap, pages);
		if (poll(&input, 1, period) <= 0)
			continue;
		if (read(0, &command, 1) != 1)
			return 0;
		empty_tlb();
		if (command == 'w')
			touch(warm, pages);
		else
			write_all(warm, pages);
		puts("touched");
		fflush(stdout);
	}
}
