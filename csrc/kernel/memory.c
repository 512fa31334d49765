/*
 * How malloc treats what was freed, in a process that is the command's alone.
 *
 * Blocks of some hundred KiB come and go all the time. By default malloc gives such
 * back to the kernel; in a process of several threads each time costs an interrupt
 * of the other processors, and a page fault for each 4 KiB when it is taken again.
 */
#include <stdlib.h>

#include "kernel/core.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
	MOST_KEPT = 1 << 28, /* bytes on top of the heap that are not given back */
	LARGE = 1 << 25,     /* bytes from which on a block is mapped alone; the most there is */
	AT_A_TIME = 1 << 22, /* bytes that the heap grows by */
};

void pm_keep_memory(void)
{
#ifdef __GLIBC__
	/* A malloc that does not know one of these does without. There are no threads yet;
	 * later one arena is best, for they free what others allocated. */
	/* NOLINTBEGIN(concurrency-mt-unsafe) */
	mallopt(M_TRIM_THRESHOLD, MOST_KEPT);
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TOP_PAD, AT_A_TIME);
	mallopt(M_ARENA_MAX, 1);
	/* NOLINTEND(concurrency-mt-unsafe) */
#endif
}
