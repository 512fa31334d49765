/*
 * Regions of a process by what its pages are: see pagemap.h.
 */
#include <errno.h>
#include <stdint.h>

#include "include/pagemap.h"
#include "kernel/scan.cdef.h"
#include "library/gone.h"
#include "library/process.h"
#include "library/sized.h"

enum { FIRST_QUERY = 48 }; /* pm_region_query of the first release, in bytes */

static int64_t find_regions(const struct pm_process *process, const struct pm_region_query *asked,
			    uint64_t start, uint64_t end, struct pm_region *out, uint64_t capacity,
			    uint64_t *next)
{
	struct pm_region_query ours = { 0 };
	struct pm_query query;
	int32_t error = pm_process_pagemap(process);
	int64_t got;

	if (error >= 0)
		error = pm_sized_in(&ours, sizeof(ours), FIRST_QUERY, asked);
	if (error)
		return error;
	if (ours.flags || !out || !next || start > end || !pm_is_page(process, start) ||
	    !pm_is_page(process, end))
		return -EINVAL;
	query = (struct pm_query){
		.all_of = ours.all_of,
		.any_of = ours.any_of,
		.none_of = ours.none_of,
		.returned = ours.returned,
		.max_pages = ours.max_pages,
	};
	got = pm_scan(process->pagemap, &query, start, end, out, capacity, next);
	return got < 0 || *next >= end ? pm_unless_gone(process, got) : got;
}

int64_t pm_process_regions(const struct pm_process *process, const struct pm_region_query *query,
			   uint64_t start, uint64_t end, struct pm_region *out, uint64_t capacity,
			   uint64_t *next)
{
	const int before = errno;
	const int64_t got = find_regions(process, query, start, end, out, capacity, next);

	errno = before;
	return got;
}
