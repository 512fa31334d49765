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

	tally->pages += sum.pages;
	tally->present += sum.present;
	tally->swapped += sum.swapped;
	tally->file_or_shared += sum.file_or_shared;
	tally->exclusive += sum.exclusive;
	tally->soft_dirty += sum.soft_dirty;
	tally->uffd_wp += sum.uffd_wp;
	tally->guard += sum.guard;
	tally->anonymous += sum.anonymous;
}
