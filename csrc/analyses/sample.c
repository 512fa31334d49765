/*
 * One sample of a whole process. Nothing is allocated, no lock is taken.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/procmap.cdef.h"
#include "kernel/sys.h"
#include "analyses/sample.cdef.h"
#include "analyses/sample_files.h"

enum {
	SLICE_NS = 10000000, /* between two looks at `stop` */
	/* what counts otherwise where a mapping may be of hugetlb */
	PARTED_BY_HUGETLB = 1 << PM_SAMPLE_RSS | 1 << PM_SAMPLE_ANON |
		1 << PM_SAMPLE_FILE_OR_SHARED | 1 << PM_SAMPLE_USS | 1 << PM_SAMPLE_HUGETLB,
};

/* A sample being taken. */
struct taking {
	const struct pm_sample_job *job;
	uint64_t *scratch;
	uint64_t first;
	uint64_t max_pages, max_ns, began;
	uint64_t found;
	struct pm_counts counts;
	uint32_t stopped; /* a limit was met, at the page `at` */
	uint32_t untold;  /* nobody tells whether a mapping is of hugetlb */
	uint64_t at;
};

static char *text_of(const struct taking *taking)
{
	return (char *)(taking->scratch + PM_READ_BLOCK);
}

static uint64_t left(uint64_t limit, uint64_t used)
{
	return used < limit ? limit - used : 1;
}

static int is_asked_to_stop(const struct taking *taking)
{
	return taking->job->stop && __atomic_load_n(taking->job->stop, __ATOMIC_ACQUIRE);
}

/* Count pages from `from` up to `last`, of hugetlb or not. Returns 0 or -errno. */
static int64_t count_range(struct taking *taking, uint64_t from, uint64_t last, int hugetlb)
{
	const uint8_t backing = hugetlb ? PM_BACKED_BY_HUGETLB : PM_BACKED_BY_NONE;
	const struct pm_range span = { 0, last };
	const struct pm_place to = { 0, last };
	struct pm_tally_job tally = taking->job->tally;
	struct pm_place at = { 0, from };

	tally.source.spans = &span;
	tally.source.spans_count = 1;
	tally.backing = &backing;
	while (!at.span && at.page < last) {
		const uint64_t spent = taking->max_ns ? pm_sys_now() - taking->began : 0;
		struct pm_counts part = { 0 };
		int64_t got;

		if (at.page > taking->first &&
		    ((taking->max_pages && taking->found >= taking->max_pages) ||
		     (taking->max_ns && spent >= taking->max_ns))) {
			taking->stopped = 1;
			taking->at = at.page;
			return 0;
		}
		tally.max_pages = taking->max_pages ? left(taking->max_pages, taking->found) : 0;
		tally.max_ns = taking->max_ns ? left(taking->max_ns, spent) : 0;
		if (taking->job->stop && (!tally.max_ns || tally.max_ns > SLICE_NS))
			tally.max_ns = SLICE_NS;
		got = pm_tally_spans(&tally, &at, &to, taking->scratch, &part);
		if (got < 0)
			return got;
		taking->found += (uint64_t)got;
		pm_counts_add(&part, 1, &taking->counts);
		if (is_asked_to_stop(taking))
			return -ECANCELED;
	}
	return 0;
}

/* Count what lies from page `from` up to `last`, both of mappings that touch. */
static int64_t count_mapped(struct taking *taking, uint64_t from, uint64_t last, int hugetlb)
{
	if (from < taking->first)
		from = taking->first;
	if (last > taking->job->tally.end)
		last = taking->job->tally.end; /* as [vsyscall] */
	return from < last ? count_range(taking, from, last, hugetlb) : 0;
}

/* Whether a mapping is of hugetlb: 1, 0, or -errno. */
static int64_t is_hugetlb(struct taking *taking, const struct pm_sample_maps *maps,
			  const struct pm_sample_mapping *mapping)
{
	const struct pm_sample_job *job = taking->job;
	const uint64_t device = (uint64_t)mapping->dev_major << 32 | mapping->dev_minor;
	const int64_t got = pm_sample_is_hugetlb(maps, mapping);

	if (got != -ENOTTY && got != -EPERM)
		return got;
	taking->untold = 1;
	for (uint64_t i = 0; i < job->devices_count; i++)
		if (job->devices[i] == device)
			return 1;
	return 0;
}

/* Count mapping by mapping; those that touch, and are alike, together. Returns 0 or -errno. */
static int64_t count_each(struct taking *taking, struct pm_sample_maps *maps, int may_have_hugetlb)
{
	const uint32_t shift = maps->page_shift;
	struct pm_sample_mapping mapping;
	uint64_t begin = 0, end = 0;
	int64_t got = 0, before = 0;

	while (!taking->stopped && (got = pm_sample_maps_next(maps, &mapping)) > 0) {
		const int64_t hugetlb = may_have_hugetlb ? is_hugetlb(taking, maps, &mapping) : 0;

		if (hugetlb < 0)
			return hugetlb;
		if (mapping.start != end || hugetlb != before) {
			got = count_mapped(taking, begin >> shift, end >> shift, (int)before);
			if (got < 0)
				return got;
			begin = mapping.start;
			before = hugetlb;
		}
		end = mapping.end;
	}
	if (taking->stopped || got < 0)
		return got < 0 ? got : 0;
	return count_mapped(taking, begin >> shift, end >> shift, (int)before);
}

static int64_t count_mappings(struct taking *taking, int may_have_hugetlb)
{
	struct pm_sample_maps maps = { .text = text_of(taking) };
	int64_t got = pm_sample_maps_open(taking->job, &maps);

	if (got < 0)
		return got;
	got = count_each(taking, &maps, may_have_hugetlb);
	pm_sys_close(maps.fd);
	return got;
}

static void tell(struct pm_sample *out, enum pm_sample_amount amount, int64_t bytes)
{
	out->known &= ~(UINT64_C(1) << amount);
	out->amounts[amount] = 0;
	if (bytes < 0)
		return;
	out->known |= UINT64_C(1) << amount;
	out->amounts[amount] = (uint64_t)bytes;
}

/* What the page table told. */
static void tell_counts(const struct taking *taking, struct pm_sample *out)
{
	const struct pm_counts *counts = &taking->counts;
	const uint64_t pages[PM_SAMPLE_AMOUNTS] = {
		[PM_SAMPLE_RSS] = counts->rss,
		[PM_SAMPLE_SWAP] = counts->swap,
		[PM_SAMPLE_ANON] = counts->anon,
		[PM_SAMPLE_FILE_OR_SHARED] = counts->file_or_shared,
		[PM_SAMPLE_HUGE] = counts->huge,
		[PM_SAMPLE_USS] = counts->uss,
		[PM_SAMPLE_PRESENT] = counts->present,
		[PM_SAMPLE_ZERO] = counts->zero,
		[PM_SAMPLE_HUGETLB] = counts->hugetlb,
	};
	const uint32_t known =
		taking->job->wanted &
		(taking->untold && !taking->job->devices ? ~(uint32_t)PARTED_BY_HUGETLB : ~0u);

	for (int amount = 0; amount < PM_SAMPLE_AMOUNTS; amount++)
		if (known >> amount & 1)
			tell(out, (enum pm_sample_amount)amount,
			     (int64_t)(pages[amount] << taking->job->tally.source.page_shift));
}

/* What no page table tells, or not all of it. Returns 0 or -errno. */
static int64_t tell_rest(const struct taking *taking, int swap_used, struct pm_sample *out)
{
	const struct pm_sample_job *job = taking->job;
	int64_t shared = 0, swap = -1;
	struct pm_sample_sums sums = { -1, -1, -1 };

	if (swap_used)
		shared = pm_sample_may_share(job, text_of(taking));
	if (shared < 0)
		return shared;
	if (!out->partial && (job->by_sums || shared))
		pm_sample_read_sums(job, text_of(taking), &sums);
	if (job->by_sums >> PM_SAMPLE_RSS & 1)
		tell(out, PM_SAMPLE_RSS, sums.rss);
	if (job->by_sums >> PM_SAMPLE_ANON & 1)
		tell(out, PM_SAMPLE_ANON, sums.anon);
	if (job->by_sums >> PM_SAMPLE_FILE_OR_SHARED & 1)
		tell(out, PM_SAMPLE_FILE_OR_SHARED,
		     sums.rss < 0 || sums.anon < 0 ? -1 : sums.rss - sums.anon);
	if (!swap_used)
		return 0;
	if (shared)
		swap = sums.swap;
	else if (!taking->counts.hidden)
		return 0; /* as it was counted */
	else if (!out->partial && job->status >= 0)
		swap = pm_sample_status_bytes(job, text_of(taking), "VmSwap:");
	if (swap < -1)
		return swap;
	tell(out, PM_SAMPLE_SWAP, swap);
	return 0;
}

int64_t pm_sample_take(const struct pm_sample_job *job, const struct pm_sample_part *part,
		       uint64_t *scratch, struct pm_sample *out)
{
	struct pm_sample_job ours = *job;
	struct taking taking = {
		.job = &ours,
		.scratch = scratch,
		.first = part->first >> job->tally.source.page_shift,
		.max_pages = part->max_pages,
		.max_ns = part->max_ns,
	};
	const int64_t hugetlb = pm_sample_status_bytes(job, text_of(&taking), "HugetlbPages:");
	struct pm_sample sample = { 0 };
	int64_t got = 0;
	int swap_used = 0;

	if (hugetlb < 0)
		return hugetlb;
	if (job->wanted >> PM_SAMPLE_SWAP & 1) {
		swap_used = part->swap_used < 0 ? pm_swap_in_use() : part->swap_used;
		if (swap_used < 0)
			return swap_used;
		if (!swap_used)
			ours.tally.ways &= ~(uint32_t)PM_ABSENT;
	}
	taking.began = part->max_ns ? pm_sys_now() : 0;
	if (hugetlb || !job->tally.source.use_scan)
		got = count_mappings(&taking, hugetlb > 0);
	else
		got = count_mapped(&taking, 0, job->tally.end, 0);
	if (got < 0)
		return got;
	sample.partial = part->first || taking.stopped;
	sample.untold = taking.untold;
	sample.resume = taking.stopped ? taking.at << job->tally.source.page_shift : 0;
	tell_counts(&taking, &sample);
	if (job->wanted >> PM_SAMPLE_SWAP & 1 && !swap_used)
		tell(&sample, PM_SAMPLE_SWAP, 0);
	got = tell_rest(&taking, swap_used, &sample);
	if (got < 0)
		return got;
	/* what other files told may be of the next program */
	got = pm_alive(job->tally.source.fd);
	if (got <= 0)
		return got ? got : -ESRCH;
	*out = sample;
	return 0;
}
