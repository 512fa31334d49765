/* How many pages of each mapping lie on which NUMA node. */
#ifndef PM_ANALYSES_NODES_CDEF_H
#define PM_ANALYSES_NODES_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Frames from `start` up to `end`, which are counted in the same column. */
struct pm_node_part {
	uint64_t start;
	uint64_t end;
	uint64_t column; /* less than `columns` */
};

/*
 * A table of pages by mapping and node. `parts` are ascending and do not overlap; frames
 * of none of them are counted in the last column. `mappings` are ascending too.
 */
struct pm_node_table {
	const struct pm_node_part *parts;
	uint64_t parts_count;
	const struct pm_range *mappings; /* a row for each */
	uint64_t mappings_count;
	uint64_t columns; /* 1 at least */
	uint64_t *counts; /* mappings_count rows of `columns` numbers */
};

/*
 * Add the present pages among the entries of runs_count runs, which lie one after another
 * in `entries`, to the counts. Pages of no mapping and those whose PFN is hidden are left
 * out. Returns how many pages were counted, or -EINVAL for a part in no column.
 */
int64_t pm_nodes(const uint64_t *entries, const struct pm_range *runs, uint64_t runs_count,
		 const struct pm_node_table *table);

#ifdef __cplusplus
}
#endif

#endif
