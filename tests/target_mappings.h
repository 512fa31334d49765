/*
 * Changes of mappings, for target_changes.c, which has the memory at `at` and makes it.
 */
#ifndef TARGET_MAPPINGS_H
#define TARGET_MAPPINGS_H

static void unmap(void)
{
	munmap(at, size);
}

static void add(void)
{
	at = reserve(size);
	write_all(at, size);
}

static void move(void)
{
	char *to = reserve(size);

	if (mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		cannot("move memory");
	at = to;
}

static void move_and_grow(void)
{
	char *to = reserve(2 * size);

	if (mremap(at, size, 2 * size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		cannot("move memory");
	at = to;
	size *= 2;
}

/* Other memory comes to where it was, of which half is written. */
static void reuse(char *place, size_t length)
{
	map(place, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
	madvise(place, length, MADV_NOHUGEPAGE);
	write_all(place, length / 2);
}

static void move_and_reuse(void)
{
	char *place = at;

	move();
	reuse(place, size);
}

static void move_grow_and_reuse(void)
{
	char *place = at;

	move_and_grow();
	reuse(place + size / 8, size / 4);
}

static void grow(void)
{
	if (mremap(at, size, size + page, 0) != at)
		cannot("let memory grow");
}

static void shrink(void)
{
	munmap(at + size / 2, size / 2);
	size /= 2;
}

static void protect(void)
{
	if (mprotect(at, size, PROT_READ))
		cannot("forbid writing");
}

static void protect_part(void)
{
	if (mprotect(at + size / 4, size / 2, PROT_READ))
		cannot("forbid writing");
}

static void in_parts(void)
{
	written();
	protect_part();
}

static void unprotect(void)
{
	if (mprotect(at, size, PROT_READ | PROT_WRITE))
		cannot("allow writing");
}

static void map_over(void)
{
	map(at, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file);
	read_all(at, size);
}

#endif
