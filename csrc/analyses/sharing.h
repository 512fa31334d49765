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

#endif
