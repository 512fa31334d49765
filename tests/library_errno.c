/*
 * Every function of the C library, as it is meant and with nothing in place of each argument: none
 * changes errno, and every descriptor that one opens is closed on exec. Says on standard error what
 * did, and else nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/pagemap.h"

enum { OURS = 4242, MOST_DESCRIPTORS = 256, COUNT = 16 };

static int failed;

/* A call, and that errno is as it was. */
#define KEEPS(call)                                                      \
	do {                                                             \
		errno = OURS;                                            \
		(void)(call);                                            \
		if (errno != OURS) {                                     \
			fprintf(stderr, "%s: errno %d\n", #call, errno); \
			failed = 1;                                      \
		}                                                        \
	} while (0)

static struct {
	uint64_t words[PM_SCRATCH + 8];
	uint64_t entries[COUNT];
	struct pm_region regions[COUNT];
	struct pm_span spans[COUNT];
	char maps[PM_MAPS_BUFFER];
} to;

static void openings(void)
{
	struct pm_open_options options = { .size = sizeof(options), .procfs = "/nowhere" };
	struct pm_process *none = NULL;

	KEEPS(pm_process_open(0, NULL, &none));
	KEEPS(pm_process_open(999999999, NULL, &none));
	KEEPS(pm_process_open(getpid(), &options, &none));
	options = (struct pm_open_options){ .size = sizeof(options) };
	options.flags = PM_OPEN_PIDFD;
	KEEPS(pm_process_open(getpid(), &options, &none));
	KEEPS(pm_process_open(getpid(), NULL, NULL));
	KEEPS(pm_process_close(NULL));
}

static void looks(struct pm_process *process)
{
	struct pm_capabilities found = { .size = sizeof(found) };

	KEEPS(pm_process_pid(process));
	KEEPS(pm_process_check(process));
	KEEPS(pm_process_fileno(process));
	KEEPS(pm_process_capabilities(process, &found));
	KEEPS(pm_process_capabilities(process, NULL));
}

static void reads(struct pm_process *process, uint64_t start, uint64_t end)
{
	struct pm_region_query query = { .size = sizeof(query), .returned = PM_IS_PRESENT };
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	struct pm_limits limits = { .size = sizeof(limits), .max_ns = 1 };
	struct pm_maps_cursor cursor = { { 0 } };
	struct pm_mapping mapping = { .size = sizeof(mapping) };
	struct pm_span span = { start, end };
	uint64_t at = start, stored = 0;

	KEEPS(pm_maps_next(process, &cursor, to.maps, sizeof(to.maps), &mapping));
	KEEPS(pm_maps_next(process, &cursor, to.maps, 1, &mapping));
	KEEPS(pm_maps_next(process, NULL, NULL, 0, NULL));
	KEEPS(pm_process_entries(process, start, COUNT, to.entries));
	KEEPS(pm_process_entries(process, start + 1, COUNT, to.entries));
	KEEPS(pm_process_entries(process, start, COUNT, NULL));
	KEEPS(pm_process_entries_of(process, &span, 1, to.entries, COUNT, &stored));
	KEEPS(pm_process_entries_of(process, &span, 1, to.entries, 0, &stored));
	KEEPS(pm_process_entries_of(process, NULL, 1, NULL, 1, NULL));
	KEEPS(pm_process_translate(process, start, &stored));
	KEEPS(pm_process_translate(process, UINT64_MAX, &stored));
	KEEPS(pm_process_translate(process, start, NULL));
	KEEPS(pm_process_regions(process, &query, start, end, to.regions, COUNT, &at));
	query.all_of = UINT64_C(1) << 60;
	KEEPS(pm_process_regions(process, &query, start, end, to.regions, COUNT, &at));
	KEEPS(pm_process_regions(process, NULL, start, end, NULL, 0, NULL));
	at = start;
	KEEPS(pm_process_populated(process, &at, end, to.entries, COUNT, to.spans, COUNT, &stored));
	KEEPS(pm_process_populated(process, NULL, end, NULL, 0, NULL, 0, NULL));
	KEEPS(pm_process_tally(process, start, end, PM_AMOUNT_RSS, &limits, to.words, &amounts));
	KEEPS(pm_process_tally(process, start, end, 1 << 30, NULL, to.words, &amounts));
	KEEPS(pm_process_tally(process, start, end, PM_AMOUNT_RSS, NULL, NULL, NULL));
}

static void samples(struct pm_process *process)
{
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	struct pm_sampler *sampler = NULL;

	KEEPS(pm_sampler_open(process, PM_AMOUNT_RSS | PM_AMOUNT_SWAP | PM_AMOUNT_USS, &sampler));
	KEEPS(pm_sampler_open(process, 1 << 30, &sampler));
	KEEPS(pm_sampler_open(process, 0, NULL));
	for (int i = 0; i < 2; i++) {
		KEEPS(pm_sampler_sample(i ? sampler : NULL, NULL, 0, &amounts));
		KEEPS(pm_sampler_sample(i ? sampler : NULL, NULL, 1, &amounts));
		KEEPS(pm_sampler_sample(i ? sampler : NULL, NULL, 0, NULL));
		KEEPS(pm_sampler_rss(i ? sampler : NULL));
		KEEPS(pm_sampler_close(i ? sampler : NULL));
	}
}

static void frames(void)
{
	const uint64_t pfns[] = { 1, UINT64_MAX, 7 };
	struct pm_frames *open = NULL;

	KEEPS(pm_frames_open(NULL, PM_FRAMES_FLAGS, &open));
	KEEPS(pm_frames_words(open, PM_FRAMES_FLAGS, pfns, 3, to.words, PM_SCRATCH + 4,
			      to.entries));
	KEEPS(pm_frames_words(open, PM_FRAMES_COUNTS, pfns, 3, NULL, 0, NULL));
	KEEPS(pm_frames_close(open));
	open = NULL;
	KEEPS(pm_frames_open("/nowhere", PM_FRAMES_FLAGS, &open));
	KEEPS(pm_frames_open(NULL, 1 << 30, NULL));
	KEEPS(pm_frames_words(NULL, PM_FRAMES_FLAGS, pfns, 3, to.words, 0, to.entries));
	KEEPS(pm_frames_close(NULL));
}

#ifdef TRACKERS
static void trackers(struct pm_process *process)
{
	struct pm_tracker_options options = { .size = sizeof(options), .userfaultfd = -1 };
	const struct pm_span span = { (uintptr_t)to.words & ~UINT64_C(0xffff),
				      ((uintptr_t)to.words & ~UINT64_C(0xffff)) + 0x10000 };
	struct pm_tracker_cursor cursor = { { 0 } };
	struct pm_tracker *tracker = NULL;

	options.spans = &span;
	options.spans_count = 1;
	KEEPS(pm_tracker_open(process, &options, &tracker));
	KEEPS(pm_tracker_collect(tracker, &cursor, PM_TRACK_PEEK, to.regions, COUNT));
	KEEPS(pm_tracker_collect(tracker, NULL, 0, NULL, 0));
	KEEPS(pm_tracker_close(tracker));
	KEEPS(pm_tracker_open(process, NULL, NULL));
	KEEPS(pm_tracker_collect(NULL, &cursor, 0, to.regions, COUNT));
	KEEPS(pm_tracker_close(NULL));
}
#endif

/* Whether each open descriptor but the first three is closed on exec. */
static void descriptors(void)
{
	for (int fd = 3; fd < MOST_DESCRIPTORS; fd++) {
		const int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC)) {
			fprintf(stderr, "descriptor %d stays open on exec\n", fd);
			failed = 1;
		}
	}
}

/* The handle of a process that has ended. */
static struct pm_process *open_one_that_ends(void)
{
	struct pm_process *process = NULL;
	const pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	KEEPS(pm_process_open(child, NULL, &process));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return process;
}

int main(int count, char **words)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t start = (uint64_t)(uintptr_t)&to / page * page;
	struct pm_process *process = NULL, *other = NULL, *gone;
	struct pm_sampler *sampler = NULL;
	struct pm_frames *open = NULL;

	if (count != 2)
		return 2;
	memset(&to, 1, sizeof(to));
	KEEPS(pm_process_open(getpid(), NULL, &process));
	KEEPS(pm_process_open(atoi(words[1]), NULL, &other));
	if (!process || !other)
		return 2;
	KEEPS(pm_sampler_open(other, PM_AMOUNT_RSS | PM_AMOUNT_USS | PM_AMOUNT_SWAP, &sampler));
	KEEPS(pm_frames_open(NULL, PM_FRAMES_FLAGS | PM_FRAMES_COUNTS, &open));
	descriptors();
	KEEPS(pm_frames_close(open));
	KEEPS(pm_sampler_close(sampler));
	openings();
	gone = open_one_that_ends();
	for (int i = 0; i < 4; i++) {
		struct pm_process *each = (struct pm_process *[]){ process, other, gone, NULL }[i];

		looks(each);
		reads(each, start, start + COUNT * page);
		samples(each);
#ifdef TRACKERS
		trackers(each);
#endif
	}
	frames();
	for (int error = -200; error < 200; error++)
		KEEPS(pm_strerror(error));
	KEEPS(pm_version());
	KEEPS(pm_process_close(process));
	KEEPS(pm_process_close(other));
	KEEPS(pm_process_close(gone));
	return failed;
}
