/*
 * The whole C API of pagemap.
 *
 * cffi reads this file to build the Python binding, and every C source
 * includes it through core.h, so there is one truth. Hence its narrow form:
 * plain declarations, and of preprocessor lines only `#define NAME ...`
 * (none today). Widths are fixed, because cffi and the compiler must agree.
 *
 * Conventions. A function that can fail returns a count >= 0, or -errno.
 * The caller owns every buffer. Capacities are in entries, or in bytes where
 * the name says so. Nothing here keeps state, so any thread may call it.
 */

enum pm_limits {
	PM_NO_SWAP_TYPE = 255, /* in a column of swap types: not swapped, or hidden */
	PM_READ_BLOCK = 4096,  /* entries that the scratch of pm_rows_dump holds */
	PM_ROW_SLACK = 32,     /* bytes past labels and rows that may be touched */
};

enum pm_format {
	PM_TEXT = 0,
	PM_CSV = 1,
	PM_JSONL = 2,
};

/* `count` pages from virtual page number `vpn` on. */
struct pm_range {
	uint64_t vpn;
	uint64_t count;
};

/*
 * A mapping to dump: its pages, and how their rows end: in the `label_size`
 * bytes at labels + label_at, quoted for the format, newline included. The
 * labels are copied in whole words: PM_ROW_SLACK readable bytes follow them.
 */
struct pm_span {
	uint64_t vpn;
	uint64_t count;
	uint64_t label_at;
	uint64_t label_size;
};

/*
 * Make spans, without labels, of `count` pairs of addresses, start and end in
 * bytes. Returns the number of pages in all, or -EINVAL where they are not in
 * order, overlap, or end before they begin. spans.c
 */
int64_t pm_spans_of(const uint64_t *bounds, uint64_t count, uint32_t page_shift,
		    struct pm_span *spans);

/*
 * Returns the number of pages in all spans, or -EINVAL where they are not in
 * order, overlap, or reach past 63 bits: a walk over such would not end. spans.c
 */
int64_t pm_spans_pages(const struct pm_span *spans, uint64_t count);

/* Where a walk over spans stands: `page` pages into spans[span]. */
struct pm_place {
	uint64_t span;
	uint64_t page;
};

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

/* read.c: entries out of an open /proc/PID/pagemap */

/*
 * Read the entries of `count` pages from virtual page `vpn` on.
 *
 * Returns the number of whole entries stored, fewer than `count` only where
 * the address space ends or the target is gone (see pm_alive), or -errno.
 * Entries past the returned number are untouched; after a failure `out` holds
 * those read before it, and nobody knows how many.
 */
int64_t pm_read(int fd, uint64_t vpn, uint64_t count, uint64_t *out);

/*
 * Read text, of maps say, from byte `offset` on until `size` bytes are there or
 * the file ends: the kernel gives a page of it at a time. Returns the number of
 * bytes or -errno; after a failure nobody knows how many were read before it.
 */
int64_t pm_read_text(int fd, uint64_t offset, uint64_t size, char *out);

/*
 * Read the entries of `count` ranges, one after another, into `out`.
 *
 * `capacity` is what `out` holds, in entries; ranges that do not fit give
 * -ENOSPC before anything is read. stored[i] becomes the number of entries of
 * range i; they follow those of range i - 1 without a gap. Ranges that touch
 * cost one system call together. Returns the sum of `stored`, or -errno; after
 * a failed read `out` and `stored` hold a part that nobody knows the end of.
 */
int64_t pm_read_ranges(int fd, const struct pm_range *ranges, uint64_t count, uint64_t *out,
		       uint64_t capacity, uint64_t *stored);

/*
 * The physical address behind `address` (bytes), or -errno: -ENXIO where the
 * entry is not a present page with a visible PFN (read the entry to learn
 * which), -ENODATA where there is no entry, -EOVERFLOW past 63 bits.
 */
int64_t pm_translate(int fd, uint64_t address, uint32_t page_shift);

/*
 * 1 while the address space behind `fd` lives, 0 when it is gone, or -errno.
 * The page at address 0 has an entry, mapped or not, for as long as it does.
 */
int32_t pm_alive(int fd);

/* The first page number past the address space behind `fd`, or -errno; 0 when
 * that is gone. Found by trying, since it depends on machine and process. */
int64_t pm_end(int fd, uint32_t page_shift);

/* decode.c: entries into columns; `out` holds `count` items */

/* PFNs; all ones where a page is not present or its PFN is hidden (0). */
void pm_pfns(const uint64_t *entries, uint64_t count, uint64_t *out);

/* Addresses in bytes: start, start + page_size, ... */
void pm_addresses(uint64_t start, uint64_t page_size, uint64_t count, uint64_t *out);

/* 1 where `bit` (0..63) is set, else 0. */
void pm_bits(const uint64_t *entries, uint64_t count, uint32_t bit, uint8_t *out);

/* Swap types; PM_NO_SWAP_TYPE where a page is not swapped. `hidden` says that
 * the kernel hides types and offsets: then there is no value anywhere. */
void pm_swap_types(const uint64_t *entries, uint64_t count, uint32_t hidden, uint8_t *out);

/* Swap offsets in pages; all ones where a page is not swapped or `hidden`. */
void pm_swap_offsets(const uint64_t *entries, uint64_t count, uint32_t hidden, uint64_t *out);

/* scan.c: ranges of pages by what they are, without reading their entries */

/* Pages from address `start` to `end` (bytes) that share `categories`; laid out
 * as the kernel lays it out. */
struct pm_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

/*
 * Which pages to find: those with every category of `all_of`, none of `none_of`
 * and, unless it is 0, one at least of `any_of`. Categories are the bits of
 * flags.py. `returned` are those to report; neighbours alike in them are one
 * region. Asking for the category file costs the kernel a look at each frame.
 */
struct pm_query {
	uint64_t all_of;
	uint64_t any_of;
	uint64_t none_of;
	uint64_t returned;
	uint64_t max_pages; /* stop after so many pages found; 0: never */
};

/*
 * Find regions from address `start` up to `end`, both multiples of the page
 * size: at most `capacity` (1 or more) into `out`.
 *
 * Returns their number or -errno: -ENOTTY where the kernel has no PAGEMAP_SCAN
 * (6.7), -EINVAL for a category that it does not know, -EFAULT when `end` lies
 * past the address space. *next becomes where to go on: `end` when all was
 * seen. A region may end where the next call's first begins, with the same
 * categories: merging over calls is the caller's. The range is walked under the
 * target's mmap_lock, held for reading.
 */
int64_t pm_scan(int fd, const struct pm_query *query, uint64_t start, uint64_t end,
		struct pm_region *out, uint64_t capacity, uint64_t *next);

/* classify.c: the same regions out of entries: for kernels without PAGEMAP_SCAN, and for
 * what it calls swapped, among which only entries tell what is in swap */

/*
 * The entries of ranges of pages, one range after another, and how far they were
 * judged: up to entries[entry], which is `page` pages into ranges[range].
 *
 * Swapped are those whose kind (entry_kinds.cdef.h) is swap by `kinds`, and with
 * hidden_is_swap those whose kind is hidden. `scanned`, or NULL, are what a scan
 * said of each range: its categories that no entry tells are added.
 */
struct pm_batch {
	const uint8_t *kinds;
	const uint64_t *scanned;
	uint64_t hidden_is_swap;
	const uint64_t *entries;
	const struct pm_range *ranges;
	uint64_t ranges_count;
	uint64_t range;
	uint64_t page;
	uint64_t entry;
};

/*
 * Find regions in what of a batch is not judged yet, by the categories that an
 * entry tells (present, swapped, file, soft-dirty, guard): at most `capacity` (1
 * or more) into `out`. Ranges that touch share regions.
 *
 * Returns their number or -errno. Judged are all entries then, or those before a
 * region that did not fit, or up to and with the last of max_pages: range equals
 * ranges_count when all are.
 */
int64_t pm_classify(struct pm_batch *batch, uint32_t page_shift, const struct pm_query *query,
		    struct pm_region *out, uint64_t capacity);

/* populated.c: only what is there */

/*
 * Read the entries of the present and the swapped pages of `spans`, from *from
 * up to, without, *to: the entries one after another into `out` (of `capacity`),
 * and where they belong into `runs` (of `runs_capacity`), each a stretch of
 * populated pages within one span. Both capacities are 1 or more.
 *
 * Returns the number of entries or -errno; *runs_stored becomes the number of
 * runs, and *from the place to go on, at or past *to when all was seen. Empty
 * stretches are skipped with PAGEMAP_SCAN where `use_scan` is not 0, else read
 * and dropped: the answer is the same. `out` serves as scratch: past the entries
 * returned its content is lost.
 */
int64_t pm_populated(int fd, uint32_t use_scan, uint32_t page_shift, const struct pm_span *spans,
		     struct pm_place *from, const struct pm_place *to, uint64_t *out,
		     uint64_t capacity, struct pm_range *runs, uint64_t runs_capacity,
		     uint64_t *runs_stored);

/* tally.c */

/* Add the counts of `count` entries to *tally; what mappings hold, tally.cdef.h has. */
void pm_tally_add(const uint64_t *entries, uint64_t count, struct pm_tally *tally);

/* rows.c: entries into rows of text, CSV or JSON lines */

/* Fixed for a whole dump. */
struct pm_rows {
	const struct pm_span *spans;
	uint64_t spans_count;
	const char *labels;
	uint32_t format;       /* enum pm_format */
	uint32_t page_shift;   /* log2 of the page size: 12..16 */
	uint32_t hidden;       /* 1 when the kernel hides PFNs and swap slots */
	int32_t fd;	       /* /proc/PID/pagemap */
	uint32_t use_scan;     /* pm_rows_populated may skip with PAGEMAP_SCAN */
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

/* The place `pages` pages after *from, or the end of the spans; returns how many
 * pages lie between. */
uint64_t pm_rows_advance(const struct pm_rows *rows, const struct pm_place *from, uint64_t pages,
			 struct pm_place *to);

/*
 * The same from entries in memory: rows for entries[0..count) from `vpn` on.
 * `out` holds count * (pm_row_bound + label_size) + PM_ROW_SLACK bytes. Of
 * `rows` all but spans, labels, fd and use_scan is read. Returns the bytes written,
 * or -EINVAL for an unknown format.
 */
int64_t pm_rows_format(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		       uint64_t vpn, const char *label, uint64_t label_size, char *out);

/* probe.c: what this kernel can do, found by trying */

/*
 * 1 when a pagemap opened now shows PFNs, 0 when the kernel hides them, or
 * -errno. `path` names the caller's own pagemap ("/proc/self/pagemap").
 */
int32_t pm_probe_pfns(const char *path);

/* 1 when this kernel tracks soft-dirty, 0 when not, or -errno. */
int32_t pm_probe_soft_dirty(const char *path);

/*
 * The bits of an entry that this kernel tells (bits 55, 56, 58, 61, 62, 63) into *told,
 * by marking a page of ours; returns 0, or -errno where that could not be tried. Bit 57
 * (userfaultfd) costs more and may be forbidden: 1 when this kernel tells it, 0 when
 * not, or -errno.
 */
int32_t pm_probe_told(const char *path, uint64_t *told);
int32_t pm_probe_uffd_wp(const char *path);

/* PAGEMAP_SCAN on `fd` with this one category asked for: 0, or -errno
 * (-ENOTTY: no such ioctl; -EINVAL: an unknown category). */
int32_t pm_probe_scan(int fd, uint64_t category);

/*
 * probe_huge.c: 1 when bit 56 of pages that a PMD maps is each page's own, 0 when it is
 * that of the first for all; -ENODATA where no huge page is to be had, or -errno. A
 * child is made for it, which copies the caller's page tables and ends at once.
 */
int32_t pm_probe_exclusive(const char *path);

/* userfaultfd: the kernel's feature bits into *features; 0 or -errno. */
int32_t pm_probe_userfaultfd(uint64_t *features);
