/*
 * Memory that the kernel treats in a way of its own: huge, swapped out, merged,
 * guarded, write-protected. As in target_kinds.c.
 */
#define _GNU_SOURCE
#include "targets.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Newer than some installed headers. */
enum { GUARD_INSTALL = 102, PAGEOUT = 21 };
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

static void advise(void *start, size_t size, int advice, const char *what)
{
	if (madvise(start, size, advice))
		cannot(what);
}

/* Aligned to `huge` bytes, the size of a huge page. */
void make_thp(char **arguments)
{
	size_t size = number(arguments, 0), huge = number(arguments, 1);
	char *start =
		map_bytes(size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	start += huge - (uintptr_t)start % huge;
	advise(start, size, MADV_HUGEPAGE, "ask for huge pages");
	write_pages(start, size, page);
	tell("thp", start, size);
}

void make_hugetlb(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_bytes(size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);

	write_pages(start, size, page);
	tell("hugetlb", start, size);
}

/* The first half is pushed out to swap, the second stays. */
void make_swapped(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	advise(start, size / 2, PAGEOUT, "push pages out");
	tell("swapped", start, size / 2);
	tell("resident", start + size / 2, size / 2);
}

/* Every second page is a guard region. */
void make_guard(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	for (size_t at = page; at < size; at += 2 * page)
		advise(start + at, page, GUARD_INSTALL, "install guard regions (Linux 6.13)");
	tell("guard", start, size);
}

uint64_t own_word(void)
{
	static uint64_t word;
	struct timespec now;

	if (!word) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		word = (uint64_t)getpid() << 40 ^ (uint64_t)now.tv_sec << 30 ^
		       (uint64_t)now.tv_nsec;
	}
	return word;
}

void fill_alike(char *start, size_t size)
{
	uint64_t *words = (uint64_t *)start;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = own_word();
}

void make_ksm(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	fill_alike(start, size);
	advise(start, size, MADV_MERGEABLE, "mark memory mergeable");
	tell("ksm", start, size);
}

/* Write-protect `size` bytes from `start` on through userfaultfd, which registers `whole` bytes. */
static void protect(char *start, size_t size, size_t whole, uint64_t features)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | features };
	struct uffdio_register all = { .range = { (uintptr_t)start, whole },
				       .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect part = { .range = { (uintptr_t)start, size },
					    .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &all) ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &part))
		cannot(features & UFFD_FEATURE_WP_UNPOPULATED
			       ? "write-protect untouched memory through userfaultfd (Linux 6.4)"
			       : "write-protect through userfaultfd");
}

/* The first half is write-protected through userfaultfd. */
void make_uffd_wp(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, size, page);
	protect(start, size / 2, size, 0);
	tell("protected", start, size / 2);
	tell("open", start + size / 2, size / 2);
}

/* Markers over what nobody touched, as Wine makes them; the first page was written. */
void make_markers(char **arguments)
{
	size_t size = number(arguments, 0);
	char *start = map_small(size);

	write_pages(start, page, page);
	protect(start, size, size, UFFD_FEATURE_WP_UNPOPULATED);
	tell("markers", start, size);
}

/*
 * Three huge pages of `huge` bytes and more: one written and protected, one protected and
 * untouched, the others written. The one untouched needs none of the pool.
 */
void make_hugetlb_protected(char **arguments)
{
	size_t size = number(arguments, 0), huge = number(arguments, 1);
	char *start = map_bytes(size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1);

	write_pages(start, huge, page);
	write_pages(start + 2 * huge, size - 2 * huge, page);
	protect(start, 2 * huge, size, UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	tell("hugetlb", start, size);
}
