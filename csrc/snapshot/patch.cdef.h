/* What changed in a live page table since it was saved, into blocks. */
#ifndef PM_SNAPSHOT_PATCH_CDEF_H
#define PM_SNAPSHOT_PATCH_CDEF_H

#include <stdint.h>

#include "snapshot/saved.cdef.h"
#include "snapshot/take.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_patch_limits {
	PM_WINDOW_PAGES = 4096,	 /* a window is so many pages, from a multiple of it on */
	PM_PATCH_WINDOWS = 4096, /* windows that a step tells of, at most */
};

/* A window with anything in it: its number, and a hash of all that is in it. */
struct pm_window {
	uint64_t number;
	uint64_t hash;
};

/* What a page table was compared with, and where that stands. */
struct pm_patch {
	struct pm_saved *saved;		/* as it was then; NULL: nothing was */
	const struct pm_window *before; /* its windows, in order */
	uint64_t before_count;
	uint64_t before_at;	   /* those before it are done; 0 to begin with */
	struct pm_window *windows; /* those of now go here, PM_PATCH_WINDOWS in a step */
	uint64_t windows_count;	   /* how many there are after a step */
};

/* How many bytes of scratch a walk needs, zeros to begin with; one walk keeps it to its end. */
uint64_t pm_patch_scratch(void);

/*
 * As pm_take_step, but only what changed goes into blocks: pages with another entry or key as they
 * are now, and with key 0 those where nothing is any more. Only windows whose hash is another one
 * are read from what was saved. *done becomes 1 when all is looked at and told.
 */
int64_t pm_patch_step(const struct pm_taking *take, struct pm_patch *patch, struct pm_place *at,
		      const struct pm_place *to, uint8_t *scratch, uint8_t *out,
		      struct pm_saved_block *blocks, uint64_t *stored, uint64_t *ended,
		      uint32_t *done);

#ifdef __cplusplus
}
#endif

#endif
