/*
 * Calls of the C library after open, counted by what allocates: linked with --wrap for malloc and
 * its kin, and for mmap. Prints how many allocations open made, and how many all else.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <pagemap.h>

static unsigned allocations;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, long offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, long offset);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	allocations++;
	return __real_realloc(memory, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, long offset)
{
	allocations++;
	return __real_mmap(at, size, protection, flags, fd, offset);
}

static uint64_t entries[4096], scratch[PM_SCRATCH];
static struct pm_span runs[64];
static char buffer[PM_MAPS_BUFFER];

int main(void)
{
	struct pm_maps_cursor cursor = { { 0 } };
	struct pm_mapping mapping = { .size = sizeof(mapping) };
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	struct pm_region_query query = { .size = sizeof(query), .all_of = PM_IS_PRESENT };
	struct pm_region regions[16];
	struct pm_process *process;
	struct pm_sampler *sampler;
	unsigned opened;
	int32_t error = pm_process_open(getpid(), NULL, &process);

	if (!error)
		error = pm_sampler_open(process, PM_AMOUNT_RSS | PM_AMOUNT_SWAP, &sampler);
	if (error) {
		fprintf(stderr, "%s\n", pm_strerror(error));
		return 1;
	}
	opened = allocations;
	while (pm_maps_next(process, &cursor, buffer, sizeof(buffer), &mapping) == 1) {
		struct pm_span span = { mapping.start, mapping.end };
		uint64_t next = mapping.start, stored;

		pm_process_entries(process, mapping.start, 16, entries);
		pm_process_entries_of(process, &span, 1, entries, 4096, &stored);
		pm_process_translate(process, mapping.start, &stored);
		pm_process_populated(process, &next, mapping.end, entries, 4096, runs, 64, &stored);
		pm_process_regions(process, &query, mapping.start, mapping.end, regions, 16, &next);
		pm_process_tally(process, mapping.start, mapping.end, 0x1ff, NULL, scratch,
				 &amounts);
	}
	for (unsigned i = 0; i < 100; i++)
		error |= pm_sampler_sample(sampler, NULL, 0, &amounts);
	error |= pm_sampler_rss(sampler) <= 0 || !amounts.rss;
	error |= pm_process_check(process);
	allocations -= opened;
	pm_sampler_close(sampler);
	pm_process_close(process);
	printf("%u %u\n", opened, allocations);
	return error != 0;
}
