/*
 * The memory of each kind of target: map it, touch it, tell where it lies. What
 * the kernel must treat in a way of its own is in target_treats.c.
 *
 * Each make_* prints `area NAME START END` for each of its areas, or ends the
 * process with `cannot REASON` where the kernel or the user's rights forbid it.
 */
#define _GNU_SOURCE
#include "targets.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t page;
char *first_area;
size_t first_size;

void cannot(const char *what)
{
	printf("cannot %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(77);
}

size_t number(char **arguments, int index)
{
	return strtoull(arguments[index], NULL, 0);
}

void tell(const char *name, char *start, size_t size)
{
	if (!first_area) {
		first_area = start;
		first_size = size;
	}
	printf("area %s %" PRIxPTR " %" PRIxPTR "\n", name, (uintptr_t)start,
	       (uintptr_t)start + size);
}

char *map_bytes(size_t size, int protection, int flags, int fd)
{
	char *start = mmap(NULL, size, protection, flags, fd, 0);

	if (start == MAP_FAILED)
		cannot("map memory");
	return start;
}

/* Private anonymous memory in pages of the base size. */
char *map_small(size_t size)
{
	char *start = map_bytes(size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	/* EINVAL: a kernel without THP, which gives base pages anyway. */
	madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

/* Different bytes in every page, lest KSM or zram see them as equal. */
void write_pages(char *start, size_t size, size_t step)
{
	for (size_t at = 0; at < size; at += step)
		memcpy(start + at, &at, sizeof(at)), start[at + sizeof(at)] = 1;
}

static void read_pages(const char *start, size_t size)
{
	for (size_t at = 0; at < size; at += page)
		(void)*(const volatile char *)(start + at);
}

static void make_idle(char **arguments)
{
	(void)arguments;
	tell("idle", map_small(page), page);
}

static void make_dense(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	tell("dense", start, size);
}

static void make_sparse(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, number(arguments, 1));
	tell("sparse", start, size);
}

static char *map_file(const char *path, size_t size, int flags)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		cannot("open the file");
	return map_bytes(size, PROT_READ | PROT_WRITE, flags, fd);
}

/* One file three ways, each named for what its pages then are. */
static void make_file(char **arguments)
{
	size_t size = number(arguments, 1);
	char *clean = map_file(arguments[0], size, MAP_PRIVATE);
	char *written = map_file(arguments[0], size, MAP_PRIVATE);
	char *shared = map_file(arguments[0], size, MAP_SHARED);

	read_pages(clean, size);
	write_pages(written, size, page);
	write_pages(shared, size, page);
	tell("clean", clean, size);
	tell("written", written, size);
	tell("shared", shared, size);
}

static void make_deleted(char **arguments)
{
	size_t size = number(arguments, 1);
	char *start = map_file(arguments[0], size, MAP_PRIVATE);

	unlink(arguments[0]);
	read_pages(start, size);
	tell("deleted", start, size);
}

static void make_shared(char **arguments)
{
	size_t size = number(arguments, 0);
	int fd = memfd_create("shared with a space", MFD_CLOEXEC);
	char *anonymous = map_bytes(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	char *memory;

	if (fd < 0 || ftruncate(fd, (off_t)size))
		cannot("make a memfd");
	memory = map_bytes(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	write_pages(anonymous, size / 2, page);
	write_pages(memory, size, page);
	tell("anonymous", anonymous, size);
	tell("memfd", memory, size);
}

/* Neighbours of different protection cannot merge: one mapping for each page. */
static void make_many(char **arguments)
{
	size_t count = number(arguments, 0);
	char *start = map_small(count * page);

	write_pages(start, count * page, page);
	for (size_t at = 0; at < count; at += 2)
		if (mprotect(start + at * page, page, PROT_READ))
			cannot("make that many mappings (raise vm.max_map_count)");
	tell("many", start, count * page);
}

static void make_zero(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	read_pages(start, size);
	tell("zero", start, size);
}

static void make_untouchable(char **arguments)
{
	size_t size = number(arguments, 0);

	tell("untouchable",
	     map_bytes(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1), size);
}

const struct target_kind target_kinds[] = {
	{ "idle", 0, make_idle },	{ "dense", 1, make_dense },
	{ "sparse", 2, make_sparse },	{ "file", 2, make_file },
	{ "deleted", 2, make_deleted }, { "shared", 1, make_shared },
	{ "thp", 2, make_thp },		{ "hugetlb", 1, make_hugetlb },
	{ "swapped", 1, make_swapped }, { "guard", 1, make_guard },
	{ "ksm", 1, make_ksm },		{ "many", 1, make_many },
	{ "zero", 1, make_zero },	{ "untouchable", 1, make_untouchable },
	{ "uffd_wp", 1, make_uffd_wp }, { "folios", 2, make_folios },
};

const size_t target_kinds_count = sizeof(target_kinds) / sizeof(target_kinds[0]);
