/*
 * Reads of this process in a handler of SIGPROF, a thousand a second, while the program allocates in
 * three threads and forks: `library_signals SECONDS`. The handler interrupts the library too, in the
 * midst of the same calls. Prints how often it ran, and what was wrong: an answer, or an errno that
 * was lost, in the handler or in what it interrupted.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/pagemap.h"

enum { PAGES = 64, STORMS = 2, BLOCKS = 64, OURS = 4242, ITS = 1234, PATIENCE = 50 };

struct readings {
	uint64_t entries[2 * PAGES];
	uint64_t stored[2];
	uint64_t scratch[PM_SCRATCH];
	struct pm_region regions[PAGES];
	struct pm_span runs[PAGES];
};

static struct pm_process *process;
static struct pm_sampler *sampler;
static uint64_t area, page; /* every second page of the area was written */
static uint64_t can;
static struct readings in_handler, outside;
static volatile unsigned long ran, busy, wrong, lost;
static volatile int ending;

static void check(int right)
{
	wrong += !right;
}

static int as_written(const uint64_t *entries)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (!(entries[i] & PM_PAGE_PRESENT) != !(i % 2))
			return 0;
	return 1;
}

/* Everything that is async-signal-safe, of memory that is known. */
static void read_all(struct readings *to)
{
	const uint64_t end = area + PAGES * page;
	const struct pm_span spans[] = { { area, end }, { area, end } };
	const struct pm_region_query query = {
		.size = sizeof(query),
		.all_of = PM_IS_PRESENT,
		.returned = PM_IS_PRESENT,
	};
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	uint64_t physical = 0, next = area, runs = 0;
	int64_t got;

	check(pm_process_entries(process, area, PAGES, to->entries) == PAGES);
	check(as_written(to->entries));
	got = pm_process_entries_of(process, spans, 2, to->entries, (uint64_t)PAGES * 2,
				    to->stored);
	check(got == (int64_t)PAGES * 2 && as_written(to->entries + PAGES));
	got = pm_process_translate(process, area + page + 7, &physical);
	check(can & PM_CAN_PFNS ? !got && physical % page == 7 : got == -EPERM);
	check(pm_process_translate(process, area, &physical) == -ENXIO);
	got = pm_process_populated(process, &next, end, to->entries, PAGES, to->runs, PAGES, &runs);
	check(got == PAGES / 2 && runs == PAGES / 2);
	if (can & PM_CAN_SCAN) {
		got = pm_process_regions(process, &query, area, end, to->regions, PAGES, &next);
		check(got == PAGES / 2 && to->regions[1].start == area + 3 * page);
	}
	got = pm_process_tally(process, area, end, PM_AMOUNT_PRESENT, NULL, to->scratch, &amounts);
	check(!got && amounts.present == PAGES / 2 * page);
	got = pm_sampler_sample(sampler, NULL, 0, &amounts);
	busy += got == -EBUSY;
	check(got == -EBUSY || (!got && amounts.present > PAGES / 2 * page));
	check(pm_sampler_rss(sampler) > (int64_t)(PAGES / 2 * page));
	check(!pm_process_check(process) && pm_process_fileno(process) >= 0);
	check(pm_process_pid(process) == getpid() && pm_version() && pm_strerror(-ESRCH));
}

static void tick(int number)
{
	(void)number;
	/* the C library's own: what was interrupted must find it as it was */
	const int before = errno;

	errno = ITS;
	read_all(&in_handler);
	lost += errno != ITS;
	errno = before;
	ran++;
}

static void *storm(void *nothing)
{
	static __thread void *blocks[BLOCKS];
	unsigned long at = 1;

	while (!ending) {
		at = at * 6364136223846793005u + 1442695040888963407u;
		free(blocks[at >> 58]);
		blocks[at >> 58] = malloc(at >> 32 & 0xffff);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return nothing;
}

static void begin_ticks(timer_t *timer)
{
	const struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF };

#ifdef sigev_notify_thread_id
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
#else
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
#endif
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGPROF, &action, NULL) || timer_create(CLOCK_MONOTONIC, &event, timer) ||
	    timer_settime(*timer, 0, &every, NULL))
		exit(2);
}

/* Make the memory that is known, which stays where it is. */
static void write_area(void)
{
	char *memory;

	page = (uint64_t)sysconf(_SC_PAGESIZE);
	memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		exit(2);
	madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
	for (unsigned i = 1; i < PAGES; i += 2)
		memory[i * page] = 1;
	area = (uint64_t)(uintptr_t)memory;
}

static void fork_once(void)
{
	int status = 0;
	pid_t child = fork();

	if (!child) { /* it would read its parent */
		free(malloc(1000));
		_exit(pm_process_check(process) == -ECHILD ? 0 : 1);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	check(child > 0 && !status);
}

int main(int count, char **words)
{
	const uint64_t wanted = PM_AMOUNT_RSS | PM_AMOUNT_PRESENT;
	struct pm_capabilities found = { .size = sizeof(found) };
	struct timespec now, end;
	pthread_t threads[STORMS];
	unsigned long forks = 0, often;
	int over;
	timer_t timer;

	write_area();
	if (count != 2 || pm_process_open(getpid(), NULL, &process) ||
	    pm_process_capabilities(process, &found) || pm_sampler_open(process, wanted, &sampler))
		return 2;
	can = found.can;
	for (unsigned i = 0; i < STORMS; i++)
		if (pthread_create(&threads[i], NULL, storm, NULL))
			return 2;
	begin_ticks(&timer);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += atoi(words[1]);
	often = 10 * strtoul(words[1], NULL, 10);
	do {
		fork_once();
		forks++;
		for (unsigned i = 0; i < 100; i++) {
			free(malloc(i * 1000));
			errno = OURS;
			read_all(&outside);
			lost += errno != OURS;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		over = now.tv_sec > end.tv_sec ||
		       (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec);
		/* a machine that is busy has the handler run late, and seldom amid a call */
		if ((!busy || ran <= often) && now.tv_sec < end.tv_sec + PATIENCE)
			over = 0;
	} while (!over);
	timer_delete(timer);
	ending = 1;
	for (unsigned i = 0; i < STORMS; i++)
		pthread_join(threads[i], NULL);
	pm_sampler_close(sampler);
	pm_process_close(process);
	printf("ran %lu\nbusy %lu\nforks %lu\nwrong %lu\nlost %lu\n", ran, busy, forks, wrong,
	       lost);
	return 0;
}
