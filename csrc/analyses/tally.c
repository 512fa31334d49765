/*
 * How many pages carry each bit.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "analyses/tally.cdef.h"

enum {
	TOGETHER = 16, /* entries whose flags are compared at a time */
	MIXED = 256,   /* that are counted one by one where those are not alike */
};

static void add_each(const uint64_t *entries, uint64_t count, struct pm_tally *to)
{
	struct pm_tally sum = { 0 };

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
	to->present += sum.present;
	to->swapped += sum.swapped;
	to->file_or_shared += sum.file_or_shared;
	to->exclusive += sum.exclusive;
	to->soft_dirty += sum.soft_dirty;
	to->uffd_wp += sum.uffd_wp;
	to->guard += sum.guard;
	to->anonymous += sum.anonymous;
}

/* Add `count` pages with the flags of `entry`. */
static void add_alike(uint64_t entry, uint64_t count, struct pm_tally *to)
{
	struct pm_tally one = { 0 };

	add_each(&entry, 1, &one);
	to->present += one.present * count;
	to->swapped += one.swapped * count;
	to->file_or_shared += one.file_or_shared * count;
	to->exclusive += one.exclusive * count;
	to->soft_dirty += one.soft_dirty * count;
	to->uffd_wp += one.uffd_wp * count;
	to->guard += one.guard * count;
	to->anonymous += one.anonymous * count;
}

/* How many of entries[0..count), in steps of TOGETHER, have the flags of the first. */
static uint64_t alike(const uint64_t *entries, uint64_t count)
{
	uint64_t done = 0;

	for (; count - done >= TOGETHER; done += TOGETHER) {
		uint64_t differ = 0;

		for (unsigned i = 0; i < TOGETHER; i++)
			differ |= entries[done + i] ^ entries[0];
		if (differ >> PM_SOFT_DIRTY_BIT)
			break;
	}
	return done;
}

void pm_tally_add(const uint64_t *entries, uint64_t count, struct pm_tally *tally)
{
	tally->pages += count;
	while (count) {
		/* most memory is in long stretches of pages alike */
		uint64_t done = alike(entries, count);

		if (done) {
			add_alike(entries[0], done, tally);
		} else {
			done = count < MIXED ? count : MIXED;
			add_each(entries, done, tally);
		}
		entries += done;
		count -= done;
	}
}
