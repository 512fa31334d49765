/*
 * The pages of a target, and those of the machine, a block of them at a time.
 *
 * A target's frames are scattered, but less so than its pages are many: sorted, 32
 * thousand of them are read in two thousand calls, of 300 ns each.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/decode.cdef.h"
#include "kernel/kpage.cdef.h"
#include "kernel/read.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/types.h"

int64_t pm_types_gather(const struct pm_types_job *job, uint64_t count,
			struct pm_types_block *block)
{
	const struct {
		int fd;
		uint64_t *out;
	} columns[] = { { job->kpageflags, block->flags },
			{ job->kpagecount, block->mapcounts },
			{ job->kpagecgroup, block->cgroups } };
	int64_t wishes;

	pm_pfns(block->entries, count, block->pfns);
	wishes = pm_kpage_sort(block->pfns, count, block->wishes, block->spare, block->flags);
	for (unsigned i = 0; i < 3; i++) {
		int64_t got;

		if (!columns[i].out)
			continue;
		got = pm_kpage_gather(columns[i].fd, block->wishes, (uint64_t)wishes,
				      block->scratch, columns[i].out);
		if (got < 0)
			return got;
	}
	return 0;
}

int64_t pm_types_of_spans(const struct pm_types_job *job, struct pm_place *from,
			  const struct pm_place *to, struct pm_types_block *block)
{
	struct pm_place at = *from;
	uint64_t runs;
	int64_t got = pm_populated(&job->source, &at, to, block->entries, block->capacity,
				   block->runs, block->capacity, &runs);

	if (got >= 0) {
		const int64_t failed = pm_types_gather(job, (uint64_t)got, block);

		got = failed < 0 ? failed : pm_types_settle(job, runs, block);
	}
	if (got >= 0)
		*from = at;
	return got;
}

/* Words of `count` frames in a row; where the file ends before, PM_NO_VALUE. */
static int64_t read_column(int fd, uint64_t pfn, uint64_t count, uint64_t *out)
{
	const int64_t got = out ? pm_read(fd, pfn, count, out) : 0;

	for (uint64_t i = (uint64_t)got; out && got >= 0 && i < count; i++)
		out[i] = PM_NO_VALUE;
	return got;
}

int64_t pm_types_of_memory(const struct pm_types_job *job, uint64_t *pfn, uint64_t end,
			   struct pm_types_block *block)
{
	const uint64_t wanted = end - *pfn < block->capacity ? end - *pfn : block->capacity;
	int64_t got = pm_read(job->kpageflags, *pfn, wanted, block->flags), failed;
	uint64_t count;

	if (got < 0)
		return got;
	count = (uint64_t)got;
	failed = read_column(job->kpagecount, *pfn, count, block->mapcounts);
	if (failed >= 0)
		failed = read_column(job->kpagecgroup, *pfn, count, block->cgroups);
	if (failed < 0)
		return failed;
	for (uint64_t i = 0; i < count; i++) {
		block->entries[i] = PM_BIT(PM_PRESENT_BIT);
		if (job->list)
			block->pfns[i] = *pfn + i;
	}
	block->runs[0] = (struct pm_range){ *pfn, count };
	/* a word is missing only where the machine's memory ends */
	*pfn = count < wanted ? end : *pfn + count;
	return pm_types_settle(job, 1, block);
}
