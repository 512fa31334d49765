/*
 * What memory comes back when all processes of a group end: a table from each frame to
 * the group that maps it, and how often.
 */
#ifndef PM_ANALYSES_FREED_CDEF_H
#define PM_ANALYSES_FREED_CDEF_H

#include <stdint.h>

#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a page is, by its entry, and by what backs its mapping. */
enum pm_holding_kind {
	PM_HOLDING_ANON = 0,	/* comes back once nobody maps it */
	PM_HOLDING_FILE = 1,	/* stays in the page cache, and can be dropped */
	PM_HOLDING_OTHER = 2,	/* shared memory that stays, and memory of drivers */
	PM_HOLDING_HUGETLB = 3, /* goes back to its pool */
	PM_HOLDING_KINDS = 4,
	PM_HOLDING_SLOT = 4,	  /* no page: a slot of a swap area */
	PM_HOLDING_ELSEWHERE = 8, /* beside that of a span: what is not anonymous is passed over */
};

/*
 * `count` pages of a process: frames in a row from PFN `at` on, or slots in a row from the
 * place `at` of an entry. Those that are `sole` are known to be mapped once, and `at` is 0.
 * Those that are `aligned` may be mapped by a PMD.
 */
struct pm_holding {
	uint64_t at;
	uint32_t count;
	uint16_t kind;
	uint8_t sole;
	uint8_t aligned;
};

/* What to look for in a process. */
struct pm_holding_search {
	const uint8_t *kinds; /* for each span: PM_HOLDING_HUGETLB, or what it has beside ANON */
	const uint8_t *swap_kinds; /* as of entry_kinds.cdef.h, of which there are 32 */
	uint64_t zero_first;	   /* the small pages of zeros, which are nobody's */
	uint64_t zero_count;
	uint32_t no_small_folios; /* no anonymous folio is smaller than what a PMD maps */
	uint32_t slots_alone;	  /* look for slots of swap areas, and nothing else */
};

/* What a group has; all but `unmapped` and the slots by enum pm_holding_kind. */
struct pm_holder {
	uint64_t mapped[4]; /* frames that it maps, each once */
	uint64_t sole[4];   /* of these, those that nobody else maps, nor any part of their folio */
	uint64_t unmapped;  /* frames that nobody maps, of folios that come back whole */
	uint64_t slots;	    /* of swap areas */
	uint64_t sole_slots;
};

enum pm_freed_limits {
	PM_FREED_TOUCHED = 512, /* items for which there is one byte in `touched`: 4 KiB */
	PM_FREED_AREAS = 32,	/* swap areas there can be */
};

/*
 * All of it, in memory of the caller's. The table has an item for each frame from `first`
 * on, `slots` one for each slot of all swap areas; area i has those from areas[i] up to
 * areas[i + 1]. Both tables, `touched` bytes and holders begin as zeros.
 */
struct pm_freed {
	uint64_t *table;
	uint8_t *touched;
	uint64_t first;
	uint64_t count;
	uint64_t end; /* the first PFN that /proc/kpageflags has no word of */
	uint32_t *slots;
	uint8_t *slots_touched;
	uint64_t areas[33];
	struct pm_holder *holders;
	uint64_t beyond;    /* pages added whose frame, or slot, is in no table */
	uint64_t huge_zero; /* the first frame of the huge page of zeros; 0: not met */
	uint32_t again;	    /* the processes are gone through for another window of frames */
	uint32_t pmd_order;
};

/* freed_collect.c */

/*
 * What the process holds from *from up to *to, into `out`, which has room for `capacity`,
 * PM_READ_BLOCK or more; `scratch` holds PM_READ_BLOCK entries. Returns the number of
 * holdings or -errno: -ESRCH where the target is gone when all was seen. *from becomes the
 * place to go on, *seen the number of populated pages seen.
 */
int64_t pm_freed_collect(const struct pm_source *source, const struct pm_holding_search *search,
			 struct pm_place *from, const struct pm_place *to, uint64_t *scratch,
			 struct pm_holding *out, uint64_t capacity, uint64_t *seen);

/* freed_table.c */

/*
 * Add `count` holdings of a process to what holder number `holder` has. All processes of
 * a holder are added one after another, and each once. `flags` is /proc/kpageflags.
 * Returns 0 or -errno.
 */
int64_t pm_freed_add(struct pm_freed *freed, const struct pm_holding *holdings, uint64_t count,
		     uint32_t holder, int flags);

/* Count the slots of swap areas that one holder alone has. Last, and once. */
void pm_freed_slots(const struct pm_freed *freed);

/* freed_settle.c */

/*
 * Count the frames from `from` up to `to` of the table that one holder alone maps; both are
 * multiples of 2^pmd_order, or the end. `flags` is /proc/kpageflags, `counts`
 * /proc/kpagecount, `scratch` holds four times PM_READ_BLOCK words. Returns the number of frames
 * looked at or -errno: -ENODATA where one of the files ends before a frame that is in use.
 */
int64_t pm_freed_settle(const struct pm_freed *freed, int flags, int counts, uint64_t from,
			uint64_t to, uint64_t *scratch);

#ifdef __cplusplus
}
#endif

#endif
