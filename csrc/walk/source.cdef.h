/* What a walk goes through. */
#ifndef PM_WALK_SOURCE_CDEF_H
#define PM_WALK_SOURCE_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Entries that were kept: those who make a struct pm_reader know what it is. */
struct pm_saved;

/*
 * How entries are read that are in no live page table: as pm_read and pm_scan do, with
 * -EBADMSG where what was kept is damaged. Unlike theirs, calls have a state, `saved`: one
 * thread at a time makes them.
 */
struct pm_reader {
	int64_t (*read)(struct pm_saved *saved, uint64_t vpn, uint64_t count, uint64_t *out);
	int64_t (*scan)(struct pm_saved *saved, const struct pm_query *query, uint64_t start,
			uint64_t end, struct pm_region *out, uint64_t capacity, uint64_t *next);
	/* how many pages from `vpn` up to `end` have nothing at all, no flag either */
	int64_t (*empty)(struct pm_saved *saved, uint64_t vpn, uint64_t end);
	/* another one, for another thread or for longer; NULL, and errno, where it cannot be had */
	struct pm_saved *(*copy)(const struct pm_saved *saved);
	void (*drop)(struct pm_saved *copy);
	struct pm_saved *saved;
};

/* Pages of a process, and how their entries are read. */
struct pm_source {
	const struct pm_range *spans; /* in order, see spans.cdef.h */
	uint64_t spans_count;
	int32_t fd;			/* /proc/PID/pagemap, where there is no reader */
	uint32_t page_shift;		/* log2 of the page size: 12..16 */
	uint32_t use_scan;		/* a scan may skip what is empty */
	const struct pm_reader *reader; /* NULL: the page table is live */
};

#ifdef __cplusplus
}
#endif

#endif
