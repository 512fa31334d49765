/*
 * Memory in transparent huge pages of one size, mapped in every way there is. As in
 * target_kinds.c.
 */
#define _GNU_SOURCE
#include "targets.h"

#include <stdint.h>
#include <sys/mman.h>

/* `size` bytes at a multiple of `huge`, written in huge pages where the kernel has some left. */
static char *map_huge(size_t size, size_t huge, int flags)
{
	char *start = map_bytes(size + huge, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);

	start += huge - (uintptr_t)start % huge;
	if (madvise(start, size, MADV_HUGEPAGE))
		cannot("ask for huge pages");
	write_pages(start, size, page);
	/* nobody shall join them to larger ones */
	madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

/* The same, one page off. */
static char *map_moved(size_t size, size_t huge)
{
	char *start = map_huge(size, huge, MAP_PRIVATE);
	char *room = map_bytes(size + 2 * huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	room += huge - (uintptr_t)room % huge + page;
	if (mremap(start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room) == MAP_FAILED)
		cannot("move memory");
	return room;
}

/* Each huge page lacks one of its pages: another one in each. */
static void tear(char *start, size_t size, size_t huge)
{
	for (size_t at = 0; at < size; at += huge)
		madvise(start + at + at / huge * page % huge, page, MADV_DONTNEED);
}

/* `size` bytes of each sort, in huge pages of `huge` bytes. */
void make_folios(char **arguments)
{
	size_t size = number(arguments, 0), huge = number(arguments, 1);
	char *whole = map_huge(size, huge, MAP_PRIVATE), *moved = map_moved(size, huge);
	char *torn = map_huge(size, huge, MAP_PRIVATE), *split = map_huge(size, huge, MAP_PRIVATE);
	char *shared = map_huge(size, huge, MAP_SHARED);
	char *zero =
		map_bytes(size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	tear(torn, size, huge);
	/* a mapping that is two for a moment is mapped by small entries from then on */
	for (size_t at = 0; at < size; at += huge) {
		mprotect(split + at, page, PROT_READ);
		mprotect(split + at, page, PROT_READ | PROT_WRITE);
	}
	madvise(zero, size + huge, MADV_HUGEPAGE);
	for (size_t at = 0; at < size + huge; at += page)
		(void)*(volatile char *)(zero + at);
	tell("whole", whole, size);
	tell("moved", moved, size);
	tell("torn", torn, size);
	tell("split", split, size);
	tell("shared", shared, size);
	tell("zero", zero, size + huge);
}
