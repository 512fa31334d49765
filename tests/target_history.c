/*
 * A process that does to its memory what it is told, for random histories.
 *
 * Usage: target_history FILE
 *
 * Maps 64 pages, prints `area arena START END` and `ready`. Each line of its input,
 * `LETTER FIRST LAST`, is a deed done to the pages from FIRST up to LAST, which it answers
 * with `ready`; deeds that the kernel refuses are left undone. FILE has 64 pages. It ends
 * when its input ends, or its parent dies.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 64, GUARD_INSTALL = 102, GUARD_REMOVE = 103 };

static size_t page;
static char *arena;
static int file;
static pid_t child;

/* Memory that may be touched: what is guarded, unmapped or forbidden would end us. */
static int may(const char *at, int writes)
{
	int pipes[2], fine;

	if (pipe(pipes))
		return 0;
	/* the kernel looks for us: EFAULT and not a signal */
	fine = writes ? write(pipes[1], "x", 1) == 1 && read(pipes[0], (char *)at, 1) == 1
		      : write(pipes[1], at, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return fine;
}

static void fork_child(void)
{
	const pid_t parent = getpid();

	if (child)
		return;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		for (;;)
			pause();
	}
}

static void end_child(void)
{
	if (!child)
		return;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	child = 0;
}

static void map(char *at, size_t size, int protection, int flags)
{
	const off_t offset = flags & MAP_ANONYMOUS ? 0 : at - arena;

	if (mmap(at, size, protection, flags | MAP_FIXED, flags & MAP_ANONYMOUS ? -1 : file,
		 offset) != MAP_FAILED)
		madvise(at, size, MADV_NOHUGEPAGE);
}

static void obey(char deed, size_t first, size_t last)
{
	char *at = arena + first * page;
	const size_t size = (last - first) * page;

	switch (deed) {
	case 'w':
	case 'r':
		for (size_t i = 0; i < size; i += page)
			may(at + i, deed == 'w');
		break;
	case 'd':
		madvise(at, size, MADV_DONTNEED);
		break;
	case 'u':
		munmap(at, size);
		break;
	case 'm':
		map(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
		break;
	case 'p':
		map(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		break;
	case 's':
		map(at, size, PROT_READ | PROT_WRITE, MAP_SHARED);
		break;
	case 'l':
		mprotect(at, size, PROT_READ);
		break;
	case 'o':
		mprotect(at, size, PROT_READ | PROT_WRITE);
		break;
	case 'g':
		madvise(at, size, GUARD_INSTALL);
		break;
	case 'n':
		madvise(at, size, GUARD_REMOVE);
		break;
	case 'f':
		fork_child();
		break;
	case 'e':
		end_child();
		break;
	}
}

int main(int argc, char **argv)
{
	size_t first, last;
	char deed;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = (size_t)sysconf(_SC_PAGESIZE);
	file = argc == 2 ? open(argv[1], O_RDWR) : -1;
	arena = mmap(NULL, (PAGES + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (file < 0 || arena == MAP_FAILED)
		return 2;
	arena += page;
	map(arena, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	setvbuf(stdin, NULL, _IONBF, 0);
	printf("area arena %" PRIxPTR " %" PRIxPTR "\nready\n", (uintptr_t)arena,
	       (uintptr_t)arena + PAGES * page);
	fflush(stdout);
	while (scanf(" %c %zu %zu", &deed, &first, &last) == 3) {
		if (first < last && last <= PAGES)
			obey(deed, first, last);
		puts("ready");
		fflush(stdout);
	}
	return 0;
}
