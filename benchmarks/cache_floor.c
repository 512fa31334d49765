/*
 * What no reader of the page cache by file can do without: each regular file below a folder
 * is opened, asked about by cachestat(2) and closed. Prints the nanoseconds that took, the files
 * and their cached pages. Usage: cache_floor FOLDER, and a line for each line of its input.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CACHESTAT = 451 };

struct range {
	uint64_t offset, length;
};

struct cached {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void walk(char *folder)
{
	char *const folders[] = { folder, NULL };
	const struct range all = { 0, 0 };
	const uint64_t began = now();
	uint64_t files = 0, pages = 0;
	FTS *tree = fts_open(folders, FTS_PHYSICAL | FTS_NOSTAT, NULL);
	FTSENT *entry;

	while (tree && (entry = fts_read(tree)) != NULL) {
		struct cached about;
		int file;

		if (entry->fts_info != FTS_F && entry->fts_info != FTS_NSOK)
			continue;
		file = open(entry->fts_accpath, O_RDONLY | O_CLOEXEC | O_NOATIME | O_NOFOLLOW);
		if (file < 0)
			continue;
		if (syscall(CACHESTAT, file, &all, &about, 0) == 0) {
			files++;
			pages += about.cached;
		}
		close(file);
	}
	if (tree)
		fts_close(tree);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", now() - began, files, pages);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	while (getchar() == '\n')
		walk(argv[1]);
	return 0;
}
