/* Between the walk over mappings and what is counted of each stretch of it. */
#ifndef PM_TALLY_H
#define PM_TALLY_H

#include <assert.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/tally.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	PM_REGIONS = 512, /* what the kernel collects at a time */
	PM_WORDS_OF_REGIONS = PM_REGIONS * sizeof(struct pm_region) / sizeof(uint64_t),
};

static_assert(PM_WORDS_OF_REGIONS <= PM_READ_BLOCK / 2,
	      "the scratch holds the regions, and entries");

/* A walk, and where its counts go: those of span i to counts[i - first]. */
struct pm_tally_walk {
	const struct pm_tally_job *job;
	const struct pm_place *to;
	uint64_t *scratch;
	struct pm_counts *counts;
	uint64_t first;
	uint64_t parts; /* PM_UAPI_IS_FILE while a scan says what is anonymous, else 0 */
};

/* Whether entries of a span are read for its parts alone. */
static inline int pm_is_parted(const struct pm_tally_job *job, uint64_t span)
{
	return job->ways & PM_PARTED && job->backing[span] & PM_MIXED;
}

static inline int pm_is_hugetlb(const struct pm_tally_job *job, uint64_t span)
{
	return (job->backing[span] & PM_BACKINGS) == PM_BACKED_BY_HUGETLB;
}

/* Count entries, of pages of `span` from `vpn` on. They may change. Returns 0 or -errno. */
int64_t pm_tally_entries(const struct pm_tally_walk *walk, uint64_t span, uint64_t vpn,
			 uint64_t *entries, uint64_t count);

/* Count pages of `span` that a scan found, from `vpn` on. Returns 0 or -errno. */
int64_t pm_tally_region(const struct pm_tally_walk *walk, uint64_t span, uint64_t vpn,
			uint64_t pages, uint64_t categories);

/* Count entries of pages of a PM_MIXED span, for no more than which of them are anonymous. */
void pm_tally_parts(const struct pm_tally_walk *walk, uint64_t span, const uint64_t *entries,
		    uint64_t count);

/* What follows from the other counts of `span`. They are of two moments, so no sum is taken
 * as given. */
void pm_tally_conclude(const struct pm_tally_job *job, uint64_t span, struct pm_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
