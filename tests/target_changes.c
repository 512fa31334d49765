/*
 * Processes whose memory changes in one known way, for tests of diffs.
 *
 * Usage: target_changes NAME FILE
 *
 * Maps memory, prints `area before START END` and `ready`; at each byte on standard input it
 * does its one change, prints `area after START END` and `ready`. FILE has 64 pages, and may be
 * changed. It ends when its input ends, or its parent dies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Newer than some installed headers. */
enum { PAGEOUT = 21, COLLAPSE = 25, GUARD_INSTALL = 102, GUARD_REMOVE = 103 };
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif

enum { PAGES = 64, HUGE = 2 << 20 };

static size_t page, size;
static char *at;
static int file;
static pid_t child;

static void cannot(const char *what)
{
	printf("cannot %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(77);
}

static char *map(void *where, size_t length, int protection, int flags, int fd)
{
	char *start = mmap(where, length, protection, flags, fd, 0);

	if (start == MAP_FAILED)
		cannot("map memory");
	return start;
}

/* Small pages, with an unmapped one on either side, lest neighbours merge. */
static char *reserve(size_t length)
{
	char *start = map(NULL, length + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	munmap(start, length + 2 * page);
	start = map(start + page, length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
	madvise(start, length, MADV_NOHUGEPAGE);
	return start;
}

static void write_all(char *start, size_t length)
{
	for (size_t i = 0; i < length; i += page)
		memcpy(start + i, &i, sizeof(i)), start[i + sizeof(i)] = 1;
}

static void read_all(const char *start, size_t length)
{
	for (size_t i = 0; i < length; i += page)
		(void)*(const volatile char *)(start + i);
}

static void advise(int advice, const char *what)
{
	if (madvise(at, size, advice))
		cannot(what);
}

static void fork_child(void)
{
	const pid_t parent = getpid();

	child = fork();
	if (child < 0)
		cannot("fork");
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
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void untouched(void)
{
	at = reserve(size);
}

static void written(void)
{
	untouched();
	write_all(at, size);
}

static void zeros(void)
{
	untouched();
	read_all(at, size);
}

static void write_now(void)
{
	write_all(at, size);
}

static void read_now(void)
{
	read_all(at, size);
}

static void nothing(void)
{
}

static void drop(void)
{
	advise(MADV_DONTNEED, "drop pages");
}

/* Somebody else takes the frames meanwhile. */
static void drop_and_touch(void)
{
	drop();
	write_all(reserve(4 * size), 4 * size);
	write_all(at, size);
}

/* Whether any page of ours is in memory still. */
static int present(void)
{
	static uint64_t entries[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t got = pread(fd, entries, sizeof(entries),
			    (off_t)((uintptr_t)at / page * sizeof(*entries)));
	int found = 0;

	close(fd);
	for (ssize_t i = 0; i < got / (ssize_t)sizeof(*entries); i++)
		found |= (int)(entries[i] >> 63);
	return found;
}

/* Again and again: a page that the kernel has in hand just then stays. */
static void page_out(void)
{
	for (int i = 0; i < 500; i++) {
		advise(PAGEOUT, "push pages out");
		if (!present())
			return;
		usleep(2000);
	}
	errno = EBUSY;
	cannot("push pages out");
}

static void swapped(void)
{
	written();
	page_out();
}

static void shared_memory(void)
{
	at = map(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	write_all(at, size);
}

static void page_out_and_touch(void)
{
	page_out();
	write_all(reserve(4 * size), 4 * size);
	read_all(at, size);
}

static void private_file(void)
{
	at = map(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file);
	read_all(at, size);
}

static void copied_file(void)
{
	private_file();
	write_all(at, size);
}

static void drop_and_read(void)
{
	drop();
	read_all(at, size);
}

static void shared_file(void)
{
	at = map(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
	read_all(at, size);
}

static void truncate_file(void)
{
	if (ftruncate(file, 0))
		cannot("truncate a file");
}

static void forked(void)
{
	written();
	fork_child();
}

static void guarded(void)
{
	written();
	advise(GUARD_INSTALL, "install guard regions (Linux 6.13)");
}

static void guard(void)
{
	advise(GUARD_INSTALL, "install guard regions (Linux 6.13)");
}

static void unguard(void)
{
	advise(GUARD_REMOVE, "remove guard regions (Linux 6.13)");
}

static void mark(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      UFFD_FEATURE_WP_UNPOPULATED };
	struct uffdio_register all = { .range = { (uintptr_t)at, size },
				       .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect part = { .range = { (uintptr_t)at, size },
					    .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &all) ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &part))
		cannot("write-protect untouched memory through userfaultfd (Linux 6.4)");
}

static void marked(void)
{
	untouched();
	mark();
}

static void merge(void)
{
	memset(at, 17, size);
	advise(MADV_MERGEABLE, "mark memory mergeable");
}

/* Equal pages, one after another: KSM has two to merge at least. */
static void alike(void)
{
	untouched();
	memset(at, 17, size);
}

#include "target_collapse.h"

static void write_first(void)
{
	*at = 3;
	size = page;
}

#include "target_mappings.h"

static const char *path;

static void delete_file(void)
{
	unlink(path);
}

static const struct {
	const char *name;
	void (*make)(void);
	void (*change)(void);
} changes[] = {
	{ "nothing", written, nothing },
	{ "touch", untouched, write_now },
	{ "read", untouched, read_now },
	{ "drop", written, drop },
	{ "drop and touch", written, drop_and_touch },
	{ "page out", written, page_out },
	{ "page in", swapped, read_now },
	{ "drop swapped", swapped, drop },
	{ "page out shared", shared_memory, page_out },
	{ "page out and touch", written, page_out_and_touch },
	{ "write zero", zeros, write_now },
	{ "write file", private_file, write_now },
	{ "drop copy", copied_file, drop_and_read },
	{ "truncate", shared_file, truncate_file },
	{ "fork", written, fork_child },
	{ "fork and write", forked, write_now },
	{ "child ends", forked, end_child },
	{ "guard", written, guard },
	{ "unguard", guarded, unguard },
	{ "mark", untouched, mark },
	{ "write marked", marked, read_now },
	{ "merge", alike, merge },
	{ "collapse", small_of_huge, collapse },
	{ "split", huge, split },
	{ "write forked huge", forked_huge, write_first },
	{ "unmap", written, unmap },
	{ "map", written, add },
	{ "move", written, move },
	{ "move file", shared_file, move },
	{ "move and grow", written, move_and_grow },
	{ "move and reuse", written, move_and_reuse },
	{ "move, grow and reuse", written, move_grow_and_reuse },
	{ "grow", written, grow },
	{ "shrink", written, shrink },
	{ "protect", written, protect },
	{ "protect part", written, protect_part },
	{ "unprotect", in_parts, unprotect },
	{ "map over", written, map_over },
	{ "delete", private_file, delete_file },
};

static void tell(const char *name)
{
	printf("area %s %" PRIxPTR " %" PRIxPTR "\nready\n", name, (uintptr_t)at,
	       (uintptr_t)at + size);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = (size_t)sysconf(_SC_PAGESIZE);
	size = PAGES * page;
	if (argc != 3)
		return 2;
	path = argv[2];
	file = open(path, O_RDWR);
	if (file < 0)
		cannot("open the file");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (strcmp(changes[i].name, argv[1]))
			continue;
		changes[i].make();
		tell("before");
		while (read(0, &command, 1) == 1) {
			changes[i].change();
			tell("after");
		}
		return 0;
	}
	return 2;
}
