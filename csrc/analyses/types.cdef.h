/*
 * Kinds of pages: how many have which flags, and which lie where.
 */
#ifndef PM_ANALYSES_TYPES_CDEF_H
#define PM_ANALYSES_TYPES_CDEF_H

#include <stdint.h>

#include "kernel/kpage.cdef.h"
#include "kernel/read.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many pages have these flags. */
struct pm_type {
	uint64_t flags;
	uint64_t pages;
	uint64_t frames; /* that they lie in, less those that others were seen in before */
	uint64_t kept;	 /* 1, or 0 while they are counted: a filter has them left out */
};

/* Pages in a row that are alike, in memory as well as where they are mapped. */
struct pm_types_run {
	uint64_t place; /* the first virtual page, or the first page of a file; of memory: the PFN */
	uint64_t pfn;	/* of pages in swap: where in their swap area they lie */
	uint64_t swapped; /* 0 in memory, 1 in swap, 2 neither: a guard, or a marker, say */
	uint64_t count;
	uint64_t flags;	   /* PM_NO_VALUE: not known */
	uint64_t mapcount; /* 0 unless asked for, and of swapped pages */
	uint64_t cgroup;   /* the same: the inode of a memory cgroup */
};

/* Flags to keep: those with (flags & mask) == bits; where `any` is not 0, those
 * with (flags & mask) != 0. */
struct pm_types_filter {
	uint64_t mask;
	uint64_t bits;
	uint64_t any;
};

/* Of a range of a file: its cached pages that are charged to one memory cgroup. */
struct pm_types_share {
	uint64_t range;	 /* the number of the range */
	uint64_t cgroup; /* inode; 0 of all pages together, where kpagecgroup is not read */
	uint64_t pages;
	uint64_t active; /* pages among them on an active list, */
	uint64_t mapped; /* and those that are mapped */
	uint64_t dirty;
	uint64_t mapcount; /* how often that page is mapped that is mapped most often */
};

/* A page of a file that lies in a frame which is looked for. */
struct pm_types_hit {
	uint64_t range; /* the number of the range */
	uint64_t page;
	uint64_t pfn;
};

enum pm_types_list {
	PM_TYPES_COUNTS = 0, /* how many pages are alike */
	PM_TYPES_ALIKE = 1,  /* rows of pages side by side that are */
	PM_TYPES_EACH = 2,   /* a row for each page */
	PM_TYPES_SHARES = 3, /* of files: how much of each range is charged to which cgroup */
	PM_TYPES_HITS = 4    /* of files: pages in frames that are looked for */
};

/* Where to look, and what for. Files that are not needed are -1. */
struct pm_types_job {
	struct pm_source source; /* of the pages of a file: our own pagemap, and no spans */
	int32_t kpageflags;
	int32_t kpagecount;
	int32_t kpagecgroup;
	uint32_t raw;  /* see pm_types_word */
	uint32_t list; /* an enum pm_types_list: what is wanted */
	uint32_t by_cgroup;
	int32_t sink;	 /* for the pages of files: one in memory, which takes a byte of each */
	uint64_t cgroup; /* with by_cgroup: only frames of this memory cgroup */
	const uint8_t *kinds;  /* of swap types; NULL: all are swap */
	uint64_t all_of;       /* entries alone with all of these bits, */
	uint64_t none_of;      /* with none of these, */
	uint64_t kinds_wanted; /* and whose kind has its bit here; 0: all, and kinds may be NULL */
	const struct pm_types_filter *filters; /* all of them must hold */
	uint64_t filters_count;
	/*
	 * A bit for each of `seen_count` frames, set where a page that was counted lies
	 * in it; several threads may do so. NULL: each page is taken to lie in another.
	 */
	uint64_t *seen;
	uint64_t seen_count;
	uint32_t once; /* pages in frames that were seen before are left out, not counted */
	const uint64_t *sought; /* of hits: PFNs, ascending, each once; their flags are not read */
	uint64_t sought_count;
};

/* Some pages of a file. */
struct pm_types_range {
	uint64_t page;
	uint64_t count;
	int32_t file;
	/* what mincore takes for cached is asked of cachestat again; see PM_SWAP_IS_CACHED */
	int32_t ask_again;
	int64_t failed; /* out: 0, or a negative errno: then there are no pages of it */
};

/* What a step needs and gives: columns of `capacity` items, unless said otherwise. */
struct pm_types_block {
	uint64_t capacity;
	uint64_t *entries;
	uint64_t *pfns; /* may be `flags` where no list is wanted */
	uint64_t *flags;
	uint64_t *mapcounts; /* NULL unless kpagecount is read */
	uint64_t *cgroups;   /* NULL unless kpagecgroup is read */
	struct pm_range *runs;
	struct pm_wish *wishes;
	struct pm_wish *spare;
	uint64_t *scratch; /* PM_READ_BLOCK words */
	uint32_t *slots;   /* `slots_count` of them: a power of 2, above capacity */
	uint64_t slots_count;
	struct pm_type *types;	   /* found, where no list is wanted, */
	struct pm_types_run *rows; /* where one is, */
	struct pm_types_share *shares;
	struct pm_types_hit *hits; /* or one of these; the others are NULL */
	uint64_t found;		   /* how many types or rows there are */
	uint64_t looked;	   /* pages looked at */
	uint64_t unknown;	 /* among them those of frames that the kernel tells nothing of, */
	uint64_t unknown_frames; /* and the frames, as in pm_type; with a list they have rows */
};

/* Rows as columns, of as many items as there are rows. */
struct pm_types_columns {
	uint64_t *place; /* in the unit that was asked for */
	uint64_t *pfn;
	uint64_t *swap_offset;
	uint64_t *pages;
	uint64_t *mapcount;
	uint64_t *cgroup;
	uint64_t *flags;
	int32_t *numbers; /* of each row's flags among `words` */
	uint8_t *has_pfn; /* 1, or 0 where the kernel tells none */
	uint8_t *in_swap;
	uint8_t *has_mapcount;
	uint8_t *has_cgroup;
	uint8_t *has_flags;
	uint64_t *words;      /* the different flags, in the order in which they came, */
	uint64_t words_count; /* and how many they are: out */
	uint32_t *slots;      /* `slots_count` of them, zero: a power of 2, above the rows */
	uint64_t slots_count;
};

/* Split `count` rows into columns; places are multiplied by `unit`. */
void pm_types_split(const struct pm_types_run *rows, uint64_t count, uint64_t unit,
		    struct pm_types_columns *columns);

/*
 * The flags of a page as they are shown, of its word in /proc/kpageflags and its
 * entry in pagemap, or 0 where there is none.
 *
 * Without `raw`: the word less what means nothing in it (pm_kpage_known), what is
 * kernel-internal (bits 32..47), and compound_head and compound_tail but for hugetlb. With it: all bits; one that
 * means another thing in this place is moved to a bit of its own (from 47 on, see
 * flags.py), and the entry's soft-dirty, file, swapped and exclusive are added.
 */
uint64_t pm_types_word(uint64_t word, uint64_t entry, uint32_t raw);

/*
 * Look at the present and the swapped pages of job->spans, from *from on, at most
 * as many as a block holds and not past *to; *from becomes the place to go on.
 * Returns how many types or rows there are in the block (its `found`), or -errno.
 */
int64_t pm_types_of_spans(const struct pm_types_job *job, struct pm_place *from,
			  const struct pm_place *to, struct pm_types_block *block);

/* The same of frames from *pfn up to, without, `end`, or the machine's last frame. */
int64_t pm_types_of_memory(const struct pm_types_job *job, uint64_t *pfn, uint64_t end,
			   struct pm_types_block *block);

/*
 * The same of those pages of `count` ranges of files, of no more pages than a block
 * holds, that are in the page cache. They are mapped for a moment, in a way that neither
 * brings in pages nor counts as use; their flags are read when that is over. Needs
 * descriptors with O_NOATIME: mincore tells others that all pages are there. Where a
 * file has become shorter there are no pages; one that cannot be looked at is said in
 * its range. A row tells no file: who wants rows asks for one range at a time. Shares and
 * hits are in order of the ranges. `seen` and filters are not for these two.
 */
int64_t pm_types_of_files(const struct pm_types_job *job, struct pm_types_range *ranges,
			  uint64_t count, struct pm_types_block *block);

enum pm_cacheable {
	PM_NOT_CACHED = 0,	/* it has no page cache: hugetlbfs */
	PM_MINCORE_TELLS = 1,	/* what is cached of it is another file's: overlay, FUSE, Coda */
	PM_CACHESTAT_TELLS = 2, /* and so does mincore, */
	PM_SWAP_IS_CACHED = 3	/* which takes pages in the swap cache for cached: tmpfs */
};

/*
 * Who tells what is cached of a file, by the file system that it lies on: an enum
 * pm_cacheable, or -errno. -EPERM where mincore was seen to lie: to those who neither
 * own a file nor may write to it, it says that all is cached, and so of a page beyond
 * the end of `pages` pages.
 */
int32_t pm_types_cacheable(int file, uint32_t page_shift, uint64_t pages);

/*
 * Pass over pages of a file, from *page on and before `end`, of which cachestat(2) says
 * that none is cached, by `step` or more of them at a time. What that costs grows with
 * what is cached, not with the file. 1: *page is one to look at; 0: there are no more;
 * or -errno where the kernel does not tell (-ENOSYS before 6.5, -EPERM), and *page is as
 * it was.
 */
int32_t pm_types_next_cached(int file, uint32_t page_shift, uint64_t step, uint64_t *page,
			     uint64_t end);

#ifdef __cplusplus
}
#endif

#endif
