/* Steps through a saved page table. */
#ifndef PM_SNAPSHOT_SAVED_H
#define PM_SNAPSHOT_SAVED_H

#include <stdint.h>

#include "snapshot/saved.cdef.h"
#include "snapshot/unpack.h"

/* Pages in a row: of one segment, or of none, with entry 0 and key 0. */
struct pm_piece {
	uint64_t vpn;
	uint64_t count;
	uint64_t entry;
	uint64_t step;
	uint64_t key;
};

/* The piece that begins at `vpn`, cut at `end`, which is above it. Returns 0 or -errno. */
int pm_saved_piece(struct pm_saved *saved, uint64_t vpn, uint64_t end, struct pm_piece *piece);

#endif
