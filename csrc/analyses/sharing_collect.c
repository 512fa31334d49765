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

enum {
	AT_ONCE = 1 << 16, /* entries that one step reads: 1-3 ms */
};

static_assert(sizeof(struct pm_stretch) == 16, "cffi and C agree on a stretch");

/*
 * The PFN of a page that may be shared, or 0: hidden, exclusive, or not there.
 *
 * Where a PMD maps 512 pages the kernel marks all of them as it would the first (since
 * 6.15, fs/proc/task_mmu.c), which a child may have written after a fork, and so alone.
 * Such pages lie in their place: page number and PFN are alike in their low bits, which
 * in other memory one page in 512 is by chance. The table tells who maps these.
 */
static uint64_t shared_frame(uint64_t entry, uint64_t vpn, uint64_t pmd)
{
	if (!pm_flag(entry, PM_PRESENT_BIT))
		return 0;
	if (pm_flag(entry, PM_EXCLUSIVE_BIT) && (entry ^ vpn) & (pmd - 1))
		return 0;
	return entry & PM_PLACE_MASK;
}

/* Add the frames of one run to `stored` stretches; returns how many there are then. */
static uint64_t add_run(const uint64_t *entries, const struct pm_range *range, uint64_t pmd,
			uint32_t span, struct pm_stretch *out, uint64_t stored)
{
	struct pm_stretch here = { 0, 0, span };

	for (uint64_t i = 0; i < range->count; i++) {
		const uint64_t pfn = shared_frame(entries[i], range->vpn + i, pmd);

		if (!pfn)
			continue;
		if (here.count && pfn == here.pfn + here.count) {
			here.count++;
			continue;
		}
		if (here.count)
			out[stored++] = here;
		here.pfn = pfn;
		here.count = 1;
	}
	if (here.count)
		out[stored++] = here;
	return stored;
}

int64_t pm_sharing_collect(const struct pm_source *source, struct pm_place *from,
			   const struct pm_place *to, uint64_t *scratch, struct pm_stretch *out,
			   uint64_t capacity, uint64_t *seen)
{
	/* a table of the lowest level is a page of entries: so many pages a PMD maps */
	const uint64_t pmd = UINT64_C(1) << (source->page_shift - 3);
	struct pm_block block;
	uint64_t stored = 0, read = 0;

	if (capacity < PM_READ_BLOCK)
		return -EINVAL;
	while (capacity - stored >= PM_READ_BLOCK && read < AT_ONCE && pm_before(from, to)) {
		int64_t got = pm_visit_block(source, from, to, scratch, &block);

		if (got < 0)
			return got;
		read += (uint64_t)got;
		for (uint64_t run = 0; run < block.runs_count; run++) {
			const struct pm_range *range = block.runs + run;

			block.span = pm_span_of(source->spans, range->vpn, block.span);
			stored = add_run(block.entries, range, pmd, (uint32_t)block.span, out,
					 stored);
			block.entries += range->count;
		}
	}
	*seen = read;
	return pm_visited(source, from, to, stored);
}
