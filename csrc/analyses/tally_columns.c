/*
 * Counts of many mappings as columns, and what stands behind each.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "analyses/tally.cdef.h"

_Static_assert(sizeof(struct pm_counts) == PM_COUNTS * sizeof(uint64_t), "a field is a column");

void pm_backing_of(const int32_t *perms, const int32_t *devices, const int32_t *paths,
		   uint64_t count, const uint8_t *is_private, const uint8_t *of_device,
		   const uint8_t *of_path, uint8_t *backing)
{
	for (uint64_t i = 0; i < count; i++) {
		uint8_t by = of_device[devices[i]];

		if (by == PM_BACKED_BY_PATH)
			by = of_path[paths[i]];
		if (is_private[perms[i]] && by != PM_BACKED_BY_NONE && by != PM_BACKED_BY_HUGETLB)
			by |= PM_MIXED;
		backing[i] = by;
	}
}

int64_t pm_counts_columns(const struct pm_counts *counts, const uint8_t *backing, uint64_t count,
			  uint32_t page_shift, int64_t *columns, uint8_t *parts_known,
			  uint8_t *kinds_known)
{
	int64_t *const file = columns + PM_COLUMN_FILE * count;
	int64_t *const shmem = columns + PM_COLUMN_SHMEM * count;
	int64_t unknown = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t *fields = (const uint64_t *)(counts + i);
		const int64_t others = (int64_t)(counts[i].file_or_shared << page_shift);
		const uint8_t by = backing[i] & PM_BACKINGS;

		for (uint64_t field = 0; field < PM_COUNTS; field++)
			columns[field * count + i] = (int64_t)(fields[field] << page_shift);
		file[i] = by == PM_BACKED_BY_FILE ? others : 0;
		shmem[i] = by == PM_BACKED_BY_SHMEM ? others : 0;
		parts_known[i] = !others || by == PM_BACKED_BY_FILE || by == PM_BACKED_BY_SHMEM;
		kinds_known[i] = !counts[i].hidden;
		unknown |= parts_known[i] ? 0 : PM_UNKNOWN_PARTS;
		unknown |= kinds_known[i] ? 0 : PM_UNKNOWN_KINDS;
	}
	return unknown;
}
