/*
 * Rarer memory, for the matrix of tests/live/test_matrix.py: what several processes
 * share in odd ways, what is there without being resident, and what is resident without
 * looking so. As in target_kinds.c.
 */
#define _GNU_SOURCE
#include "targets.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Newer than some installed headers. */
enum { DROPPABLE = 0x08, PAGEOUT = 21 };

static void advise(void *start, size_t size, int advice, const char *what)
{
	if (madvise(start, size, advice))
		cannot(what);
}

/* What a child does with the parent's memory before it waits for its end. */
struct deed {
	void (*run)(char *start, size_t size, size_t step);
	char *start;
	size_t size, step;
};

/* Fork a child that does that, and wait until it is done. */
static void with_child(const struct deed *deed)
{
	const pid_t parent = getpid();
	int done[2];
	char byte = 0;
	pid_t child;

	if (pipe(done))
		cannot("make a pipe");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		if (deed->run)
			deed->run(deed->start, deed->size, deed->step);
		if (write(done[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (child < 0 || read(done[0], &byte, 1) != 1)
		cannot("have a child do its part");
	close(done[0]);
	close(done[1]);
	printf("child %d\n", (int)child);
}

static void read_steps(char *start, size_t size, size_t step)
{
	for (size_t at = 0; at < size; at += step)
		(void)*(volatile char *)(start + at);
}

static void keep_first(char *start, size_t size, size_t step)
{
	for (size_t at = 0; at < size; at += step)
		madvise(start + at + page, step - page, MADV_DONTNEED);
}

static char *map_thp(size_t size, size_t huge)
{
	char *start =
		map_bytes(size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	start += huge - (uintptr_t)start % huge;
	advise(start, size, MADV_HUGEPAGE, "ask for huge pages");
	return start;
}

/* Huge pages of which a child writes the first page each, or keeps only that. */
static void make_forked_thp(char **arguments)
{
	size_t size = number(arguments, 0), huge = number(arguments, 1);
	char *start = map_thp(size, huge);
	int keeps = !strcmp(arguments[2], "keeps");

	write_pages(start, size, page);
	with_child(&(struct deed){ keeps ? keep_first : write_pages, start, size, huge });
	tell("thp", start, size);
}

/* Small pages, of which a child writes the first half. */
static void make_forked(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	with_child(&(struct deed){ write_pages, start, size / 2, page });
	tell("written", start, size / 2);
	tell("kept", start + size / 2, size / 2);
}

static void make_zero_huge(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_thp(size, number(arguments, 1));

	read_steps(start, size, page);
	tell("zero", start, size);
}

static char *map_hugetlb(size_t size, int flags)
{
	return map_bytes(size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_HUGETLB, -1);
}

static void make_hugetlb_shared(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_hugetlb(size, MAP_SHARED);

	write_pages(start, size, page);
	with_child(&(struct deed){ read_steps, start, size, page });
	tell("hugetlb", start, size);
}

/* Only the first `written` bytes are touched. */
static void make_hugetlb_untouched(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_hugetlb(size, MAP_PRIVATE | MAP_NORESERVE);

	write_pages(start, number(arguments, 1), page);
	tell("hugetlb", start, size);
}

/* The second half of a memfd is pushed out. */
static void make_swapped_shmem(char **arguments)
{
	size_t size = number(arguments, 0);
	int fd = memfd_create("pushed out", MFD_CLOEXEC);
	char *start;

	if (fd < 0 || ftruncate(fd, (off_t)size))
		cannot("make a memfd");
	start = map_bytes(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	write_pages(start, size, page);
	advise(start + size / 2, size / 2, PAGEOUT, "push pages out");
	tell("memfd", start, size);
}

/* Pushed out, and read again: of a disk in memory, past the swap cache. */
static void make_swapped_back(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	advise(start, size, PAGEOUT, "push pages out");
	read_steps(start, size, page);
	tell("back", start, size);
}

/* Pushed out, then forked, then read again: the slot is still the child's. */
static void make_swap_cache(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	advise(start, size, PAGEOUT, "push pages out");
	with_child(&(struct deed){ .start = NULL });
	read_steps(start, size, page);
	tell("cached", start, size);
}

static void fill_mergeable(char *start, size_t size, size_t step)
{
	(void)step;
	fill_alike(start, size);
	madvise(start, size, MADV_MERGEABLE);
}

/* Equal pages in two processes, neither of which has them from the other. */
static void make_ksm_two(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	own_word(); /* before there is a child */
	with_child(&(struct deed){ fill_mergeable, start, size, page });
	fill_alike(start, size);
	advise(start, size, MADV_MERGEABLE, "mark memory mergeable");
	tell("ksm", start, size);
}

static void make_sysv(char **arguments)
{
	size_t size = number(arguments, 0);
	int segment = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
	char *start = segment < 0 ? (char *)-1 : shmat(segment, NULL, 0);

	if (segment >= 0)
		shmctl(segment, IPC_RMID, NULL); /* it lives as long as it is attached */
	if (start == (char *)-1)
		cannot("make a SysV segment");
	write_pages(start, size / 2, page);
	tell("sysv", start, size);
}

/* The buffer of a perf event: frames without a place in the process's accounts. */
static void make_perf_ring(char **arguments)
{
	size_t size = number(arguments, 0);
	struct perf_event_attr about = { .type = PERF_TYPE_SOFTWARE,
					 .size = sizeof(about),
					 .config = PERF_COUNT_SW_DUMMY,
					 .disabled = 1,
					 .exclude_kernel = 1 };
	int fd = (int)syscall(SYS_perf_event_open, &about, 0, -1, -1, 0);
	char *start;

	if (fd < 0)
		cannot("open a perf event");
	start = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (start == MAP_FAILED)
		cannot("map a perf event");
	read_steps(start, size + page, page);
	tell("ring", start, size + page);
}

/* The kernel's clock pages were read. */
static void make_vvar(char **arguments)
{
	struct timespec now;

	(void)arguments;
	clock_gettime(CLOCK_MONOTONIC, &now);
	tell("small", map_small(page), page);
}

static void make_unreadable(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	if (mprotect(start, size, PROT_NONE))
		cannot("forbid all access");
	tell("unreadable", start, size);
}

static void make_locked(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	if (mlock(start, size))
		cannot("lock memory");
	tell("locked", start, size);
}

/* Freed when the kernel wishes; of `written` bytes it may no more, for they are used again. */
static void make_lazyfree(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	advise(start, size, MADV_FREE, "free memory lazily");
	write_pages(start, number(arguments, 1), page);
	tell("lazyfree", start, size);
}

static void make_droppable(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, DROPPABLE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		cannot("map droppable memory (Linux 6.11)");
	advise(start, size, MADV_NOHUGEPAGE, "have small pages");
	write_pages(start, size, page);
	tell("droppable", start, size);
}

static int wait_for_end(void *parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == *(pid_t *)parent)
		pause();
	return 0;
}

/* Two processes with one address space. */
static void make_clone_vm(char **arguments)
{
	static pid_t self;
	size_t size = number(arguments, 0), room = 64 * page;
	char *start = map_small(size), *stack = map_small(room);
	pid_t child;

	self = getpid();
	write_pages(start, size, page);
	child = clone(wait_for_end, stack + room, CLONE_VM | SIGCHLD, &self);
	if (child < 0)
		cannot("clone");
	printf("child %d\n", (int)child);
	tell("both", start, size);
}

static char *sink;

__attribute__((noinline)) static void use_stack(size_t size)
{
	char *room = __builtin_alloca(size);

	write_pages(room, size, page);
	sink = room;
	tell("stack", (char *)((uintptr_t)room / page * page), size);
}

static void make_heap_and_stack(char **arguments)
{
	size_t size = number(arguments, 0);
	char *heap = sbrk((intptr_t)size);

	if (heap == (char *)-1)
		cannot("move the break");
	write_pages(heap, size, page);
	tell("heap", (char *)((uintptr_t)heap / page * page), size);
	use_stack(size);
}

const struct target_kind zoo_kinds[] = {
	{ "forked_thp", 3, make_forked_thp },
	{ "forked", 1, make_forked },
	{ "zero_huge", 2, make_zero_huge },
	{ "hugetlb_shared", 1, make_hugetlb_shared },
	{ "hugetlb_untouched", 2, make_hugetlb_untouched },
	{ "hugetlb_protected", 2, make_hugetlb_protected },
	{ "markers", 1, make_markers },
	{ "swapped_shmem", 1, make_swapped_shmem },
	{ "swap_cache", 1, make_swap_cache },
	{ "swapped_back", 1, make_swapped_back },
	{ "ksm_two", 1, make_ksm_two },
	{ "sysv", 1, make_sysv },
	{ "perf_ring", 1, make_perf_ring },
	{ "vvar", 0, make_vvar },
	{ "unreadable", 1, make_unreadable },
	{ "locked", 1, make_locked },
	{ "lazyfree", 2, make_lazyfree },
	{ "droppable", 1, make_droppable },
	{ "clone_vm", 1, make_clone_vm },
	{ "heap_and_stack", 1, make_heap_and_stack },
};

const size_t zoo_kinds_count = sizeof(zoo_kinds) / sizeof(zoo_kinds[0]);
