/* A walk through live pages, into blocks or against what was saved before. */
#ifndef PM_SNAPSHOT_TAKE_H
#define PM_SNAPSHOT_TAKE_H

#include <stdint.h>

#include "kernel/scan.cdef.h"
#include "snapshot/pack.h"
#include "snapshot/take.cdef.h"

enum pm_take_sizes {
	PM_TAKE_REGIONS = 512, /* of one scan: as many as the kernel collects at a time */
};

struct pm_take_memory {
	struct pm_pack pack;
	struct pm_region regions[PM_TAKE_REGIONS];
	uint64_t entries[PM_READ_BLOCK];
};

struct pm_patching;

struct pm_step {
	const struct pm_taking *take;
	const struct pm_place *to;
	struct pm_place at;
	struct pm_take_memory *memory;
	struct pm_patching *patch; /* NULL: all goes into blocks */
	uint64_t looked;
	uint64_t *ended;
};

/* Walk on until all is looked at, or memory for blocks or windows is full. Returns 0 or -errno. */
int pm_take_walk(struct pm_step *step);

#endif
