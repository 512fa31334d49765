/*
 * Words of scattered frames, read in the order in which the kernel keeps them.
 *
 * A word costs 70-140 ns (one cache miss on struct page) and a call 300 ns more,
 * so wishes are sorted by PFN (kpage_sort.c) and near ones share a call.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage.cdef.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"

enum {
	/* words between two wishes that are read rather than left out by a call */
	BRIDGED = 4,
};

int64_t pm_kpage_gather(int fd, const struct pm_wish *wishes, uint64_t count, uint64_t *scratch,
			uint64_t *out)
{
	uint64_t found = 0;

	for (uint64_t i = 0, next; i < count; i = next) {
		const uint64_t first = wishes[i].pfn;
		uint64_t end = first + 1;
		int64_t got;

		for (next = i + 1; next < count && wishes[next].pfn <= end + BRIDGED &&
				   wishes[next].pfn - first < PM_READ_BLOCK;
		     next++)
			end = wishes[next].pfn + 1;
		got = pm_read(fd, first, end - first, scratch);
		if (got < 0)
			return got;
		for (; i < next; i++) {
			const uint64_t here = wishes[i].pfn - first;

			out[wishes[i].at] = here < (uint64_t)got ? scratch[here] : PM_NO_VALUE;
			found += here < (uint64_t)got;
		}
	}
	return (int64_t)found;
}

void pm_kpage_known(uint64_t *words, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		words[i] = pm_known_flags(words[i]);
}

int64_t pm_kpage_end(int fd)
{
	uint64_t below = 0, above = PM_PFN_END, word;

	/* every frame before the end has a word, holes too, and none after it */
	while (below < above) {
		const uint64_t middle = below + (above - below) / 2;
		const int64_t got = pm_read(fd, middle, 1, &word);

		if (got < 0)
			return got;
		if (got)
			below = middle + 1;
		else
			above = middle;
	}
	return (int64_t)below;
}
