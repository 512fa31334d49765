/*
 * A process whose soft-dirty bits are known, for test_soft_dirty.py.
 *
 * Maps areas, each alone between inaccessible pages: memory that is joined with
 * a neighbour takes over its soft-dirty mark. Prints them as tests/target.py
 * reads them. At `w` on standard input it writes to every third page of
 * `untouched` and `written`, and maps and prints the area `later`.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { AREA_PAGES = 64, AREAS = 4, LATER_STEP = 3 };

static size_t page;
static char *place; /* of the next area, in the middle of inaccessible pages */

static char *map_area(const char *name)
{
	size_t size = AREA_PAGES * page;
	char *start = mmap(place, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (start == MAP_FAILED)
		_exit(1);
	/* EINVAL: a kernel without huge pages, which need not be refused then. */
	madvise(start, size, MADV_NOHUGEPAGE);
	place += 2 * size;
	printf("area %s %" PRIxPTR " %" PRIxPTR "\n", name, (uintptr_t)start,
	       (uintptr_t)start + size);
	return start;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

int main(void)
{
	char *untouched, *written, *seen;
	char command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = (size_t)sysconf(_SC_PAGESIZE);
	place = mmap(NULL, (2 * AREAS + 1) * AREA_PAGES * page, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED)
		return 1;
	place += AREA_PAGES * page;

	untouched = map_area("untouched");
	written = map_area("written");
	seen = map_area("seen");
	for (size_t at = 0; at < AREA_PAGES * page; at += page) {
		written[at] = 1;
		(void)*(volatile char *)(seen + at); /* the page of zeros */
	}
	ready();

	if (read(0, &command, 1) != 1)
		return 0;
	for (size_t at = 0; at < AREA_PAGES * page; at += LATER_STEP * page)
		untouched[at] = written[at] = 2;
	map_area("later");
	ready();
	return read(0, &command, 1) < 0;
}
