/*
 * How to count what is asked for; Python's tally_plan.py says the same of single mappings.
 */
#include <stdint.h>

#include "kernel/uapi.h"
#include "analyses/sample.cdef.h"

enum amounts {
	RSS = 1 << PM_SAMPLE_RSS,
	SWAP = 1 << PM_SAMPLE_SWAP,
	PARTS = 1 << PM_SAMPLE_ANON | 1 << PM_SAMPLE_FILE_OR_SHARED,
	HUGE = 1 << PM_SAMPLE_HUGE,
	USS = 1 << PM_SAMPLE_USS,
	PRESENT = 1 << PM_SAMPLE_PRESENT,
	ZERO = 1 << PM_SAMPLE_ZERO,
	HUGETLB = 1 << PM_SAMPLE_HUGETLB,
	/* what needs to know which pages are those of zeros */
	WITHOUT_ZEROS = RSS | ZERO | HUGE | PARTS,
	OF_ENTRIES = USS | PARTS,
};

static void by_entries(struct pm_tally_job *tally, uint32_t asked)
{
	tally->ways = PM_BY_ENTRIES;
	if (!tally->source.use_scan) {
		tally->ways |= tally->flags >= 0 ? PM_ZEROS : 0u;
		return;
	}
	tally->any_of = asked & WITHOUT_ZEROS ? PM_UAPI_IS_PFNZERO : 0;
	tally->any_of |= asked & HUGE ? PM_UAPI_IS_HUGE : 0;
	if (!tally->any_of)
		return;
	tally->ways |= PM_BY_SCAN;
	tally->returned = tally->any_of | PM_UAPI_IS_PRESENT;
	/* small and huge pages of zeros are marked differently */
	tally->returned |= asked & WITHOUT_ZEROS ? PM_UAPI_IS_HUGE : 0;
}

static void by_scan(struct pm_sample_job *job, uint32_t asked)
{
	struct pm_tally_job *tally = &job->tally;

	if (asked & WITHOUT_ZEROS)
		tally->any_of |= PM_UAPI_IS_PFNZERO;
	if (asked & (RSS | PRESENT | HUGETLB))
		tally->any_of |= PM_UAPI_IS_PRESENT; /* as all others but holes of hugetlb are */
	else if (asked & HUGE)
		tally->any_of |= PM_UAPI_IS_HUGE;
	tally->returned = PM_UAPI_IS_PRESENT | tally->any_of;
	tally->returned |= asked & HUGE ? PM_UAPI_IS_HUGE : 0;
	if (asked & SWAP) {
		tally->any_of |= PM_UAPI_IS_SWAPPED;
		tally->returned |= PM_UAPI_IS_SWAPPED;
		tally->returned |= job->guards ? PM_UAPI_IS_GUARD : 0;
		tally->ways |= PM_ABSENT;
	}
	tally->ways |= tally->any_of ? PM_BY_SCAN : 0u;
}

void pm_sample_plan(struct pm_sample_job *job, uint32_t wanted)
{
	struct pm_tally_job *tally = &job->tally;

	wanted &= (1u << PM_SAMPLE_AMOUNTS) - 1;
	if (!tally->source.use_scan)
		wanted &= ~(uint32_t)(tally->flags >= 0 ? HUGE : HUGE | ZERO);
	job->by_sums = tally->source.use_scan || tally->flags >= 0 ? 0 : wanted & (RSS | PARTS);
	if (job->rollup < 0) {
		wanted &= ~job->by_sums;
		job->by_sums = 0;
	}
	job->wanted = wanted;
	wanted &= ~job->by_sums;
	tally->ways = 0;
	tally->any_of = tally->returned = 0;
	if (wanted & OF_ENTRIES || !tally->source.use_scan)
		by_entries(tally, wanted);
	else
		by_scan(job, wanted);
}
