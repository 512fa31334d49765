/*
 * Columns of tables, and tables handed on to other programs of this process as Arrow's C
 * data and stream interfaces want them.
 */
#ifndef PM_COLUMNS_COLUMNS_CDEF_H
#define PM_COLUMNS_COLUMNS_CDEF_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "walk/source.cdef.h"
#include "walk/spans.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_column_type {
	PM_TYPE_INT64 = 0,   /* int64_t */
	PM_TYPE_FLOAT64 = 1, /* double */
	PM_TYPE_BOOL = 2,    /* uint8_t, 0 or 1; handed on as bits */
	PM_TYPE_TEXT = 3,    /* int32_t, the numbers of words; handed on as a dictionary */
};

/* The words of a column of text: word i is bytes[ends[i]..ends[i + 1]), ends[0] is 0. */
struct pm_words {
	const char *bytes;
	const int32_t *ends; /* count + 1 of them */
	uint64_t count;
	uint32_t binary; /* 1 where not all of them are UTF-8 */
};

/* A column without its values. `metadata` is NULL, or pairs as Arrow encodes them. */
struct pm_field {
	const char *name;
	const char *metadata;
	uint64_t metadata_size;
	uint32_t type; /* enum pm_column_type */
	uint32_t nullable;
	struct pm_words words; /* of PM_TYPE_TEXT */
};

struct pm_schema {
	const struct pm_field *fields;
	uint64_t count;
	const char *metadata; /* of the whole, as that of a field */
	uint64_t metadata_size;
};

/* The values of a column, by its type; valid[i] is 1 where value i is known (NULL: all are). */
struct pm_column {
	const void *values;
	const uint8_t *valid;
};

enum pm_batch_limits {
	PM_BATCH_ROWS = 1 << 20,
	PM_BATCH_BYTES = 1 << 24,
};

/*
 * Each of the three that follow copies all that it is given, and returns a structure that
 * is to be passed to pm_arrow_free(_schema), or NULL where memory is short (then errno is
 * ENOMEM) or a descriptor cannot be doubled (errno says why).
 */

/* schema.c: a struct ArrowSchema of the struct of these fields. */
void *pm_arrow_schema_of(const struct pm_schema *schema);

/*
 * table.c: a struct ArrowArrayStream of a table of `rows` rows, in batches within the limits.
 * NULL with EINVAL too, where a column of text has the number of a word that there is not.
 */
void *pm_arrow_table(const struct pm_schema *schema, const struct pm_column *columns,
		     uint64_t rows);

/* table.c: the first of `count` numbers that is that of none of `words` words; `count` if none is. */
uint64_t pm_codes_end(const int32_t *codes, uint64_t count, uint64_t words);

/* What pages are streamed, and how; see pages.c. */
struct pm_pages_job {
	struct pm_source source;
	const uint64_t *entries; /* of its only span, read before; NULL: they are to be read */
	const uint64_t *starts;	 /* of each span, the address of its mapping */
	const int32_t *paths;	 /* of each span, the number of its path */
	int32_t pid;		 /* for messages; 0: `entries` are of nobody's */
	int32_t words[3];	 /* /proc/kpageflags, kpagecount, kpagecgroup; -1: not asked for */
	uint32_t populated;	 /* pages alone that are present or swapped */
	uint32_t hidden;	 /* the kernel hides PFNs and swap slots */
	uint64_t all_of;	 /* entries alone with all of these bits, */
	uint64_t none_of;	 /* with none of these, */
	const uint8_t *kinds;	 /* and of a kind by these types (entry_kinds.cdef.h) that */
	uint32_t kinds_wanted;	 /* has its bit here */
	uint32_t counted;	 /* 1: exclusive is by map counts, see pm_exclusive_by_count */
	int32_t mapcounts;	 /* /proc/kpagecount, for that */
	uint64_t untold;	 /* bits that the kernel does not tell: unknown */
	uint64_t rows;		 /* of a batch at most */
	uint32_t threads;	 /* that may read a live page table at once: 2, or else one does */
};

enum pm_page_column {
	PM_COLUMN_ADDRESS = 64, /* less than 64: the entry's bit of that number */
	PM_COLUMN_PFN = 65,
	PM_COLUMN_SWAP_TYPE = 66,
	PM_COLUMN_SWAP_OFFSET = 67,
	PM_COLUMN_MAPPING = 68,
	PM_COLUMN_PATH = 69,
	PM_COLUMN_KIND = 70,  /* the number of its enum pm_entry_kind; PM_ENTRY_HIDDEN: unknown */
	PM_COLUMN_WORDS = 71, /* + 0, 1, 2: the file of pm_pages_job.words */
};

/* The rows of a step: `runs_count` runs of pages, run i of span spans[i], and their entries. */
struct pm_page_rows {
	uint64_t *entries;     /* room for `capacity` */
	struct pm_range *runs; /* the same */
	uint64_t *spans;       /* the same */
	uint64_t capacity;
	uint64_t count;
	uint64_t runs_count;
};

/*
 * Read the rows from *at on into *rows: as many as it has room for, fewer at the end.
 * Returns their number, 0 at the end, or -errno: -ESRCH where the target is gone before
 * all was read.
 */
int64_t pm_pages_read(const struct pm_pages_job *job, struct pm_place *at,
		      struct pm_page_rows *rows);

/*
 * A column of rows that were read: into `values` as its type has it, but bits where
 * `packed` and it is PM_TYPE_BOOL; into `valid`, which may be NULL where all are known, what is
 * known, in bits where `packed`, else in bytes. `scratch` is needed for words alone: 5
 * words for each row, and PM_READ_BLOCK. Returns how many are not known, or -errno.
 */
int64_t pm_pages_column(const struct pm_pages_job *job, const struct pm_page_rows *rows,
			uint32_t column, uint32_t packed, void *values, uint8_t *valid,
			uint64_t *scratch);

/* stream.c: a struct ArrowArrayStream of pages; columns[i] is the enum pm_page_column of field i. */
void *pm_arrow_pages(const struct pm_schema *schema, const uint32_t *columns,
		     const struct pm_pages_job *job);

/* Release and free what was made above. */
void pm_arrow_free_schema(void *schema);
void pm_arrow_free_stream(void *stream);

#ifdef __cplusplus
}
#endif

#endif
