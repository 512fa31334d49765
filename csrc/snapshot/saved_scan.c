/* Regions of a saved page table, as PAGEMAP_SCAN finds them in a live one. */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "snapshot/saved.cdef.h"
#include "snapshot/saved.h"

static const uint64_t known = PM_UAPI_IS_FILE | PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED |
			      PM_UAPI_IS_PFNZERO | PM_UAPI_IS_HUGE | PM_UAPI_IS_SOFT_DIRTY |
			      PM_UAPI_IS_GUARD;

static uint64_t categories_of(const struct pm_piece *piece)
{
	const uint64_t entry = piece->entry;
	/* a scan calls no page of zeros a file's, though entries of the huge one have the mark */
	const uint64_t file = pm_flag(entry, PM_FILE_BIT) && !(piece->key & PM_KEY_ZERO);

	return file * PM_UAPI_IS_FILE |
	       (uint64_t)pm_flag(entry, PM_PRESENT_BIT) * PM_UAPI_IS_PRESENT |
	       (uint64_t)pm_flag(entry, PM_SWAPPED_BIT) * PM_UAPI_IS_SWAPPED |
	       (uint64_t)pm_flag(entry, PM_SOFT_DIRTY_BIT) * PM_UAPI_IS_SOFT_DIRTY |
	       (uint64_t)pm_flag(entry, PM_GUARD_BIT) * PM_UAPI_IS_GUARD |
	       (piece->key & PM_KEY_HUGE ? PM_UAPI_IS_HUGE : 0) |
	       (piece->key & PM_KEY_ZERO ? PM_UAPI_IS_PFNZERO : 0);
}

static int matches(const struct pm_query *query, uint64_t categories)
{
	return (categories & query->all_of) == query->all_of && !(categories & query->none_of) &&
	       (!query->any_of || (categories & query->any_of));
}

int64_t pm_saved_empty(struct pm_saved *saved, uint64_t vpn, uint64_t end)
{
	const uint64_t first = vpn;

	while (vpn < end) {
		struct pm_piece piece;
		int error = pm_saved_piece(saved, vpn, end, &piece);

		if (error)
			return error;
		if (piece.entry || piece.step || piece.key)
			break;
		vpn += piece.count;
	}
	return (int64_t)(vpn - first);
}

int64_t pm_saved_scan(struct pm_saved *saved, const struct pm_query *query, uint64_t start,
		      uint64_t end, struct pm_region *out, uint64_t capacity, uint64_t *next)
{
	const uint32_t shift = saved->page_shift;
	uint64_t vpn = start >> shift, last = end >> shift, stored = 0;
	uint64_t left = query->max_pages ? query->max_pages : UINT64_MAX;

	if (!capacity || start > end ||
	    ((query->all_of | query->any_of | query->none_of | query->returned) & ~known))
		return -EINVAL;
	if (last > saved->end_page)
		return -EFAULT;
	while (vpn < last && left) {
		struct pm_region *region = out + stored - 1;
		struct pm_piece piece;
		uint64_t categories;
		int error = pm_saved_piece(saved, vpn, last, &piece);

		if (error)
			return error;
		categories = categories_of(&piece);
		if (!matches(query, categories)) {
			vpn += piece.count;
			continue;
		}
		categories &= query->returned;
		if (piece.count > left)
			piece.count = left;
		if (stored && region->end == vpn << shift && region->categories == categories) {
			region->end += piece.count << shift;
		} else if (stored < capacity) {
			out[stored++] = (struct pm_region){
				.start = vpn << shift,
				.end = (vpn + piece.count) << shift,
				.categories = categories,
			};
		} else {
			break;
		}
		left -= piece.count;
		vpn += piece.count;
	}
	*next = vpn << shift;
	return (int64_t)stored;
}
