/*
 * Amounts of a range of addresses: see pagemap.h. analyses/sample.c counts.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "include/pagemap.h"
#include "kernel/entry_kinds.cdef.h"
#include "kernel/sys.h"
#include "kernel/task.h"
#include "library/gone.h"
#include "library/process.h"
#include "library/sized.h"
#include "analyses/sample.cdef.h"

enum {
	FIRST_AMOUNTS = 96, /* sizes of the first release, in bytes */
	FIRST_LIMITS = 24,
	ALL = (1 << PM_SAMPLE_AMOUNTS) - 1,
	/* what needs to know which pages are of hugetlb */
	PARTED = PM_AMOUNT_RSS | PM_AMOUNT_HUGETLB | PM_AMOUNT_USS | PM_AMOUNT_ANON |
		PM_AMOUNT_FILE_OR_SHARED,
};

_Static_assert(PM_SCRATCH - PM_SAMPLE_SCRATCH >= 0, "what samples need");
_Static_assert(PM_AMOUNT_HUGETLB == 1 << PM_SAMPLE_HUGETLB, "bits are the amounts' numbers");

/* Swap types from 22 on may be the kernel's own; there are hardly ever as many swap areas. */
static const uint8_t KINDS[PM_TYPES_OF_SWAP] = {
	[0 ... 21] = PM_ENTRY_SWAP,
	[22 ... 30] = PM_ENTRY_MIGRATING,
	[31] = PM_ENTRY_MARKER,
};

/* How to count in a process up to page `last`, by its own files: 0 or -errno. The caller closes
 * job->status. */
static int32_t make_job(const struct pm_process *process, uint32_t wanted, uint64_t last,
			struct pm_sample_job *job)
{
	static const char MAPS[] = "/maps", TASK[] = "task/";
	char *at = job->maps;

	*job = (struct pm_sample_job){
		.tally = { .source = { .fd = process->pagemap,
				       .page_shift = process->page_shift,
				       .use_scan = (process->can & PM_CAN_SCAN) != 0 },
			   .kinds = KINDS,
			   .mapcounts = -1,
			   .flags = -1,
			   .end = last },
		.folder = process->folder,
		.status = -1,
		.rollup = -1,
	};
	if (process->thread) {
		memcpy(at, TASK, sizeof(TASK));
		at = pm_task_digits(at + strlen(TASK), process->thread);
		memcpy(at, MAPS, sizeof(MAPS));
	} else {
		memcpy(at, MAPS + 1, sizeof(MAPS) - 1);
	}
	/* without it nobody would know of hugetlb */
	if (wanted & PARTED) {
		job->status = pm_task_open(process->folder, process->thread, "status");
		if (job->status < 0)
			return job->status;
	}
	pm_sample_plan(job, wanted);
	return 0;
}

static void tell(const struct pm_sample *sample, uint64_t end, struct pm_amounts *out)
{
	uint64_t *const amounts[PM_SAMPLE_AMOUNTS] = {
		[PM_SAMPLE_RSS] = &out->rss,
		[PM_SAMPLE_SWAP] = &out->swap,
		[PM_SAMPLE_ANON] = &out->anon,
		[PM_SAMPLE_FILE_OR_SHARED] = &out->file_or_shared,
		[PM_SAMPLE_HUGE] = &out->huge,
		[PM_SAMPLE_USS] = &out->uss,
		[PM_SAMPLE_PRESENT] = &out->present,
		[PM_SAMPLE_ZERO] = &out->zero,
		[PM_SAMPLE_HUGETLB] = &out->hugetlb,
	};

	for (unsigned i = 0; i < PM_SAMPLE_AMOUNTS; i++)
		*amounts[i] = sample->known >> i & 1 ? sample->amounts[i] : 0;
	out->known = sample->known;
	out->partial = sample->resume != 0;
	out->resume = sample->resume ? sample->resume : end;
}

static int64_t count(const struct pm_process *process, uint64_t start, uint64_t end,
		     uint32_t wanted, const struct pm_limits *limits, uint64_t *scratch,
		     struct pm_amounts *found)
{
	const int64_t last = pm_end_within(process, end);
	const struct pm_sample_part part = { start, limits->max_pages, limits->max_ns, -1 };
	struct pm_sample sample = { 0 };
	struct pm_sample_job job;
	int64_t error;

	if (last < 0)
		return last;
	error = make_job(process, wanted, (uint64_t)last, &job);
	if (error)
		return error;
	error = pm_sample_take(&job, &part, scratch, &sample);
	if (job.status >= 0)
		pm_sys_close(job.status);
	if (!error)
		tell(&sample, end, found);
	return error;
}

static int64_t tally_process(const struct pm_process *process, uint64_t start, uint64_t end,
			     uint64_t wanted, const struct pm_limits *asked, uint64_t *scratch,
			     struct pm_amounts *found)
{
	struct pm_limits limits = { 0 };
	const int32_t fd = pm_process_pagemap(process);
	int64_t error = 0;

	if (fd < 0)
		return fd;
	if (asked)
		error = pm_sized_in(&limits, sizeof(limits), FIRST_LIMITS, asked);
	if (error)
		return error;
	if (limits.flags || wanted & ~(uint64_t)ALL || !scratch || start > end ||
	    !pm_is_page(process, start) || !pm_is_page(process, end))
		return -EINVAL;
	error = count(process, start, end, (uint32_t)wanted, &limits, scratch, found);
	return error ? pm_or_gone(process, error == -ENOENT ? -ESRCH : error) : 0;
}

int32_t pm_process_tally(const struct pm_process *process, uint64_t start, uint64_t end,
			 uint64_t wanted, const struct pm_limits *limits, uint64_t *scratch,
			 struct pm_amounts *out)
{
	const int before = errno;
	struct pm_amounts found;
	int64_t error = pm_sized_check(FIRST_AMOUNTS, out);

	if (!error)
		error = tally_process(process, start, end, wanted, limits, scratch, &found);
	if (!error)
		pm_sized_out(&found, sizeof(found), out);
	errno = before;
	return (int32_t)error;
}
