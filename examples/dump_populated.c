/*
 * The mappings of a process, and of each how many pages are populated: `dump_populated [PID]`,
 * by default its own.
 *
 *	cc dump_populated.c $(pkg-config --cflags --libs pagemap) -o dump_populated
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pagemap.h>

enum { ENTRIES = 1 << 16, RUNS = 1 << 12 };

static uint64_t entries[ENTRIES];
static struct pm_span runs[RUNS];
static char buffer[PM_MAPS_BUFFER];

/* The populated pages of a mapping, or -errno. */
static int64_t populated(const struct pm_process *process, const struct pm_mapping *mapping)
{
	uint64_t next = mapping->start, stored;
	int64_t total = 0;

	while (next < mapping->end) {
		int64_t got = pm_process_populated(process, &next, mapping->end, entries, ENTRIES,
						   runs, RUNS, &stored);

		if (got < 0)
			return got;
		total += got;
	}
	return total;
}

static int fail(const char *what, int64_t error)
{
	fprintf(stderr, "%s: %s\n", what, pm_strerror((int32_t)error));
	return 1;
}

int main(int argc, char **argv)
{
	struct pm_maps_cursor cursor = { { 0 } };
	struct pm_mapping mapping = { .size = sizeof(mapping) };
	struct pm_process *process;
	int64_t got = pm_process_open(argc > 1 ? atoi(argv[1]) : getpid(), NULL, &process);

	if (got < 0)
		return fail("open", got);
	while ((got = pm_maps_next(process, &cursor, buffer, sizeof(buffer), &mapping)) > 0) {
		got = populated(process, &mapping);
		if (got < 0)
			break;
		printf("%" PRIx64 "-%" PRIx64 " %6" PRId64 " %s\n", mapping.start, mapping.end, got,
		       mapping.path);
	}
	pm_process_close(process);
	return got < 0 ? fail("read", got) : 0;
}
