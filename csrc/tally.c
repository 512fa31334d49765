/*
 * How many pages carry each bit.
 */
#include <stdint.h>

#include "core.h"

void pm_tally(const uint64_t *entries, uint64_t count, struct pm_tally *tally)
{
	struct pm_tally sum = { .pages = count };

	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = entries[i];

		sum.present += entry >> PM_PRESENT_BIT;
		sum.swapped += entry >> PM_SWAPPED_BIT & 1;
		sum.file_or_shared += entry >> PM_FILE_BIT & 1;
		sum.exclusive += entry >> PM_EXCLUSIVE_BIT & 1;
		sum.soft_dirty += entry >> PM_SOFT_DIRTY_BIT & 1;
		sum.uffd_wp += entry >> PM_UFFD_WP_BIT & 1;
		sum.guard += entry >> PM_GUARD_BIT & 1;
		sum.anonymous += (entry & ~(entry << (63 - PM_FILE_BIT))) >> PM_PRESENT_BIT;
	}

	pm_tally_add(&sum, 1, tally);
}

void pm_tally_add(const struct pm_tally *from, uint64_t count, struct pm_tally *to)
{
	for (uint64_t i = 0; i < count; i++) {
		to[i].pages += from[i].pages;
		to[i].present += from[i].present;
		to[i].swapped += from[i].swapped;
		to[i].file_or_shared += from[i].file_or_shared;
		to[i].exclusive += from[i].exclusive;
		to[i].soft_dirty += from[i].soft_dirty;
		to[i].uffd_wp += from[i].uffd_wp;
		to[i].guard += from[i].guard;
		to[i].anonymous += from[i].anonymous;
		to[i].huge += from[i].huge;
	}
}
