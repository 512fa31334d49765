/* Entries into rows of text, CSV or JSON lines. */
#ifndef PM_ROWS_ROWS_CDEF_H
#define PM_ROWS_ROWS_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_row_limits {
	PM_ROW_SLACK = 32, /* bytes past labels and rows that may be touched */
};

enum pm_format {
	PM_TEXT = 0,
	PM_CSV = 1,
	PM_JSONL = 2,
};

/*
 * How the rows of a span end: in the `size` bytes at label_bytes + at, quoted for the
 * format, newline included.
 */
struct pm_label {
	uint64_t at;
	uint64_t size;
};

/*
 * Fixed for a whole dump. Labels are copied in whole words: PM_ROW_SLACK readable bytes
 * follow those of the last.
 */
struct pm_rows {
	struct pm_source source;
	const struct pm_label *labels; /* of each span */
	const char *label_bytes;
	uint32_t format;       /* enum pm_format */
	uint32_t hidden;       /* 1 when the kernel hides PFNs and swap slots */
	uint64_t all_of;       /* rows only for entries with all of these bits, */
	uint64_t none_of;      /* and with none of these, */
	const uint8_t *kinds;  /* and of a kind by these types (entry_kinds.cdef.h) */
	uint32_t kinds_wanted; /* that has its bit here; unless kinds is NULL */
	uint64_t untold;       /* bits that the kernel does not tell: not known, in all but text */
	uint32_t counted;      /* 1: exclusive is by map counts, see pm_exclusive_by_count */
	int32_t mapcounts;     /* /proc/kpagecount, for that */
};

/* The most bytes that one row can take, its label left out; 0: no such format. */
uint64_t pm_row_bound(uint32_t format);

/*
 * How far rows from *from on surely fit in `size` bytes (PM_ROW_SLACK of which
 * stay unused): sets *to, returns the number of pages between, 0 only at the
 * end of the spans, or -ENOSPC when not even one row fits.
 */
int64_t pm_rows_plan(const struct pm_rows *rows, const struct pm_place *from, uint64_t size,
		     struct pm_place *to);

/*
 * Read the pages from *from up to *to (as planned) and write their rows to
 * `out`. `scratch` holds PM_READ_BLOCK entries. Returns the bytes written or
 * -errno; *pages becomes the number of pages that had a row. Pages without an
 * entry have none; `missing` becomes their number (past the end of the address
 * space, or all of them when the target is gone).
 */
int64_t pm_rows_dump(const struct pm_rows *rows, const struct pm_place *from,
		     const struct pm_place *to, uint64_t *scratch, char *out, uint64_t *pages,
		     uint64_t *missing);

/*
 * The rows of the present and the swapped pages alone, from *from up to *to, for
 * as long as they surely fit in `size` bytes of `out`. Nothing is planned, since
 * nobody knows how many there are: *from becomes the place to go on, and is at
 * or past *to when all was written. `scratch` holds PM_READ_BLOCK entries and
 * `runs` as many ranges. Returns the bytes written or -errno, -ENOSPC when not
 * even one row fits; *pages becomes the number of pages that had a row.
 */
int64_t pm_rows_populated(const struct pm_rows *rows, struct pm_place *from,
			  const struct pm_place *to, uint64_t *scratch, struct pm_range *runs,
			  char *out, uint64_t size, uint64_t *pages);

/*
 * The rows of entries in memory: of entries[0..count) from `vpn` on. `out`
 * holds count * (pm_row_bound + label_size) + PM_ROW_SLACK bytes. Of `rows` neither the
 * labels nor of its source more than page_shift is read. Returns the bytes written, or
 * -EINVAL for an unknown format.
 */
int64_t pm_rows_format(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		       uint64_t vpn, const char *label, uint64_t label_size, char *out);

#ifdef __cplusplus
}
#endif

#endif
