/* An item of the table from frames to sets, taken apart. */
#ifndef PM_SHARING_H
#define PM_SHARING_H

#include <stdint.h>

#include "analyses/sharing.cdef.h"

/* The last member of the set maps the frame more than once. */
#define PM_TWICE (UINT32_C(1) << 31)

static inline uint32_t pm_set_of(uint32_t item)
{
	return item & ~PM_TWICE;
}

/*
 * The set of `parent` and `member`, larger than all in it, made if there is none; 0: there
 * is no room.
 */
uint32_t pm_sharing_grown(struct pm_sharing *sharing, uint32_t parent, uint32_t member,
			  uint32_t label);

#endif
