/*
 * How much of each mapping lies in transparent huge pages, of which size, and
 * how it is mapped.
 *
 * Entries are taken in batches of what is populated; in each, pages in a row
 * whose frames are in a row are a stretch, and what a stretch has of one folio
 * is one piece of it. A folio may lie across the end of a batch, or of the part
 * of a mapping that one thread was given. So its pages count where the first of
 * them lies: there the entries of the others are read too, and what begins with
 * the middle of a folio that the page before has part of is passed over.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage.cdef.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "analyses/huge.h"
#include "analyses/tally.cdef.h"

enum {
	GROUP = 4,   /* the least order of groups for which a word of each costs less than all */
	LONG = 16,   /* frames in a row from which on they are not sorted among others */
	AHEAD = 512, /* entries read at a time past the end of a batch */
};

struct walk {
	const struct pm_huge_job *job;
	const struct pm_huge_scratch *scratch;
	struct pm_flags_reader reader;
	struct pm_counter counter;
	uint64_t span_end; /* its last page, without */
	uint64_t taken_to; /* up to this page all that there is of a folio is counted */
};

static inline int is_hugetlb(const struct pm_huge_job *job, uint64_t span)
{
	return job->hugetlb && job->hugetlb[span];
}

static inline int present(uint64_t entry)
{
	return (int)(entry >> PM_PRESENT_BIT);
}

/*
 * Pages from `at` on that are present, up to `end`, all with PM_FILE or none, with
 * their frames in a row; 0: not present. No folio has both.
 */
static uint64_t in_a_row(const uint64_t *entries, uint64_t at, uint64_t end)
{
	const uint64_t kind = PM_BIT(PM_PRESENT_BIT) | PM_BIT(PM_FILE_BIT) | PM_PLACE_MASK;
	uint64_t next = at;

	if (at < end && present(entries[at]))
		for (next = at + 1; next < end; next++)
			if ((entries[next] & kind) != (entries[next - 1] & kind) + 1)
				break;
	return next - at;
}

/*
 * Whether a word of each group tells enough of a page of this span: of an anonymous
 * one. In shared memory there are none, and yet entries without PM_FILE: of what a
 * driver maps by its PFN (VM_PFNMAP), which may be folios of shared memory.
 */
static inline int is_grouped(const struct walk *walk, uint64_t span, uint64_t entry)
{
	return walk->reader.group && !(entry >> PM_FILE_BIT & 1) && !walk->job->shared[span];
}

/* How many of the pages from `vpn` on, `most` at most, have the frames from `pfn` on. */
static int64_t look_ahead(const struct walk *walk, uint64_t vpn, uint64_t pfn, uint64_t most)
{
	uint64_t entries[AHEAD], done = 0;

	if (most > walk->span_end - vpn)
		most = walk->span_end - vpn;
	while (done < most) {
		const uint64_t some = most - done < AHEAD ? most - done : AHEAD;
		const int64_t got = pm_source_read(&walk->job->source, vpn + done, some, entries);
		uint64_t fit = 0;

		if (got <= 0)
			return got < 0 ? got : (int64_t)done;
		if (present(entries[0]) && (entries[0] & PM_PLACE_MASK) == pfn + done)
			fit = in_a_row(entries, 0, (uint64_t)got);
		done += fit;
		if (fit < some)
			break;
	}
	return (int64_t)done;
}

/* Whether the folio at the start of the stretch begins with the page before, or earlier. */
static int begun_before(const struct walk *walk, const struct pm_huge_stretch *stretch,
			uint64_t span_start)
{
	uint64_t entry;
	int64_t got;

	if (!pm_flag(stretch->words[0], PM_KPF_COMPOUND_TAIL) || stretch->vpn == span_start)
		return 0;
	got = pm_source_read(&walk->job->source, stretch->vpn - 1, 1, &entry);
	if (got <= 0)
		return (int)got;
	return present(entry) && (entry & PM_PLACE_MASK) + 1 == stretch->pfn;
}

/*
 * Count the folios of a stretch. `edge` says that its first page is the first that
 * this walk looks at: the page before is then somebody else's.
 */
static int count_stretch(struct walk *walk, struct pm_huge_stretch *stretch, int edge,
			 uint64_t span_start)
{
	int found;

	if (walk->taken_to > stretch->vpn)
		stretch->at = walk->taken_to - stretch->vpn;
	while ((found = pm_next_huge(&walk->reader, stretch)) > 0) {
		const uint64_t at = stretch->at, word = stretch->words[at];
		const uint64_t vpn = stretch->vpn + at, pfn = stretch->pfn + at;
		uint64_t pages = stretch->count - at;
		int64_t rest;
		int other = 0;

		if (word == PM_NO_VALUE) {
			pages = pm_unknown_rest(stretch);
			stretch->at += pages;
			other = pm_count_unknown(&walk->counter, vpn, pfn, pages, stretch->file);
			if (other < 0)
				return other;
			continue;
		}
		rest = pm_folio_rest(&walk->reader, stretch);
		if (rest < 0)
			return (int)rest;
		if ((uint64_t)rest <= pages) {
			pages = (uint64_t)rest;
		} else if (stretch->open) {
			const int64_t more =
				look_ahead(walk, vpn + pages, pfn + pages, (uint64_t)rest - pages);

			if (more < 0)
				return (int)more;
			pages += (uint64_t)more;
		}
		stretch->at += pages;
		walk->taken_to = vpn + pages;
		if (edge && !at)
			other = begun_before(walk, stretch, span_start);
		if (!other)
			other = pm_count_piece(&walk->counter, vpn, pfn, pages, (uint64_t)rest,
					       word);
		if (other < 0)
			return other;
		/* most kernels say of the huge page of zeros that it is of no file */
		if (!other && pm_flag(word, PM_KPF_ZERO_PAGE) && !stretch->file)
			walk->counter.tally->anonymous -= pages;
	}
	return found;
}

/*
 * Of the first `count` frames of scratch->pfns take those without a word as what they are: 0
 * where none was wished for or there is no such frame, lost where a file has lost some. Returns
 * 0, or -ENODATA where the kernel, or a whole file, has to have one.
 */
static int settle_missing(const struct walk *walk, uint64_t count)
{
	const struct pm_huge_scratch *scratch = walk->scratch;

	for (uint64_t i = 0; i < count; i++) {
		if (scratch->words[i] != PM_NO_VALUE)
			continue;
		if (walk->job->lossy && scratch->pfns[i] != PM_NO_VALUE)
			continue;
		if (scratch->pfns[i] < walk->job->frames_end)
			return -ENODATA;
		scratch->words[i] = 0; /* past the last frame, or read later */
	}
	return 0;
}

/*
 * Read the words of all frames that are not in a long row, in the order of
 * memory, into scratch->words; the runs begin in `span`. Returns 0 or -errno.
 */
static int gather_scattered(const struct walk *walk, uint64_t span, uint64_t runs)
{
	const struct pm_huge_scratch *scratch = walk->scratch;
	uint64_t buffer[PM_READ_BLOCK], at = 0, wishes = 0;
	int64_t sorted, got;

	for (uint64_t run = 0; run < runs; run++) {
		const uint64_t end = at + scratch->runs[run].count;

		span = pm_span_of(walk->job->source.spans, scratch->runs[run].vpn, span);
		while (at < end) {
			const uint64_t row = in_a_row(scratch->entries, at, end);
			const uint64_t next = at + (row ? row : 1);
			const int alone = row && row < LONG &&
					  !is_grouped(walk, span, scratch->entries[at]);

			wishes += alone ? row : 0;
			for (; at < next; at++)
				scratch->pfns[at] = alone ? scratch->entries[at] & PM_PLACE_MASK
							  : PM_NO_VALUE;
		}
	}
	if (!wishes)
		return 0;
	sorted = pm_kpage_sort(scratch->pfns, at, scratch->wishes, scratch->spare, scratch->words);
	got = pm_kpage_gather(walk->job->flags_fd, scratch->wishes, (uint64_t)sorted, buffer,
			      scratch->words);
	return got < 0 ? (int)got : settle_missing(walk, at);
}

/* Count the small pages of zeros: words of frames are not read one by one everywhere. */
static void count_zeros(const struct pm_huge_job *job, const uint64_t *entries, uint64_t count,
			struct pm_huge *tally)
{
	uint64_t zero = 0, anonymous = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t nth = (entries[i] & PM_PLACE_MASK) - job->zero_pfn;
		const uint64_t is = (nth < job->zero_count) & entries[i] >> PM_PRESENT_BIT;

		zero += is;
		anonymous += is & ~(entries[i] >> PM_FILE_BIT);
	}
	tally->zero += zero;
	tally->anonymous -= anonymous;
}

/* Count a run of populated pages of a span, whose entries are those from `at` on. */
static int count_run(struct walk *walk, const struct pm_range *run, uint64_t at, int edge, int last,
		     uint64_t span)
{
	const uint64_t *entries = walk->scratch->entries;
	const uint64_t first = at, end = at + run->count;
	struct pm_tally tally = { 0 };

	pm_tally_add(entries + at, run->count, &tally);
	walk->counter.tally->present += tally.present;
	if (is_hugetlb(walk->job, span)) {
		walk->counter.tally->hugetlb += tally.present;
		return 0;
	}
	walk->counter.tally->anonymous += tally.anonymous;
	if (walk->job->zero_count)
		count_zeros(walk->job, entries + at, run->count, walk->counter.tally);
	while (at < end) {
		const uint64_t row = in_a_row(entries, at, end);
		const uint64_t next = at + (row ? row : 1);
		const int grouped = row && is_grouped(walk, span, entries[at]);
		struct pm_huge_stretch stretch = {
			.vpn = run->vpn + (at - first),
			.pfn = entries[at] & PM_PLACE_MASK,
			.count = row,
			.open = last && next == end && run->vpn + run->count < walk->span_end,
			.grouped = grouped,
			.file = (int)(entries[at] >> PM_FILE_BIT & 1),
			.have = row < LONG && !grouped ? row : 0,
			.words = walk->scratch->words + at,
		};
		const int error = count_stretch(walk, &stretch, edge && at == first,
						walk->job->source.spans[span].vpn);

		if (error < 0)
			return error;
		at = next;
	}
	return 0;
}

/* Count a batch; `from` is where the walk began. Moves *at; returns pages found or -errno. */
static int64_t count_batch(struct walk *walk, struct pm_place *at, const struct pm_place *from,
			   const struct pm_place *to, struct pm_huge *tallies)
{
	const struct pm_huge_job *job = walk->job;
	const struct pm_huge_scratch *scratch = walk->scratch;
	const uint64_t edge = job->source.spans[from->span].vpn + from->page;
	uint64_t span = at->span, runs, entry = 0;
	const int64_t got = pm_populated(&job->source, at, to, scratch->entries, PM_HUGE_BATCH,
					 scratch->runs, PM_HUGE_RUNS, &runs);
	int error = got < 0 ? (int)got : gather_scattered(walk, span, runs);

	for (uint64_t i = 0; !error && i < runs; i++) {
		const struct pm_range *run = scratch->runs + i;

		span = pm_span_of(job->source.spans, run->vpn, span);
		walk->counter.tally = tallies + (span - from->span);
		walk->span_end = job->source.spans[span].vpn + job->source.spans[span].count;
		error = count_run(walk, run, entry, run->vpn == edge, i + 1 == runs, span);
		entry += run->count;
	}
	if (!error)
		error = pm_settle_pmds(&walk->counter);
	return error ? error : got;
}

int64_t pm_huge_spans(const struct pm_huge_job *job, struct pm_place *from,
		      const struct pm_place *to, const struct pm_huge_scratch *scratch,
		      struct pm_huge *tallies)
{
	const struct pm_place first = *from;
	struct walk walk = {
		.job = job,
		.scratch = scratch,
		.reader = { .fd = job->flags_fd,
			    .frames_end = job->frames_end,
			    .lossy = (int)job->lossy },
		.counter = { .job = job },
	};
	int64_t found = 0;

	/* the huge page of zeros is of no kind: it has the size of what a PMD maps */
	walk.reader.group = job->anon_order < job->pmd_order ? job->anon_order : job->pmd_order;
	if (walk.reader.group < GROUP)
		walk.reader.group = 0;
	while (pm_before(from, to)) {
		const int64_t got = count_batch(&walk, from, &first, to, tallies);

		if (got < 0)
			return got;
		found += got;
	}
	return found;
}
