/* What a walk goes through. */
#ifndef PM_WALK_SOURCE_CDEF_H
#define PM_WALK_SOURCE_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pages of a process, and how their entries are read. */
struct pm_source {
	const struct pm_range *spans; /* in order, see spans.cdef.h */
	uint64_t spans_count;
	int32_t fd;	     /* /proc/PID/pagemap */
	uint32_t page_shift; /* log2 of the page size: 12..16 */
	uint32_t use_scan;   /* PAGEMAP_SCAN may skip what is empty */
};

#ifdef __cplusplus
}
#endif

#endif
