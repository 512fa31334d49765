/*
 * The frames of a process that others may map too.
 *
 * The kernel marks a page that is mapped just once (bit 56, since 4.2), so what most
 * processes have most of is left out here, and costs no more than its reading. Frames
 * in a row, as files and huge pages have them, are one stretch.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "walk/spans.h"
#include "walk/visit.h"
#include "analyses/sharing.cdef.h"

static_assert(sizeof(struct pm_stretch) == 16, "cffi and C agree on a stretch");

/*
 * Whether the kernel's mark of a page that is mapped just once is to be believed.
 *
 * Where a PMD maps 512 pages the kernel marks all of them as it would the first (since
 * 6.15, fs/proc/task_mmu.c), which a child may have written after a fork, and so alone.
 * Such pages lie in their place: page number and PFN are alike in their low bits, which
 * in other memory one page in 512 is by chance. The table tells who maps these.
 */
static int is_exclusive(uint64_t entry, uint64_t vpn, uint64_t pmd)
{
	return pm_flag(entry, PM_EXCLUSIVE_BIT) && (entry ^ vpn) & (pmd - 1);
}

struct collection {
	uint64_t pmd; /* pages that a PMD maps */
	struct pm_stretch *out;
	uint64_t *exclusive; /* pages left out; NULL: none are */
};

/* Add the frames of one run to `stored` stretches; returns how many there are then. */
static uint64_t add_run(void *context, const uint64_t *entries, const struct pm_range *range,
			uint64_t span, uint64_t stored)
{
	const struct collection *to = context;
	struct pm_stretch here = { 0, 0, (uint32_t)span };

	for (uint64_t i = 0; i < range->count; i++) {
		const uint64_t entry = entries[i], pfn = entry & PM_PLACE_MASK;

		if (!pm_flag(entry, PM_PRESENT_BIT) || !pfn) /* or it is hidden */
			continue;
		if (to->exclusive && is_exclusive(entry, range->vpn + i, to->pmd)) {
			++*to->exclusive;
			continue;
		}
		if (here.count && pfn == here.pfn + here.count) {
			here.count++;
			continue;
		}
		if (here.count)
			to->out[stored++] = here;
		here.pfn = pfn;
		here.count = 1;
	}
	if (here.count)
		to->out[stored++] = here;
	return stored;
}

int64_t pm_sharing_collect(const struct pm_source *source, struct pm_place *from,
			   const struct pm_place *to, uint64_t *scratch, struct pm_stretch *out,
			   uint64_t capacity, uint64_t *exclusive, uint64_t *seen)
{
	/* a table of the lowest level is a page of entries: so many pages a PMD maps */
	struct collection to_fill = { UINT64_C(1) << (source->page_shift - 3), out, exclusive };

	return pm_visit(source, from, to, scratch, capacity, seen, add_run, &to_fill);
}
