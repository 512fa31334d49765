/*
 * Regions out of entries, as PAGEMAP_SCAN would give them, for a kernel that
 * does not have it, and where it calls swapped what is not in swap.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/entry_kinds.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "walk/classify.cdef.h"

static const uint64_t told = PM_UAPI_IS_FILE | PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED |
			     PM_UAPI_IS_SOFT_DIRTY | PM_UAPI_IS_GUARD;

/* In swap, and not merely with bit 62. */
static inline uint64_t swapped(uint64_t entry, const struct pm_batch *batch)
{
	uint32_t kind;

	if (!pm_flag(entry, PM_SWAPPED_BIT))
		return 0;
	kind = pm_kind_of_entry(entry, batch->kinds);
	return kind == PM_ENTRY_SWAP || (kind == PM_ENTRY_HIDDEN && batch->hidden_is_swap);
}

static inline uint64_t categories_of(uint64_t entry, const struct pm_batch *batch)
{
	return (uint64_t)pm_flag(entry, PM_FILE_BIT) * PM_UAPI_IS_FILE |
	       (uint64_t)pm_flag(entry, PM_PRESENT_BIT) * PM_UAPI_IS_PRESENT |
	       swapped(entry, batch) * PM_UAPI_IS_SWAPPED |
	       (uint64_t)pm_flag(entry, PM_SOFT_DIRTY_BIT) * PM_UAPI_IS_SOFT_DIRTY |
	       (uint64_t)pm_flag(entry, PM_GUARD_BIT) * PM_UAPI_IS_GUARD;
}

static inline int matches(const struct pm_query *query, uint64_t categories)
{
	return (categories & query->all_of) == query->all_of && !(categories & query->none_of) &&
	       (!query->any_of || (categories & query->any_of));
}

/* The regions found so far. */
struct found {
	const struct pm_query *query;
	const struct pm_batch *batch;
	struct pm_region *out;
	uint64_t capacity;
	uint64_t stored;
	uint64_t pages; /* in all regions */
};

/* Judge entries of the `count` pages at `address`; returns how many were judged
 * before a region did not fit, or the limit of pages was met. `scanned` are the
 * categories of all of them that an entry does not tell. */
static uint64_t judge(struct found *found, const uint64_t *entries, uint64_t count,
		      uint64_t address, uint32_t page_shift, uint64_t scanned)
{
	const struct pm_query *query = found->query;
	uint64_t i;

	for (i = 0; i < count; i++, address += PM_BIT(page_shift)) {
		uint64_t categories = categories_of(entries[i], found->batch) | scanned;
		struct pm_region *last = found->out + found->stored - 1;

		if (!matches(query, categories))
			continue;
		categories &= query->returned;
		if (found->stored && last->end == address && last->categories == categories) {
			last->end += PM_BIT(page_shift);
		} else if (found->stored < found->capacity) {
			found->out[found->stored++] = (struct pm_region){
				.start = address,
				.end = address + PM_BIT(page_shift),
				.categories = categories,
			};
		} else {
			break;
		}
		if (++found->pages == query->max_pages)
			return i + 1;
	}
	return i;
}

int64_t pm_classify(struct pm_batch *batch, uint32_t page_shift, const struct pm_query *query,
		    struct pm_region *out, uint64_t capacity)
{
	struct found found = {
		.query = query,
		.batch = batch,
		.out = out,
		.capacity = capacity,
	};

	if (!capacity)
		return -EINVAL;
	while (batch->range < batch->ranges_count) {
		const struct pm_range *range = batch->ranges + batch->range;
		uint64_t rest = range->count - batch->page;
		uint64_t scanned = batch->scanned ? batch->scanned[batch->range] & ~told : 0;
		uint64_t judged = judge(&found, batch->entries + batch->entry, rest,
					(range->vpn + batch->page) << page_shift, page_shift,
					scanned);

		batch->entry += judged;
		batch->page += judged;
		if (judged < rest)
			break;
		batch->range++;
		batch->page = 0;
		if (found.pages && found.pages == query->max_pages)
			break;
	}
	return (int64_t)found.stored;
}
