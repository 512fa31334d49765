/*
 * What the files of huge pages share: stretches of frames, where folios end (huge_folios.c),
 * and what they count as (huge_count.c).
 */
#ifndef PM_HUGE_H
#define PM_HUGE_H

#include <stdint.h>

#include "analyses/huge.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PM_SMALL_GROUPS = 1024 };

/*
 * How flags are read on the way through memory; begins as zero, but for what is
 * given. Where no anonymous folio is smaller than a group of 2^group frames, one word
 * of a group tells of all of them: small[i] is, plus 1, a group i modulo their
 * number of which it was read, and no huge page's.
 */
struct pm_flags_reader {
	int fd;		     /* given */
	unsigned group;	     /* given; 0: nothing is known of sizes */
	uint64_t frames_end; /* given; each frame below has a word, */
	int lossy;	     /* given; or PM_NO_VALUE, or none */
	unsigned order;	     /* of the last large folio: the next is often alike */
	uint64_t block;	     /* words to read at a time */
	uint64_t small[PM_SMALL_GROUPS];
};

/*
 * Pages in a row whose frames are in a row too, and where the walk through them
 * stands. words[i] is of frame pfn + i; those of at..have are read.
 */
struct pm_huge_stretch {
	uint64_t vpn;
	uint64_t pfn;
	uint64_t count;
	int open;    /* the row may go on past `count` */
	int grouped; /* anonymous pages: a word of each of the reader's groups will do */
	int file;    /* their entries have PM_FILE */
	uint64_t at;
	uint64_t have;
	uint64_t *words;
};

/*
 * Move on to the next frame that is of a huge page, or without a word (PM_NO_VALUE), reading words
 * where needed. Returns 1, 0 at the end of the stretch, or -errno.
 */
int pm_next_huge(struct pm_flags_reader *reader, struct pm_huge_stretch *stretch);

/*
 * How many frames from this one, a huge page's, on are of the same folio; where
 * that is more than the stretch has, and it is not open, any such number. Returns
 * that, 1 or more, or -errno.
 */
int64_t pm_folio_rest(struct pm_flags_reader *reader, const struct pm_huge_stretch *stretch);

/* How many frames from this one on have no word, of those whose words are read. */
uint64_t pm_unknown_rest(const struct pm_huge_stretch *stretch);

/* Whole folios in a row at their own place, which may be mapped by PMDs. */
struct pm_pmds {
	uint64_t vpn;
	uint64_t end;
	unsigned order;
	struct pm_huge_kind *kind;
};

/* Where pages are counted; `pmds` are yet to be looked at. */
struct pm_counter {
	const struct pm_huge_job *job;
	struct pm_huge *tally; /* of the span that the walk is in */
	struct pm_pmds pmds;
};

/*
 * Count `pages` in a row of one folio, which from the first of them on has `rest`
 * frames; its word is `word`. Returns 0 or -errno.
 */
int pm_count_piece(struct pm_counter *counter, uint64_t vpn, uint64_t pfn, uint64_t pages,
		   uint64_t rest, uint64_t word);

/*
 * Count `pages` in a row whose frames have no word: what the page table tells of them.
 * `file` is as in struct pm_huge_stretch. Returns 0 or -errno.
 */
int pm_count_unknown(struct pm_counter *counter, uint64_t vpn, uint64_t pfn, uint64_t pages,
		     int file);

/* Find which of the folios kept in mind are mapped by PMDs. Returns 0 or -errno. */
int pm_settle_pmds(struct pm_counter *counter);

#ifdef __cplusplus
}
#endif

#endif
