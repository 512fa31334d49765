/* The parts of a diff: diff_kinds.c judges pages, diff_side.c reads, diff.c pairs. */
#ifndef PM_DIFF_H
#define PM_DIFF_H

#include <stdint.h>

#include "history/diff.cdef.h"

/* A page as one look has it. */
struct pm_seen {
	uint64_t entry;	 /* of a page that is not populated: the mark of a scan alone */
	uint32_t state;	 /* enum pm_page_state */
	uint32_t hidden; /* the kernel hides what kind it is */
	uint32_t huge;	 /* present, and mapped by a huge entry */
};

/* A page with this entry and these categories of a scan. */
struct pm_seen pm_seen_as(const struct pm_look *look, uint64_t entry, uint64_t categories,
			  int hugetlb);

/* What became of a page: an enum pm_change. */
uint32_t pm_kind_of_change(const struct pm_diff_job *job, const struct pm_seen *before,
			   const struct pm_seen *after);

/* Add `pages` of one kind of change to its sum. */
void pm_change_add(struct pm_change_sum *sum, const struct pm_seen *before,
		   const struct pm_seen *after, int64_t pages);

/* What is known of the pages from a place on. */
struct pm_known {
	const uint64_t *entries; /* NULL: they are not populated */
	uint64_t categories;	 /* that a scan found */
	uint64_t pages;		 /* of which that is so: 1 or more */
};

/* Whether a scan of the pages that were read last would find none. */
int pm_diff_is_plain(const struct pm_look *look, const struct pm_diff_side *side);

/* Read on, where the pages at `at` are not known yet. Returns 0 or -errno. */
int64_t pm_diff_fill(const struct pm_look *look, struct pm_diff_side *side,
		     const struct pm_place *at, const struct pm_place *to);

/* The place up to which pages are known. */
struct pm_place pm_diff_known(const struct pm_look *look, const struct pm_diff_side *side);

/* What is known of the pages at `at`, of at most `most` of its span. */
struct pm_known pm_diff_known_at(const struct pm_look *look, struct pm_diff_side *side,
				 const struct pm_place *at, uint64_t most);

#endif
