/* Which pages were written, where a userfaultfd tracks that: in bulk, over ranges of addresses. */
#ifndef PM_HISTORY_WRITES_CDEF_H
#define PM_HISTORY_WRITES_CDEF_H

#include <stdint.h>

#include "kernel/scan.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ranges of addresses, in order, none of which overlap: each of one mapping. */
struct pm_writes {
	const uint64_t *bounds; /* `count` pairs: start and end in bytes, whole pages */
	/* of each range: whether it is private memory of a file, whose pages are the file's until
	 * they are written */
	const uint8_t *private_file;
	/* of each range whether it is of shared memory, and a number, which is the same as that of a
	 * range before where what was populated there is known to be of this one: of shared memory
	 * where the same part of the same file is in the same place; else 0. Not read by the first
	 * functions below. */
	const uint8_t *shared;
	const uint64_t *files;
	uint64_t count;
	uint64_t never; /* categories of pages that nobody wrote: the zero page, guard regions */
	int32_t fd;	/* /proc/PID/pagemap */
	int32_t userfaultfd; /* that tracks them; for pm_writes_round alone */
};

/* Where a walk over them stands; zeros: at the beginning. */
struct pm_writes_place {
	uint64_t range;
	uint64_t address; /* where to go on in it, unless it is below its start */
};

enum pm_writes_step {
	PM_WRITES_PEEK,	     /* written pages of what is tracked, which stay so */
	PM_WRITES_COLLECT,   /* the same, protected anew in the same step, so none is lost */
	PM_WRITES_POPULATED, /* pages that are there and may have been written, tracked or not */
};

/*
 * Mark in `found`, a byte for each range, those that nobody tracks: 1, else 0. Returns their number
 * or -errno. Costs a call for each of these, and no more: what is tracked is skipped by the kernel.
 */
int64_t pm_writes_untracked(const struct pm_writes *writes, uint8_t *found);

/* Protect all that is populated in what is tracked. Returns 0 or -errno. */
int64_t pm_writes_protect(const struct pm_writes *writes);

/*
 * Find the next pages by `step`: at most `capacity` regions (1 or more) into `out`, each within
 * one range, whose number its `categories` becomes. Returns how many or -errno, and moves *at,
 * whose range is `count` at the end. Regions in a row that touch are one; two of two calls may.
 */
int64_t pm_writes_next(const struct pm_writes *writes, enum pm_writes_step step,
		       struct pm_writes_place *at, struct pm_region *out, uint64_t capacity);

/* Regions in order of address, none of which overlap. */
struct pm_regions {
	const struct pm_region *regions;
	uint64_t count;
};

/* Pages that were populated, by the ranges of that time: their `categories` are the numbers of
 * these, of each of which `files` has what it has in struct pm_writes. */
struct pm_writes_before {
	struct pm_regions found;
	const uint64_t *files;
};

/*
 * As pm_writes_next, and in the same look what is known to have been populated `before`.
 *
 * Of shared memory: what has neither an entry nor a mark. The `categories` of that become the
 * number of its range with `writes->count` added. PM_WRITES_COLLECT leaves a mark there, so that it
 * goes on to be populated. So does what got a mark, but was not populated: with twice that added.
 *
 * Of private memory: what is the zero page now, and not protected, as any other page. (What was not
 * populated, and is, was only read.)
 */
int64_t pm_writes_round(const struct pm_writes *writes, const struct pm_writes_before *before,
			enum pm_writes_step step, struct pm_writes_place *at, struct pm_region *out,
			uint64_t capacity);

/*
 * Find the next guard regions, of what is tracked, from address *start on, below `end`. Returns how
 * many or -errno; *start becomes where to go on, `end` when all was seen.
 */
int64_t pm_writes_guards(int32_t fd, uint64_t *start, uint64_t end, struct pm_region *guards,
			 uint64_t capacity);

/*
 * Find the next pages that were populated `before`, as above, and have a guard now, where that is
 * among `writes->never`. Regions, capacity, `at` and result are as of pm_writes_next.
 */
int64_t pm_writes_guarded(const struct pm_writes *writes, const struct pm_writes_before *before,
			  struct pm_writes_place *at, struct pm_region *out, uint64_t capacity);

/*
 * What is populated now: what was `before`, less `gone`, more `written`, whose
 * `categories` are not read and which may lie across ranges. Stores the first of them in `out`,
 * at most `capacity` regions, with the numbers of their ranges as `categories`. Returns how many.
 */
int64_t pm_writes_kept(const struct pm_writes *writes, const struct pm_writes_before *before,
		       const struct pm_regions *gone, const struct pm_regions *written,
		       struct pm_region *out, uint64_t capacity);

#ifdef __cplusplus
}
#endif

#endif
