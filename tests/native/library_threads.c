/*
 * One handle of a process, and four threads that read by it at once, each with its own cursor and
 * buffers, on the real kernel under ThreadSanitizer. What they read is compared. A child of fork is
 * refused by the handle of its parent, and opens one of its own.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/pagemap.h"

enum { THREADS = 4, ROUNDS = 20, PAGES = 64 };

static struct pm_process *process;
static uint64_t address; /* of PAGES pages that are there */

#define CHECK(truth)                                                                \
	do {                                                                        \
		if (!(truth)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth); \
			exit(1);                                                    \
		}                                                                   \
	} while (0)

static void *use(void *nothing)
{
	uint64_t *entries = malloc(PAGES * sizeof(*entries));
	uint64_t *scratch = malloc(PM_SCRATCH * sizeof(*scratch));
	char *buffer = malloc(PM_MAPS_BUFFER);
	struct pm_mapping mapping = { .size = sizeof(mapping) };
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	const uint64_t size = PAGES * (uint64_t)sysconf(_SC_PAGESIZE);

	CHECK(entries && scratch && buffer);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pm_maps_cursor cursor = { { 0 } };
		uint64_t next = address, stored, physical;
		struct pm_span runs[4];
		int found = 0, got;

		CHECK(pm_process_entries(process, address, PAGES, entries) == PAGES);
		for (unsigned i = 0; i < PAGES; i++)
			CHECK(entries[i] & PM_PAGE_PRESENT);
		CHECK(pm_process_populated(process, &next, address + size, entries, PAGES, runs, 4,
					   &stored) == PAGES);
		CHECK(stored == 1 && runs[0].start == address && runs[0].end == address + size);
		CHECK(!pm_process_tally(process, address, address + size, PM_AMOUNT_PRESENT, NULL,
					scratch, &amounts));
		CHECK(amounts.present == size);
		got = pm_process_translate(process, address, &physical);
		CHECK(!got || !strcmp(pm_strerror(got), pm_strerror(-1)));
		while ((got = pm_maps_next(process, &cursor, buffer, PM_MAPS_BUFFER, &mapping)) > 0)
			found |= mapping.start <= address && address + size <= mapping.end;
		CHECK(!got && found);
		CHECK(!pm_process_check(process));
	}
	free(entries);
	free(scratch);
	free(buffer);
	return nothing;
}

static void fork_once(void)
{
	const pid_t child = fork();
	uint64_t entry;
	int status;

	CHECK(child >= 0);
	if (!child) {
		struct pm_process *own;
		int error = pm_process_entries(process, address, 1, &entry) != -10; /* ECHILD */

		error |= pm_process_check(process) != -10;
		pm_process_close(process);
		error |= pm_process_open(getpid(), NULL, &own) != 0;
		error = error || pm_process_entries(own, address, 1, &entry) != 1;
		_exit(error);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

int main(void)
{
	const size_t size = PAGES * (size_t)sysconf(_SC_PAGESIZE);
	pthread_t threads[THREADS];
	void *memory;

	CHECK(!posix_memalign(&memory, (size_t)sysconf(_SC_PAGESIZE), size));
	memset(memory, 1, size);
	address = (uint64_t)memory;
	CHECK(!pm_process_open(getpid(), NULL, &process));
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(!pthread_create(threads + i, NULL, use, NULL));
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	fork_once();
	pm_process_close(process);
	free(memory);
	return 0;
}
