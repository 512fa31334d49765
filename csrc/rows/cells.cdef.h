/* Columns of a table into rows of text: CSV, or JSON an object a line. */
#ifndef PM_ROWS_CELLS_CDEF_H
#define PM_ROWS_CELLS_CDEF_H

#include <stdint.h>

#include "rows/rows.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_cell_type {
	PM_CELL_DECIMAL = 0,  /* int64_t */
	PM_CELL_UNSIGNED = 1, /* int64_t, whose bits are an unsigned number */
	PM_CELL_HEX = 2,      /* the same, written as 0x... */
	PM_CELL_BOOL = 3,     /* uint8_t: word 0 for 0, else word 1 */
	PM_CELL_WORD = 4,     /* int32_t, the number of a word */
};

enum pm_cell_limits {
	PM_CELL_BOUND = 20, /* the most bytes of a number, and of what stands for an unknown one */
};

/* Some text; PM_ROW_SLACK bytes past it may be read. */
struct pm_text {
	const char *bytes;
	uint64_t size;
};

/* A column, and how its cells are written. */
struct pm_cells {
	const void *values;
	const uint8_t *valid;  /* 0 where a cell is not known; NULL: all are */
	struct pm_text before; /* each of its cells */
	const char *words;     /* word i is words[ends[i]..ends[i + 1]); slack as of a pm_text */
	const uint64_t *ends;  /* words_count + 1 of them, the first is 0 */
	uint64_t words_count;
	uint32_t type; /* enum pm_cell_type */
};

struct pm_cell_rows {
	const struct pm_cells *columns;
	uint64_t columns_count;
	struct pm_text unknown; /* a cell that is not known: at most PM_CELL_BOUND bytes */
	struct pm_text after;	/* each row */
	uint32_t quoted;	/* 1: hex stands in quotes */
};

/*
 * Write the rows from *row on, up to `end`, as many as surely fit in `size` bytes of `out`
 * (PM_ROW_SLACK of which stay unused); *row becomes the next one. Returns the bytes written,
 * -ENOSPC where not even one row fits, or -EINVAL: a cell has the number of a word that there
 * is not, a type is none, or `unknown` is too long.
 */
int64_t pm_cells_write(const struct pm_cell_rows *rows, uint64_t *row, uint64_t end, char *out,
		       uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
