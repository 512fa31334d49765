/*
 * The textbook way to dump the page table of a process, for comparison.
 *
 * One 8-byte pread for each page of each mapping, one printf for each row:
 * what every example on the subject does. It is the reference for the text
 * format (tests/live) and the slow rival (benchmarks/), so it stays simple
 * and shares no line with csrc/.
 *
 * Usage: textbook PID
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 1 and the entry of the page at `address` (bytes), or 0 where there is none. */
static int entry_of(int pagemap, uint64_t address, uint64_t page_size, uint64_t *entry)
{
	off_t where = (off_t)(address / page_size * sizeof(*entry));

	return pread(pagemap, entry, sizeof(*entry), where) == (ssize_t)sizeof(*entry);
}

static unsigned int bit(uint64_t entry, int number)
{
	return (unsigned int)(entry >> number & 1);
}

/* What stands after `fields` fields separated by blanks; "" when nothing does. */
static const char *after_fields(const char *line, int fields)
{
	for (int field = 0; field < fields; field++) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

static FILE *open_maps(const char *pid)
{
	char path[64];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	if (!maps)
		perror(path);
	return maps;
}

static int open_pagemap(const char *pid)
{
	char path[64];
	int pagemap;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	pagemap = open(path, O_RDONLY);
	if (pagemap < 0)
		perror(path);
	return pagemap;
}

int main(int argc, char **argv)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start, end, entry;
	size_t room = 0;
	char *line = NULL;
	FILE *maps;
	int pagemap;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PID\n", argv[0]);
		return 2;
	}
	maps = open_maps(argv[1]);
	pagemap = open_pagemap(argv[1]);
	if (!maps || pagemap < 0)
		return 1;

	puts("addr pfn soft-dirty file/shared swapped present library");
	while (getline(&line, &room, maps) > 0) {
		const char *label;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			return 1;
		label = after_fields(line, 5);
		for (uint64_t address = start; address < end; address += page_size) {
			if (!entry_of(pagemap, address, page_size, &entry))
				continue;
			printf("%" PRIx64 " %" PRIx64 " %u %u %u %u %s\n", address,
			       entry & ((UINT64_C(1) << 55) - 1), bit(entry, 55), bit(entry, 61),
			       bit(entry, 62), bit(entry, 63), label);
		}
	}
	free(line);
	fclose(maps);
	close(pagemap);
	return fflush(stdout) == 0 ? 0 : 1;
}
