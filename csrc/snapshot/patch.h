/* The window of a page table that a walk is in. */
#ifndef PM_SNAPSHOT_PATCH_H
#define PM_SNAPSHOT_PATCH_H

#include <stdint.h>

#include "snapshot/pack.h"
#include "snapshot/patch.cdef.h"

struct pm_patching {
	struct pm_patch *patch;
	struct pm_pack *pack;
	uint64_t number; /* of the window that is filled, */
	uint64_t filled; /* if one is */
	uint64_t full;	 /* no window more can be told of in this step */
	uint64_t entries[PM_WINDOW_PAGES];
	uint64_t extras[PM_WINDOW_PAGES];
	uint64_t old_entries[PM_WINDOW_PAGES];
	uint64_t old_extras[PM_WINDOW_PAGES];
};

/*
 * Be done with all windows before that of page *first, and cut *last at the end of that one.
 * Returns 1, 0 where there is no memory for that in this step, or -errno.
 */
int pm_patch_reach(struct pm_patching *patching, const uint64_t *first, uint64_t *last);

/* Add pages of the window that was reached, as pm_pack_entries. */
void pm_patch_add(struct pm_patching *patching, uint64_t vpn, const uint64_t *entries,
		  uint64_t count, uint64_t extra);

#endif
