/*
 * What whole mappings hold, in the words of smaps, out of entries and scans.
 */
#ifndef PM_ANALYSES_TALLY_CDEF_H
#define PM_ANALYSES_TALLY_CDEF_H

#include <stdint.h>

#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many pages carry each bit; the fields are named as in flags.py. */
struct pm_tally {
	uint64_t pages;
	uint64_t present;
	uint64_t swapped;
	uint64_t file_or_shared;
	uint64_t exclusive;
	uint64_t soft_dirty;
	uint64_t uffd_wp;
	uint64_t guard;
	uint64_t anonymous; /* present, and neither of a file nor shared */
};

/* Add the counts of `count` entries to *tally. */
void pm_tally_add(const uint64_t *entries, uint64_t count, struct pm_tally *tally);

/*
 * What stands behind a mapping: whose pages those are that are not anonymous. PM_MIXED
 * goes beside it where some may be: in private mappings of a file or of a device.
 */
enum pm_backing {
	PM_BACKED_BY_NONE = 0, /* all are anonymous */
	PM_BACKED_BY_FILE = 1,
	PM_BACKED_BY_SHMEM = 2,
	PM_BACKED_BY_EITHER = 3, /* nobody tells which of the two */
	PM_BACKED_BY_HUGETLB = 4,
	PM_BACKED_BY_PATH = 5, /* of a device: see pm_backing_of */
	PM_BACKINGS = 7,       /* the bits that say which */
	PM_MIXED = 8,
};

/*
 * The backing of `count` mappings, by the numbers of their words as pm_lines_split gives
 * them: of_device tells by the device; where that is PM_BACKED_BY_PATH, which has no file,
 * of_path does. is_private has 1 for each word of permissions that is of a private one.
 */
void pm_backing_of(const int32_t *perms, const int32_t *devices, const int32_t *paths,
		   uint64_t count, const uint8_t *is_private, const uint8_t *of_device,
		   const uint8_t *of_path, uint8_t *backing);

/*
 * Counts of pages, of one mapping or of all. rss is file_or_shared and anon together;
 * present is rss, zero and hugetlb.
 */
struct pm_counts {
	uint64_t pages;
	uint64_t present;
	uint64_t rss;	  /* as smaps counts it: present, without the next two */
	uint64_t zero;	  /* the page of zeros, huge or not, mapped where nobody wrote */
	uint64_t hugetlb; /* present, of hugetlb */
	/* the kinds of entries of what is not present; see entry_kinds.cdef.h */
	uint64_t swap;
	uint64_t guard;
	uint64_t marker;
	uint64_t migrating;
	uint64_t poisoned;
	uint64_t device;
	/* of rss */
	uint64_t file_or_shared;
	uint64_t anon;
	uint64_t uss; /* mapped once: by bit 56, and see pm_exclusive_by_count */
	uint64_t soft_dirty;
	uint64_t uffd_wp;
	uint64_t huge; /* mapped by a huge entry, hugetlb too; not the huge page of zeros */
	/* what follows is no count of its own */
	uint64_t hidden; /* of swap, marker, migrating, poisoned, device: the kernel hides which */
	uint64_t marked_zero; /* of zero: marked as of a file, as the huge one is on Linux 6.18 */
};

/* Add `count` counts to others. */
void pm_counts_add(const struct pm_counts *from, uint64_t count, struct pm_counts *to);

enum pm_counts_column {
	PM_COUNTS = 19,	     /* fields of struct pm_counts */
	PM_COLUMN_FILE = 19, /* of file_or_shared, by the backing */
	PM_COLUMN_SHMEM = 20,
	PM_COUNTS_COLUMNS = 21,
};

/* What pm_counts_columns did not find told everywhere. */
enum pm_counts_unknown {
	PM_UNKNOWN_PARTS = 1, /* file and shmem */
	PM_UNKNOWN_KINDS = 2, /* swap, marker, migrating, poisoned, device: hidden */
};

/*
 * The counts of `count` mappings as columns of bytes, one field behind the other: field f of
 * mapping i becomes columns[f * count + i]; PM_COUNTS_COLUMNS of them. parts_known and
 * kinds_known have 1 for each mapping of which those are known. Returns what is not known
 * everywhere (enum pm_counts_unknown).
 */
int64_t pm_counts_columns(const struct pm_counts *counts, const uint8_t *backing, uint64_t count,
			  uint32_t page_shift, int64_t *columns, uint8_t *parts_known,
			  uint8_t *kinds_known);

enum pm_tally_ways {
	PM_BY_ENTRIES = 1, /* all but zero, huge and soft-dirty, so neither rss nor anon */
	PM_BY_SCAN =
		2, /* present, zero, hugetlb, rss, huge, soft-dirty, guard; whichever are asked */
	PM_UNTOUCHED = 4,   /* by entries, those of untouched pages too: for soft-dirty */
	PM_ABSENT = 8,	    /* by scan: read the entries of what is not present, for their kinds */
	PM_ZEROS = 16,	    /* by entries: find zero pages by the words of their frames */
	PM_PARTED = 32,	    /* by scan: read the entries of PM_MIXED spans, for anon */
	PM_OF_HUGETLB = 64, /* some spans are backed by hugetlb */
};

/* How a tally is made, and what it may cost. */
struct pm_tally_job {
	struct pm_source source; /* by entries it may scan for what is populated */
	const uint8_t *backing;	 /* of each span; see enum pm_backing */
	const uint8_t *kinds;	 /* what each type of swap entry is; see entry_kinds.cdef.h */
	int32_t mapcounts;	 /* /proc/kpagecount, or -1: exclusive is by bit 56 alone */
	int32_t flags;		 /* /proc/kpageflags, for PM_ZEROS */
	uint32_t ways;		 /* enum pm_tally_ways, added up */
	uint64_t end;		 /* pm_end: the first page past the address space */
	uint64_t any_of;	 /* by scan: which pages to find (categories of flags.py), */
	uint64_t returned;	 /* and what is to be known of them */
	uint64_t max_pages;	 /* stop after so many pages found; 0: never */
	uint64_t max_ns;	 /* stop after about so many nanoseconds; 0: never */
};

/*
 * Count the pages of the job's spans from *from up to *to: those of span i into
 * counts[i - from->span], which begins as zero. `scratch` holds PM_READ_BLOCK entries.
 * *from becomes the place to go on, at or past *to unless a limit was met.
 * Returns the number of pages found or -errno.
 *
 * What is asked of scans and of entries is seen at two moments.
 */
int64_t pm_tally_spans(const struct pm_tally_job *job, struct pm_place *from,
		       const struct pm_place *to, uint64_t *scratch, struct pm_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
