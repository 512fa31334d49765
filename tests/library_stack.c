/*
 * How much stack the functions take that are async-signal-safe: each is called in a handler on an
 * alternate stack, which was painted before. Prints a line for each, with its bytes below the
 * handler's own frame, and what the kernel put there for the signal. Ends by a fault where one takes
 * more than there is.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pagemap.h>

enum { STACK = 64 << 10, PAGES = 4096, PAINT = 0xa5 };

static unsigned char *stack; /* STACK bytes, below which nothing may be written */
static unsigned char *frame; /* of the handler */
static struct pm_process *own, *ended;
static struct pm_sampler *sampler;
static struct pm_frames *frames;
static uint64_t area, page;
static uint64_t entries[PAGES], stored[64], scratch[PM_SCRATCH + 4 * PAGES];
static struct pm_span runs[64], spans[64];
static struct pm_region regions[64];
static const char *name;
static void (*call)(void);
static int failed;

static void check(int right)
{
	failed |= !right;
}

static void reads(void)
{
	check(pm_process_entries(own, area, PAGES, entries) == PAGES);
}

static void reads_spans(void)
{
	check(pm_process_entries_of(own, spans, 64, entries, PAGES, stored) == 64);
}

static void translates(void)
{
	check(pm_process_translate(own, area, stored) != -EINVAL);
}

static void finds_populated(void)
{
	uint64_t next = area, count;

	check(pm_process_populated(own, &next, area + PAGES * page, entries, PAGES, runs, 64,
				   &count) > 0);
}

static void finds_regions(void)
{
	const struct pm_region_query query = { .size = sizeof(query), .all_of = PM_IS_PRESENT };
	uint64_t next;

	check(pm_process_regions(own, &query, area, area + PAGES * page, regions, 64, &next) != 0);
}

static void tallies(void)
{
	struct pm_amounts out = { .size = sizeof(out) };

	check(!pm_process_tally(own, area, area + PAGES * page, 0x1ff, NULL, scratch, &out));
}

static void samples(void)
{
	struct pm_amounts out = { .size = sizeof(out) };

	check(!pm_sampler_sample(sampler, NULL, 0, &out));
}

static void counts(void)
{
	check(pm_sampler_rss(sampler) > 0);
}

static void reads_words(void)
{
	for (uint64_t i = 0; i < PAGES; i++) /* far apart, in no order */
		entries[i] = i * 40503 % (1 << 20);
	check(pm_frames_words(frames, PM_FRAMES_FLAGS, entries, PAGES, scratch,
			      sizeof(scratch) / sizeof(*scratch), entries) > 0);
}

/* What a process is asked that has ended costs the most: it looks for a thread that lives. */
static void checks(void)
{
	check(!pm_process_check(own));
	check(pm_process_check(ended) == -ESRCH);
	check(pm_process_entries(ended, area, 1, entries) == -ESRCH);
}

static void says(void)
{
	check(pm_strerror(-ESRCH) && pm_version() && pm_process_pid(own) == getpid() &&
	      pm_process_fileno(own) >= 0);
}

static void handler(int number)
{
	(void)number;
	frame = __builtin_frame_address(0);
	call();
}

static void measure(const char *named, void (*what)(void))
{
	unsigned char *at = stack;

	memset(stack, PAINT, STACK);
	name = named;
	call = what;
	raise(SIGUSR1);
	while (*at == PAINT)
		at++;
	printf("%s %td %td\n", name, frame - at, stack + STACK - frame);
}

static void open_all(void)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	if (child < 0 || pm_process_open(getpid(), NULL, &own) ||
	    pm_process_open(child, NULL, &ended) || pm_sampler_open(own, 0x1ff, &sampler))
		exit(2);
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT); /* it stays a zombie */
	if (pm_frames_open(NULL, PM_FRAMES_FLAGS, &frames))
		frames = NULL; /* it takes root */
}

static void make_memory(void)
{
	char *memory;

	page = (uint64_t)sysconf(_SC_PAGESIZE);
	memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	stack = mmap(NULL, (size_t)(STACK + page), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || stack == MAP_FAILED || mprotect(stack, page, PROT_NONE))
		exit(2);
	stack += page;
	madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
	area = (uint64_t)(uintptr_t)memory;
	for (uint64_t i = 0; i < PAGES; i += 100) { /* written, or read: the page of zeros */
		if (i % 200)
			memory[i * page] = 1;
		else
			failed |= ((volatile char *)memory)[i * page];
	}
	for (unsigned i = 0; i < 64; i++)
		spans[i] = (struct pm_span){ area + i * 7 * page, area + (i * 7 + 1) * page };
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	make_memory();
	open_all();
	sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = STACK }, NULL);
	sigaction(SIGUSR1, &action, NULL);
	measure("pm_strerror", says);
	measure("pm_process_check", checks);
	measure("pm_process_entries", reads);
	measure("pm_process_entries_of", reads_spans);
	measure("pm_process_translate", translates);
	measure("pm_process_populated", finds_populated);
	measure("pm_process_regions", finds_regions);
	measure("pm_sampler_rss", counts);
	measure("pm_process_tally", tallies);
	measure("pm_sampler_sample", samples);
	if (frames)
		measure("pm_frames_words", reads_words);
	pm_frames_close(frames);
	pm_sampler_close(sampler);
	pm_process_close(ended);
	pm_process_close(own);
	return failed;
}
