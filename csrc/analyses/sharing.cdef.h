/*
 * Which processes share which frames: a table from each frame to the set of those that
 * map it.
 */
#ifndef PM_ANALYSES_SHARING_CDEF_H
#define PM_ANALYSES_SHARING_CDEF_H

#include <stdint.h>

#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a shared frame is, by /proc/kpageflags. */
enum pm_kind {
	PM_KIND_ANONYMOUS = 0, /* private memory, shared since a fork */
	PM_KIND_FILE = 1,
	PM_KIND_SHMEM = 2, /* tmpfs, memfd, shared anonymous memory */
	PM_KIND_KSM = 3,
	PM_KIND_ZERO = 4, /* the page of zeros, huge or not: nobody's */
	PM_KIND_OTHER = 5,
	PM_KINDS = 6,
};

/* `count` frames in a row from `pfn` on, which the pages of one span map. */
struct pm_stretch {
	uint64_t pfn;
	uint32_t count;
	uint32_t span;
};

/*
 * The processes that map a frame: those of set `parent` (0: none) and `member`, a
 * number larger than theirs. Equal sets are one, so what a table holds for a frame is
 * a number; sets that begin alike are a tree. `label` says what the first of them maps
 * the frame as: sets of different labels are different.
 */
struct pm_set {
	uint32_t parent;
	uint32_t member;
	uint32_t label;
	uint32_t size;	   /* processes */
	uint64_t pages[6]; /* frames whose set this is, by enum pm_kind */
};

/*
 * All of it, in memory of the caller's. sets[0] is the empty set, and begins as zeros
 * (of the next two see PM_UNTOLD_ONE); `buckets` too, buckets_mask + 1 of them, a power of two, twice sets_capacity or more.
 * The table has an item for each frame from `first` on, the number of its set, and in the
 * highest bit whether the last member of it maps the frame more than once; both it and `touched`, a byte for each PM_TOUCHED of its items, begin as zeros.
 */
struct pm_sharing {
	uint32_t *table;
	uint8_t *touched;
	uint64_t first;
	uint64_t count;
	struct pm_set *sets;
	uint32_t *buckets;
	uint64_t buckets_mask;
	uint32_t sets_capacity; /* 2^31 at most: items have a bit more */
	uint32_t sets_count;	/* PM_FIRST_SET or more */
	uint32_t full;		/* there is to be no more room for sets: see PM_UNTOLD_ONE */
	uint32_t labels;	/* what `merged` has room for */
	uint64_t ignored;	/* bits of /proc/kpageflags that are not to be believed */
	uint64_t assumed;	/* bits that all words have, where nothing else tells of a frame */
	uint64_t end;		/* the first PFN that /proc/kpageflags has no word of */
	uint64_t beyond;	/* pages added that map such a frame, from `end` on */
	uint64_t *merged; /* by label: mappings of merged frames beyond one for each process */
	uint64_t *alone;  /* by member: frames that it alone maps; NULL: not asked for */
};

enum pm_sharing_limits {
	PM_TOUCHED = 1024, /* items of the table, 4 KiB, that are gone through or left alone */
	/* Sets of which nobody knows who is in them, for want of room: of one process, and of
	 * several (or of one that maps the frame twice). Like the empty set they begin as zeros,
	 * but for their sizes, 1 and 2; what is told of sets and members leaves them out. */
	PM_UNTOLD_ONE = 1,
	PM_UNTOLD_SEVERAL = 2,
	PM_FIRST_SET = 3,
};

/* The heaviest of many: a heap, the lightest of those kept first. */
struct pm_heavy {
	uint64_t weight;
	uint64_t index;
	uint64_t extra;
};

/* sharing_collect.c */

/*
 * The frames behind the pages from *from up to *to that are present and not marked
 * exclusive: what one process alone maps once cannot be shared. The mark is not believed
 * where a PMD may map the page, which from Linux 6.15 on has that of its first page. The
 * pages left out are added to *exclusive; NULL: none are left out. `out` has room for
 * `capacity` stretches, PM_READ_BLOCK or more; `scratch` holds PM_READ_BLOCK entries.
 * Returns the number of stretches or -errno: -ESRCH where the target is gone when all was
 * seen. *from becomes the place to go on, *seen the number of populated pages seen.
 */
int64_t pm_sharing_collect(const struct pm_source *source, struct pm_place *from,
			   const struct pm_place *to, uint64_t *scratch, struct pm_stretch *out,
			   uint64_t capacity, uint64_t *exclusive, uint64_t *seen);

/* sharing_sets.c */

/*
 * Add `member`, no smaller than those added before, to the sets of the frames of
 * `count` stretches; labels[span] is what it maps them as. Frames outside the table
 * are passed over, and with `join` those that have no set yet. Begins at stretch
 * at->span, frame at->page of it, and returns 0, or -ENOSPC when there are no more
 * sets: then *at is where to go on with more, or with `full` set.
 */
int64_t pm_sharing_add(struct pm_sharing *sharing, const struct pm_stretch *stretches,
		       uint64_t count, const uint32_t *labels, uint32_t member, uint32_t join,
		       struct pm_place *at);

/* Fill `buckets`, all zeros, anew: after the sets were moved into more room. */
void pm_sharing_rehash(struct pm_sharing *sharing);

/* sharing_groups.c */

/*
 * Let the sets of `to` be those of groups, from *at on of the sets of `from`, whose frames
 * were counted but not accumulated: groups[member] is the number of the group that a
 * process is in. Frames that several groups map count for their set, those of one group
 * in within[group][kind]. `sets` has a word for each set of `from`, zeros at first, and
 * `scratch` one for each group. The table of `to` is not used. Returns 0, or -ENOSPC as
 * pm_sharing_add: then *at is where to go on.
 */
int64_t pm_sharing_groups(const struct pm_sharing *from, const uint32_t *groups, uint32_t *at,
			  uint32_t *sets, uint32_t *scratch, struct pm_sharing *to,
			  uint64_t *within);

/* sharing_settle.c */

/*
 * Count into pages[] of each set the frames from `from` up to `to` of the table (`from`
 * is a multiple of PM_TOUCHED) that several processes map, or one that KSM merged, by
 * kind, but for those that nobody maps any more: `flags` is /proc/kpageflags, `counts` /proc/kpagecount, `scratch` holds twice
 * PM_READ_BLOCK words. With `alone` those that one process alone maps are added there. Those with the most processes are put into `top` (weight: how
 * many, index: the PFN, extra: the set and, above 32 bits, the kind), *top_count of
 * `capacity`. Returns the number of frames counted or -errno: -ENODATA where one of the
 * files ends before a frame that is in use.
 */
int64_t pm_sharing_settle(const struct pm_sharing *sharing, int flags, int counts, uint64_t from,
			  uint64_t to, uint64_t *scratch, struct pm_heavy *top, uint64_t capacity,
			  uint64_t *top_count);

/* sharing_sums.c */

/* Add to labels[label][kind] the frames of each set, and to saved[label] the frames
 * that there would be more if each process, and each mapping of a merged frame, had its own. */
void pm_sharing_labels(const struct pm_sharing *sharing, uint64_t *labels, uint64_t *saved);

/* Let pages[] of each set be those of all sets that begin with its members. */
void pm_sharing_accumulate(const struct pm_sharing *sharing);

/* After pm_sharing_accumulate: add to members[member][kind] the frames that each
 * shares with others. */
void pm_sharing_members(const struct pm_sharing *sharing, uint64_t *members);

/*
 * After pm_sharing_accumulate: add to pairs[j * (j - 1) / 2 + i][kind] the frames that
 * two processes share, i < j being ranks[] of them; UINT32_MAX: not asked for. One of
 * the two is a member below `below`. `scratch` has two items for each set.
 */
void pm_sharing_pairs(const struct pm_sharing *sharing, const uint32_t *ranks, uint32_t below,
		      uint32_t *scratch, uint64_t *pairs);

/* heaviest.c */

/* Put an item among the heaviest of those put so far, *count of `capacity` (1 or more). */
void pm_heaviest_put(struct pm_heavy *top, uint64_t capacity, uint64_t *count,
		     struct pm_heavy item);

/*
 * The heaviest of `count` rows of counts by kind, `stride` words apart; the page of
 * zeros weighs nothing, and rows that weigh nothing are left out. Returns how many there
 * are in `top`, of `capacity` (1 or more), from the heaviest on, equal ones by index.
 */
uint64_t pm_heaviest(const uint64_t *rows, uint64_t count, uint64_t stride, struct pm_heavy *top,
		     uint64_t capacity);

/* Sort what was put: from the heaviest on, equal ones by index. */
void pm_heaviest_sort(struct pm_heavy *top, uint64_t count);

#ifdef __cplusplus
}
#endif

#endif
