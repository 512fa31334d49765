/*
 * Cells of a table: what stands before each, and then its value.
 *
 * A row has room for all that is fixed before it begins: literals and numbers. Only words
 * may be of any length, so each looks whether it fits; where one does not, the row is left
 * for the next call.
 */
#include <errno.h>

#include "rows/cells.cdef.h"
#include "rows/digits.h"

static char *put_signed(char *out, int64_t value)
{
	uint64_t number = (uint64_t)value;

	if (value < 0) {
		*out++ = '-';
		number = -number;
	}
	return pm_put_decimal(out, number);
}

static char *put_number(char *out, const struct pm_cell_rows *rows, uint32_t type, int64_t value)
{
	if (type == PM_CELL_DECIMAL)
		return put_signed(out, value);
	if (type == PM_CELL_UNSIGNED)
		return pm_put_decimal(out, (uint64_t)value);
	if (!rows->quoted)
		return pm_put_hex(PM_PUT(out, "0x"), (uint64_t)value);
	out = pm_put_hex(PM_PUT(out, "\"0x"), (uint64_t)value);
	*out++ = '"';
	return out;
}

/* The number of the word in cell `row`; words_count where there is no such word. */
static uint64_t word_of(const struct pm_cells *column, uint64_t row)
{
	uint64_t word;

	if (column->type == PM_CELL_BOOL)
		word = ((const uint8_t *)column->values)[row] != 0;
	else
		word = (uint64_t)((const int32_t *)column->values)[row];
	return word < column->words_count ? word : column->words_count;
}

/*
 * Write one row, whose words have `spare` bytes together. Returns the new end, NULL where
 * they do not fit (then *error is -ENOSPC), or one is none (-EINVAL).
 */
static char *put_row(char *out, const struct pm_cell_rows *rows, uint64_t row, uint64_t spare,
		     int64_t *error)
{
	for (uint64_t i = 0; i < rows->columns_count; i++) {
		const struct pm_cells *column = rows->columns + i;
		uint64_t word, size;

		out = pm_put_label(out, column->before.bytes, column->before.size);
		if (column->valid && !column->valid[row]) {
			out = pm_put_label(out, rows->unknown.bytes, rows->unknown.size);
			continue;
		}
		if (column->type <= PM_CELL_HEX) {
			out = put_number(out, rows, column->type,
					 ((const int64_t *)column->values)[row]);
			continue;
		}
		word = word_of(column, row);
		if (word == column->words_count) {
			*error = -EINVAL;
			return NULL;
		}
		size = column->ends[word + 1] - column->ends[word];
		if (size > spare) {
			*error = -ENOSPC;
			return NULL;
		}
		spare -= size;
		out = pm_put_label(out, column->words + column->ends[word], size);
	}
	return pm_put_label(out, rows->after.bytes, rows->after.size);
}

int64_t pm_cells_write(const struct pm_cell_rows *rows, uint64_t *row, uint64_t end, char *out,
		       uint64_t size)
{
	uint64_t fixed = PM_ROW_SLACK + rows->after.size, used = 0, at = *row;

	if (rows->unknown.size > PM_CELL_BOUND)
		return -EINVAL;
	for (uint64_t i = 0; i < rows->columns_count; i++) {
		if (rows->columns[i].type > PM_CELL_WORD)
			return -EINVAL;
		fixed += rows->columns[i].before.size + PM_CELL_BOUND;
	}
	for (; at < end; at++) {
		int64_t error = -ENOSPC;
		char *next = NULL;

		if (size - used >= fixed)
			next = put_row(out + used, rows, at, size - used - fixed, &error);
		if (!next && (error == -EINVAL || at == *row))
			return error;
		if (!next)
			break;
		used = (uint64_t)(next - out);
	}
	*row = at;
	return (int64_t)used;
}
