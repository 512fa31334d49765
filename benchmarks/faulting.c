/*
 * A process that faults pages in without a pause, and tells how long that took.
 *
 * Usage: faulting BYTES
 *
 * Holds BYTES of written base pages, prints `area dense START END` (hex) and `ready`.
 * Then each letter on standard input: `g` begins to record, `s` ends that and
 * prints how long faults and changes of the address space took, in nanoseconds:
 * FAULTS MEDIAN P999 LONGEST CHANGES MEDIAN P999 LONGEST
 *
 * A fault is the first write to a page. A change is an mmap() or a munmap(),
 * which wait for whoever holds the mmap_lock, for reading too; a fault does not
 * where the kernel locks single mappings (Linux 6.4).
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 64, MOST = 1 << 22 };

struct times {
	uint64_t *took;
	size_t count;
};

static struct times faults, changes;
static atomic_int recording, resting;
static size_t page;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void record(struct times *times, uint64_t since)
{
	const uint64_t took = now() - since;

	if (times->count < MOST)
		times->took[times->count++] = took;
}

static void *work(void *unused)
{
	const size_t size = AT_ONCE * page;

	for (;;) {
		uint64_t since;
		char *memory;

		if (!atomic_load(&recording)) {
			atomic_store(&resting, 1);
			usleep(100);
			continue;
		}
		atomic_store(&resting, 0);
		since = now();
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
		record(&changes, since);
		if (memory == MAP_FAILED)
			abort();
		for (size_t at = 0; at < size; at += page) {
			since = now();
			*(volatile char *)(memory + at) = 1;
			record(&faults, since);
		}
		since = now();
		munmap(memory, size);
		record(&changes, since);
	}
	return unused;
}

static int compare(const void *one, const void *other)
{
	const uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

static void tell(struct times *times, char after)
{
	const size_t count = times->count;

	qsort(times->took, count, sizeof(*times->took), compare);
	printf("%zu %" PRIu64 " %" PRIu64 " %" PRIu64 "%c", count,
	       count ? times->took[count / 2] : 0, count ? times->took[count * 999 / 1000] : 0,
	       count ? times->took[count - 1] : 0, after);
	times->count = 0;
}

/* Touched beforehand: its own faults are not what is to be measured. */
static void prepare(struct times *times)
{
	times->took = malloc(MOST * sizeof(*times->took));
	if (!times->took)
		abort();
	memset(times->took, 1, MOST * sizeof(*times->took));
}

int main(int argc, char **argv)
{
	const size_t size = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	pthread_t thread;
	char *dense, letter;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = (size_t)sysconf(_SC_PAGESIZE);
	dense = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (dense == MAP_FAILED || madvise(dense, size, MADV_NOHUGEPAGE))
		return 1;
	for (size_t at = 0; at < size; at += page)
		dense[at] = (char)(1 + at / page);
	mallopt(M_MMAP_THRESHOLD, 1 << 16); /* what qsort takes is given back: no growth */
	prepare(&faults);
	prepare(&changes);
	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	printf("area dense %" PRIxPTR " %" PRIxPTR "\nready\n", (uintptr_t)dense,
	       (uintptr_t)dense + size);
	fflush(stdout);
	while (read(0, &letter, 1) == 1) {
		atomic_store(&recording, letter == 'g');
		if (letter != 's')
			continue;
		while (!atomic_load(&resting))
			usleep(100);
		tell(&faults, ' ');
		tell(&changes, '\n');
		fflush(stdout);
	}
	return 0;
}
