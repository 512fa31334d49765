/*
 * The whole of a process, again and again: see pagemap.h. What is needed is opened and allocated
 * once; how a sample is taken, csrc/analyses/sample.c knows.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "include/pagemap.h"
#include "kernel/core.h"
#include "kernel/entry_kinds.cdef.h"
#include "kernel/probe.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "kernel/task.h"
#include "kernel/uapi.h"
#include "analyses/sample.cdef.h"
#include "library/process.h"
#include "library/sized.h"

enum {
	FIRST_AMOUNTS = 8 + 11 * 8, /* of the first release, in bytes */
	FIRST_LIMITS = 8 + 2 * 8,
	ALL = (1 << PM_SAMPLE_AMOUNTS) - 1,
	PARTS = PM_AMOUNT_ANON | PM_AMOUNT_FILE_OR_SHARED,
	SURELY_SWAP = 22, /* types of entries, from the lowest on, of every kernel */
};

static_assert(PM_AMOUNT_RSS == 1 << PM_SAMPLE_RSS, "the same bit");
static_assert(PM_AMOUNT_SWAP == 1 << PM_SAMPLE_SWAP, "the same bit");
static_assert(PM_AMOUNT_ANON == 1 << PM_SAMPLE_ANON, "the same bit");
static_assert(PM_AMOUNT_FILE_OR_SHARED == 1 << PM_SAMPLE_FILE_OR_SHARED, "the same bit");
static_assert(PM_AMOUNT_HUGE == 1 << PM_SAMPLE_HUGE, "the same bit");
static_assert(PM_AMOUNT_USS == 1 << PM_SAMPLE_USS, "the same bit");
static_assert(PM_AMOUNT_PRESENT == 1 << PM_SAMPLE_PRESENT, "the same bit");
static_assert(PM_AMOUNT_ZERO == 1 << PM_SAMPLE_ZERO, "the same bit");
static_assert(PM_AMOUNT_HUGETLB == 1 << PM_SAMPLE_HUGETLB, "the same bit");

struct pm_sampler {
	struct pm_process *process;
	struct pm_sample_job job;
	int32_t statm;
	int32_t busy; /* the pid of whoever takes a sample, or 0 */
	uint8_t kinds[PM_TYPES_OF_SWAP];
	uint64_t scratch[PM_SAMPLE_SCRATCH];
};

/* A file of the machine, in the proc of the target; -1 where it cannot be had. */
static int32_t open_frames(const struct pm_process *process, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "../%s", name);
	return pm_sys_open_entry(process->folder, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* The files of the target. Without smaps_rollup its sums are not known. Returns 0 or -errno. */
static int32_t open_files(struct pm_sampler *sampler)
{
	const struct pm_process *process = sampler->process;
	const int32_t folder = process->folder, thread = process->thread;
	struct pm_sample_job *job = &sampler->job;

	if (thread)
		snprintf(job->maps, sizeof(job->maps), "task/%d/maps", (int)thread);
	else
		snprintf(job->maps, sizeof(job->maps), "maps");
	job->folder = folder;
	job->status = pm_task_open(folder, thread, "status");
	sampler->statm = pm_task_open(folder, thread, "statm");
	job->rollup = pm_task_open(folder, thread, "smaps_rollup");
	if (job->status < 0 || sampler->statm < 0)
		return job->status < 0 ? job->status : sampler->statm;
	return job->rollup == -EMFILE || job->rollup == -ENFILE ? job->rollup : 0;
}

/*
 * What types of swap entries are. Which of the upper ones are the kernel's own depends on how it
 * was built, and no system call tells: what is of such a type is counted as hidden.
 */
static void fill_kinds(uint8_t *kinds)
{
	for (int type = 0; type < PM_TYPES_OF_SWAP; type++)
		kinds[type] = type < SURELY_SWAP ? PM_ENTRY_SWAP : PM_ENTRY_HIDDEN;
}

/* Those of the amounts wanted whose bit of an entry this kernel sets at all. */
static uint32_t told_of(uint32_t wanted)
{
	uint64_t told = 0;

	if (!(wanted & (PARTS | PM_AMOUNT_USS)))
		return wanted;
	if (pm_probe_told("/proc/self/pagemap", &told) < 0)
		told = PM_PAGE_FILE; /* since 3.5, older than whatever else is used here */
	if (!(told & PM_PAGE_FILE))
		wanted &= ~(uint32_t)PARTS;
	if (!(told & PM_PAGE_EXCLUSIVE))
		wanted &= ~(uint32_t)PM_AMOUNT_USS;
	return wanted;
}

/* Open what samples read, and choose how. Returns 0 or -errno. */
static int32_t open_all(struct pm_sampler *sampler, uint32_t wanted)
{
	const struct pm_process *process = sampler->process;
	struct pm_sample_job *job = &sampler->job;
	struct pm_tally_job *tally = &job->tally;
	int64_t end;
	int32_t error = open_files(sampler);

	if (error)
		return error == -ENOENT ? -ESRCH : error;
	fill_kinds(sampler->kinds);
	tally->kinds = sampler->kinds;
	tally->source.fd = process->pagemap;
	tally->source.page_shift = process->page_shift;
	tally->source.use_scan =
		pm_probe_scan(process->pagemap, PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED) == 0;
	job->guards = tally->source.use_scan &&
		      pm_probe_scan(process->pagemap, PM_UAPI_IS_GUARD) == 0;
	if (process->can & PM_CAN_PFNS && wanted & PM_AMOUNT_USS)
		tally->mapcounts = open_frames(process, "kpagecount");
	if (process->can & PM_CAN_PFNS && !tally->source.use_scan)
		tally->flags = open_frames(process, "kpageflags");
	end = pm_end(process->pagemap, process->page_shift);
	if (end <= 0)
		return end ? (int32_t)end : -ESRCH;
	tally->end = (uint64_t)end;
	pm_sample_plan(job, told_of(wanted));
	/* now all of these files are surely of what was opened */
	return pm_process_check(process);
}

static void close_all(struct pm_sampler *sampler)
{
	const int32_t fds[] = { sampler->statm, sampler->job.status, sampler->job.rollup,
				sampler->job.tally.mapcounts, sampler->job.tally.flags };

	for (unsigned i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			pm_sys_close(fds[i]);
	free(sampler);
}

static int32_t open_new(struct pm_process *process, uint64_t wanted, struct pm_sampler **out)
{
	const int32_t pagemap = pm_process_pagemap(process);
	struct pm_sampler *sampler;
	int32_t error;

	if (pagemap < 0)
		return pagemap;
	if (!out || !wanted || wanted & ~(uint64_t)ALL)
		return -EINVAL;
	sampler = calloc(1, sizeof(*sampler));
	if (!sampler)
		return -ENOMEM;
	sampler->process = process;
	sampler->job.tally.mapcounts = sampler->job.tally.flags = -1;
	error = open_all(sampler, (uint32_t)wanted);
	if (error)
		close_all(sampler);
	else
		*out = sampler;
	return error;
}

int32_t pm_sampler_open(struct pm_process *process, uint64_t wanted, struct pm_sampler **out)
{
	const int before = errno;
	const int32_t error = open_new(process, wanted, out);

	errno = before;
	return error;
}

static void fill(const struct pm_sample *sample, struct pm_amounts *out)
{
	*out = (struct pm_amounts){
		.size = sizeof(*out),
		.partial = sample->partial,
		.known = sample->known,
		.rss = sample->amounts[PM_SAMPLE_RSS],
		.swap = sample->amounts[PM_SAMPLE_SWAP],
		.anon = sample->amounts[PM_SAMPLE_ANON],
		.file_or_shared = sample->amounts[PM_SAMPLE_FILE_OR_SHARED],
		.huge = sample->amounts[PM_SAMPLE_HUGE],
		.uss = sample->amounts[PM_SAMPLE_USS],
		.present = sample->amounts[PM_SAMPLE_PRESENT],
		.zero = sample->amounts[PM_SAMPLE_ZERO],
		.hugetlb = sample->amounts[PM_SAMPLE_HUGETLB],
		.resume = sample->resume,
	};
}

/* Why the target is gone: by exec, or because it has exited. */
static int32_t gone(const struct pm_sampler *sampler)
{
	const int32_t error = pm_process_check(sampler->process);

	return error ? error : -ESRCH;
}

static int32_t sample_alone(struct pm_sampler *sampler, const struct pm_limits *limits,
			    uint64_t resume, struct pm_amounts *out)
{
	const struct pm_sample_part part = {
		.first = resume,
		.max_pages = limits->max_pages,
		.max_ns = limits->max_ns,
		.swap_used = -1,
	};
	struct pm_sample sample;
	struct pm_amounts amounts;
	const int64_t error = pm_sample_take(&sampler->job, &part, sampler->scratch, &sample);

	if (error)
		return error == -ESRCH ? gone(sampler) : (int32_t)error;
	fill(&sample, &amounts);
	pm_sized_out(&amounts, sizeof(amounts), out);
	return 0;
}

static int32_t sample_checked(struct pm_sampler *sampler, const struct pm_limits *limits,
			      uint64_t resume, struct pm_amounts *out)
{
	struct pm_limits ours = { .size = sizeof(ours) };
	int32_t error, busy = 0, us;

	if (!sampler)
		return -EINVAL;
	error = pm_process_usable(sampler->process);
	if (error)
		return error;
	error = pm_sized_check(FIRST_AMOUNTS, out);
	if (!error && limits)
		error = pm_sized_in(&ours, sizeof(ours), FIRST_LIMITS, limits);
	if (error || ours.flags || resume & ((UINT64_C(1) << sampler->process->page_shift) - 1))
		return -EINVAL;
	/* a child of fork may have been left with a sample that it will not end: its parent's */
	us = pm_sys_pid();
	busy = __atomic_load_n(&sampler->busy, __ATOMIC_RELAXED);
	if (busy == us || !__atomic_compare_exchange_n(&sampler->busy, &busy, us, false,
						       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return -EBUSY;
	error = sample_alone(sampler, &ours, resume, out);
	__atomic_store_n(&sampler->busy, 0, __ATOMIC_RELEASE);
	return error;
}

int32_t pm_sampler_sample(struct pm_sampler *sampler, const struct pm_limits *limits,
			  uint64_t resume, struct pm_amounts *out)
{
	const int before = errno;
	const int32_t error = sample_checked(sampler, limits, resume, out);

	errno = before;
	return error;
}

/* The second number of statm, in bytes, or -errno. */
static int64_t read_resident(const struct pm_sampler *sampler)
{
	char text[256];
	int64_t pages = 0;
	ssize_t size, first, at = 0;

	do
		size = pm_sys_pread(sampler->statm, text, sizeof(text), 0);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == ESRCH ? gone(sampler) : -errno;
	while (at < size && text[at] != ' ')
		at++;
	first = ++at;
	for (; at < size && text[at] >= '0' && text[at] <= '9'; at++)
		pages = pm_status_digit(pages, text[at]);
	if (at >= size || at == first || pages > INT64_MAX >> sampler->process->page_shift)
		return -EIO;
	return pm_alive(sampler->process->pagemap) == 1 ? pages << sampler->process->page_shift
							: gone(sampler);
}

int64_t pm_sampler_rss(struct pm_sampler *sampler)
{
	const int before = errno;
	int64_t result = sampler ? pm_process_usable(sampler->process) : -EINVAL;

	if (!result)
		result = read_resident(sampler);
	errno = before;
	return result;
}

void pm_sampler_close(struct pm_sampler *sampler)
{
	const int before = errno;

	if (sampler)
		close_all(sampler);
	errno = before;
}
