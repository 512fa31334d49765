/*
 * Regions out of entries, as PAGEMAP_SCAN would give them, for a kernel that
 * does not have it.
 */
#include <errno.h>
#include <stdint.h>

#include "core.h"
#include "uapi.h"

static inline uint64_t categories_of(uint64_t entry)
{
	return (uint64_t)pm_flag(entry, PM_FILE_BIT) * PM_UAPI_IS_FILE |
	       (uint64_t)pm_flag(entry, PM_PRESENT_BIT) * PM_UAPI_IS_PRESENT |
	       (uint64_t)pm_flag(entry, PM_SWAPPED_BIT) * PM_UAPI_IS_SWAPPED |
	       (uint64_t)pm_flag(entry, PM_SOFT_DIRTY_BIT) * PM_UAPI_IS_SOFT_DIRTY |
	       (uint64_t)pm_flag(entry, PM_GUARD_BIT) * PM_UAPI_IS_GUARD;
}

static inline int matches(const struct pm_query *query, uint64_t categories)
{
	return (categories & query->all_of) == query->all_of && !(categories & query->none_of) &&
	       (!query->any_of || (categories & query->any_of));
}

int64_t pm_classify(const uint64_t *entries, uint64_t count, uint64_t start, uint32_t page_shift,
		    const struct pm_query *query, struct pm_region *out, uint64_t capacity,
		    uint64_t *used)
{
	uint64_t stored = 0, pages = 0, i;

	if (!capacity)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		uint64_t categories = categories_of(entries[i]);
		uint64_t address = start + (i << page_shift);
		struct pm_region *last = out + stored - 1;

		if (!matches(query, categories))
			continue;
		categories &= query->returned;
		if (stored && last->end == address && last->categories == categories) {
			last->end += PM_BIT(page_shift);
		} else if (stored < capacity) {
			out[stored++] = (struct pm_region){
				.start = address,
				.end = address + PM_BIT(page_shift),
				.categories = categories,
			};
		} else {
			break;
		}
		if (++pages == query->max_pages) {
			i++;
			break;
		}
	}
	*used = i;
	return (int64_t)stored;
}
