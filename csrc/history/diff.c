/*
 * Two looks, page by page. Both are read where they are populated, so that what is reserved
 * costs nothing; a step goes as far as both are known. Most pages did not change: equal
 * entries are passed many at a time. Of those that did, neighbours mostly fared alike, and
 * only the first of them is judged.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/entry_kinds.h"
#include "kernel/uapi.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "history/diff.h"

enum { AT_ONCE = 16 }; /* entries compared together */

/* What a step fills. */
struct out {
	struct pm_change_sum *sums;
	uint64_t sums_capacity;
	uint64_t sums_stored;
	struct pm_change_region *regions;
	uint64_t regions_capacity;
	uint64_t regions_stored;
};

/* Pages in a row, and all that is known of them. */
struct pair {
	struct pm_place at;
	uint64_t pages;
	struct pm_known before;
	struct pm_known after;
	int hugetlb_before;
	int hugetlb_after;
};

void pm_diff_begin(struct pm_diff_walk *walk, const struct pm_place *from,
		   const struct pm_place *to)
{
	memset(walk, 0, sizeof(*walk));
	walk->at = walk->before.read = walk->before.scanned = *from;
	walk->after.read = walk->after.scanned = *from;
	walk->to = *to;
}

/* The entry of a page: where it is not populated, what a scan found of it. */
static uint64_t entry_of(const struct pm_known *stretch, uint64_t i)
{
	if (stretch->entries)
		return stretch->entries[i];
	return stretch->categories & PM_UAPI_IS_SOFT_DIRTY ? PM_BIT(PM_SOFT_DIRTY_BIT) : 0;
}

/* Whether a present page is of zeros by its frame. */
static int has_zero_frame(const struct pm_look *look, uint64_t entry)
{
	return (entry & PM_PLACE_MASK) - look->zero_from < look->zero_count;
}

/* What of an entry its state follows from, beside the categories of its stretch. */
static uint64_t key_of(const struct pm_look *look, uint64_t entry)
{
	const uint64_t flags = entry >> PM_SOFT_DIRTY_BIT << 8;

	if (pm_flag(entry, PM_PRESENT_BIT))
		return flags | (unsigned)has_zero_frame(look, entry);
	return flags | pm_kind_of_absent(entry, look->kinds);
}

/* Whether pages of a pair are the same sort before and after where their entries are equal. */
static int same_sort(const struct pm_diff_job *job, const struct pair *pair)
{
	const int by_frame = job->before.zero_count || job->after.zero_count;

	return pair->before.categories == pair->after.categories &&
	       pair->hugetlb_before == pair->hugetlb_after &&
	       (job->compared & PM_PLACE_MASK || !by_frame) &&
	       !memcmp(job->before.kinds, job->after.kinds, PM_TYPES_OF_SWAP);
}

/* How many pages from `i` on have entries that are equal in what may be compared. */
static uint64_t equal_to(const struct pm_diff_job *job, const struct pair *pair, uint64_t i)
{
	const uint64_t *before = pair->before.entries, *after = pair->after.entries;
	uint64_t from = i;

	if (!before || !after || !same_sort(job, pair))
		return 0;
	for (; pair->pages - i >= AT_ONCE; i += AT_ONCE) {
		uint64_t differ = 0, present = PM_BIT(PM_PRESENT_BIT);

		for (unsigned k = 0; k < AT_ONCE; k++) {
			differ |= before[i + k] ^ after[i + k];
			present &= before[i + k];
		}
		if (differ & (present ? job->compared : UINT64_MAX))
			break;
	}
	for (; i < pair->pages; i++) {
		const uint64_t present = before[i] & PM_BIT(PM_PRESENT_BIT);

		if ((before[i] ^ after[i]) & (present ? job->compared : UINT64_MAX))
			break;
	}
	return i - from;
}

/* How many pages from `i` on fared as that one did. */
static uint64_t alike_to(const struct pm_diff_job *job, const struct pair *pair, uint64_t i)
{
	const uint64_t place = job->compared & PM_PLACE_MASK;
	const uint64_t before = entry_of(&pair->before, i), after = entry_of(&pair->after, i);
	const uint64_t key_before = key_of(&job->before, before);
	const uint64_t key_after = key_of(&job->after, after);
	const int other = !!((before ^ after) & place);
	uint64_t from = i;

	if (!pair->before.entries && !pair->after.entries)
		return pair->pages - i;
	for (i++; i < pair->pages; i++) {
		const uint64_t next_before = entry_of(&pair->before, i);
		const uint64_t next_after = entry_of(&pair->after, i);

		if (key_of(&job->before, next_before) != key_before ||
		    key_of(&job->after, next_after) != key_after ||
		    !!((next_before ^ next_after) & place) != other)
			break;
	}
	return i - from;
}

/* Put down `pages` pages from `page` on. Returns 0 where there is no place for them. */
static int record(struct out *out, const struct pair *pair, uint64_t page, uint64_t pages,
		  uint32_t kind, const struct pm_seen *before, const struct pm_seen *after)
{
	struct pm_change_region *last = out->regions + out->regions_stored - 1;

	if (!out->regions_capacity)
		return 1;
	if (out->regions_stored && last->span == pair->at.span && last->kind == kind &&
	    last->before == before->state && last->after == after->state &&
	    last->page + last->pages == page) {
		last->pages += pages;
		return 1;
	}
	if (out->regions_stored == out->regions_capacity)
		return 0;
	out->regions[out->regions_stored++] = (struct pm_change_region){
		.span = pair->at.span,
		.page = page,
		.pages = pages,
		.kind = kind,
		.before = before->state,
		.after = after->state,
	};
	return 1;
}

/* Compare the pages of a pair; returns how many there was place for. */
static uint64_t compare(const struct pm_diff_job *job, struct pm_diff_walk *walk,
			const struct pair *pair, struct out *out)
{
	uint64_t i = 0;

	walk->seen +=
		(pair->before.entries ? pair->pages : 0) + (pair->after.entries ? pair->pages : 0);
	for (;;) {
		struct pm_seen before, after;
		uint64_t alike;
		uint32_t kind;

		i += equal_to(job, pair, i);
		if (i == pair->pages)
			return i;
		alike = alike_to(job, pair, i);
		before = pm_seen_as(&job->before, entry_of(&pair->before, i),
				    pair->before.categories, pair->hugetlb_before);
		after = pm_seen_as(&job->after, entry_of(&pair->after, i), pair->after.categories,
				   pair->hugetlb_after);
		kind = pm_kind_of_change(job, &before, &after);
		if (kind != PM_UNCHANGED) {
			if (!record(out, pair, pair->at.page + i, alike, kind, &before, &after))
				return i;
			pm_change_add(walk->sums + kind, &before, &after, (int64_t)alike);
		}
		i += alike;
	}
}

/* Give the sums of the span at which the walk stands, and begin anew. */
static void flush(struct pm_diff_walk *walk, uint64_t span, struct out *out)
{
	for (uint64_t kind = 0; kind < PM_CHANGES; kind++) {
		struct pm_change_sum *sum = walk->sums + kind;

		if (!sum->pages)
			continue;
		sum->span = span;
		sum->kind = kind;
		out->sums[out->sums_stored++] = *sum;
		memset(sum, 0, sizeof(*sum));
	}
}

static uint64_t pages_of(const struct pm_diff_job *job, uint64_t span)
{
	const uint64_t before = job->before.source.spans[span].count;
	const uint64_t after = job->after.source.spans[span].count;

	return before > after ? before : after;
}

/* Compare the pages of one span up to *known. Returns 0 where the results are full. */
static int compare_span(const struct pm_diff_job *job, struct pm_diff_walk *walk,
			const struct pm_place *known, struct out *out)
{
	const uint64_t pages = pages_of(job, walk->at.span);
	const uint64_t last = known->span == walk->at.span ? known->page : pages;
	const struct pm_range *before = job->before.source.spans + walk->at.span;
	const struct pm_range *after = job->after.source.spans + walk->at.span;

	while (walk->at.page < last) {
		struct pair pair = {
			.at = walk->at,
			.hugetlb_before = before->count && job->before.hugetlb[walk->at.span],
			.hugetlb_after = after->count && job->after.hugetlb[walk->at.span],
		};
		uint64_t done;

		pair.before = pm_diff_known_at(&job->before, &walk->before, &walk->at,
					       last - walk->at.page);
		pair.after = pm_diff_known_at(&job->after, &walk->after, &walk->at,
					      last - walk->at.page);
		pair.pages = pair.before.pages < pair.after.pages ? pair.before.pages
								  : pair.after.pages;
		done = compare(job, walk, &pair, out);
		walk->at.page += done;
		if (done < pair.pages)
			return 0;
	}
	return 1;
}

/* The first of two places. */
static struct pm_place first_of(const struct pm_place *one, const struct pm_place *other)
{
	return pm_before(one, other) ? *one : *other;
}

/* Whether the target of a live look is gone, so that nobody knows what was missed. */
static int64_t check(const struct pm_look *look)
{
	int32_t alive = pm_source_alive(&look->source);

	if (alive < 0)
		return alive;
	return alive ? 0 : -ESRCH;
}

int64_t pm_diff_step(const struct pm_diff_job *job, struct pm_diff_walk *walk,
		     struct pm_change_sum *sums, uint64_t sums_capacity,
		     struct pm_change_region *regions, uint64_t regions_capacity,
		     uint64_t *regions_stored)
{
	struct out out = { sums, sums_capacity, 0, regions, regions_capacity, 0 };
	int64_t error = 0;

	if (sums_capacity < PM_CHANGES)
		return -EINVAL;
	while (pm_before(&walk->at, &walk->to)) {
		struct pm_place before, after, known;
		uint64_t span = walk->at.span;

		error = pm_diff_fill(&job->before, &walk->before, &walk->at, &walk->to);
		if (!error)
			error = pm_diff_fill(&job->after, &walk->after, &walk->at, &walk->to);
		if (error)
			return error;
		before = pm_diff_known(&job->before, &walk->before);
		after = pm_diff_known(&job->after, &walk->after);
		known = first_of(&before, &after);
		known = first_of(&known, &walk->to);
		if (!compare_span(job, walk, &known, &out))
			break;
		if (walk->at.page >= pages_of(job, span)) {
			walk->at = pm_next_span(&walk->at);
			flush(walk, span, &out);
			if (out.sums_capacity - out.sums_stored < PM_CHANGES)
				break;
		}
	}
	if (walk->at.page)
		flush(walk, walk->at.span, &out);
	if (!pm_before(&walk->at, &walk->to)) {
		error = check(&job->before);
		if (!error)
			error = check(&job->after);
	}
	*regions_stored = out.regions_stored;
	return error ? error : (int64_t)out.sums_stored;
}
