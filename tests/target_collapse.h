/*
 * Small pages that become a huge one, and the other way round, for target_changes.c.
 */
#ifndef TARGET_COLLAPSE_H
#define TARGET_COLLAPSE_H

static void small_of_huge(void)
{
	size = HUGE;
	at = map(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	at += HUGE - (uintptr_t)at % HUGE;
	advise(MADV_NOHUGEPAGE, "ask for small pages");
	write_all(at, size);
	advise(MADV_HUGEPAGE, "ask for huge pages");
}

static void collapse(void)
{
	advise(COLLAPSE, "collapse pages");
}

static void huge(void)
{
	small_of_huge();
	collapse();
}

/* The last page is dropped, and so the rest are mapped one by one. */
static void split(void)
{
	if (madvise(at + size - page, page, MADV_DONTNEED))
		cannot("drop a page");
	size -= page;
}

static void forked_huge(void)
{
	huge();
	fork_child();
}

#endif
