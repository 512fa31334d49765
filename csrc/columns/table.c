/*
 * A stream of a table that is in memory: copied once, then handed on in slices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "columns/arrow.h"

static const char NO_MEMORY[] = "not enough memory";

struct table {
	struct pm_turn turn;
	struct pm_shape *shape;
	struct pm_memory *memory;
	uint64_t rows;
	uint64_t at;	/* rows handed on */
	uint64_t slice; /* rows of a batch: a multiple of 8, so bits begin in whole bytes */
	struct place {
		uint64_t values; /* where they begin in the memory */
		uint64_t valid;
		int has_valid;
	} places[];
};

static void pack(const uint8_t *from, uint64_t count, uint8_t *to)
{
	memset(to, 0, (count + 7) / 8);
	for (uint64_t i = 0; i < count; i++)
		to[i / 8] |= (uint8_t)((from[i] != 0) << (i % 8));
}

/* Where each column's values and bits go; returns the bytes of them all. */
static uint64_t lay_out(struct table *table, const struct pm_column *columns)
{
	const struct pm_schema *schema = &table->shape->schema;
	uint64_t size = 0, row_bits = 0;

	for (uint64_t i = 0; i < schema->count; i++) {
		const uint32_t type = schema->fields[i].type;
		struct place *place = table->places + i;

		place->values = size;
		size += pm_values_size(type, table->rows);
		place->valid = size;
		place->has_valid = columns[i].valid != NULL;
		size += place->has_valid ? pm_values_size(PM_TYPE_BOOL, table->rows) : 0;
		row_bits += 8 * pm_value_size(type) + (type == PM_TYPE_BOOL ? 1u : 0u);
		row_bits += place->has_valid ? 1u : 0u;
	}
	table->slice = PM_BATCH_ROWS;
	while (table->slice > 64 && table->slice * row_bits > 8 * (uint64_t)PM_BATCH_BYTES)
		table->slice /= 2;
	return size;
}

uint64_t pm_codes_end(const int32_t *codes, uint64_t count, uint64_t words)
{
	uint64_t i = 0;

	/* below 0 is far above, without a sign */
	while (i < count && (uint64_t)(int64_t)codes[i] < words)
		i++;
	return i;
}

/* Returns 0 or EINVAL. What was copied is judged: nobody else can change it any more. */
static int fill(const struct table *table, const struct pm_column *columns)
{
	const struct pm_schema *schema = &table->shape->schema;

	for (uint64_t i = 0; i < schema->count; i++) {
		const uint32_t type = schema->fields[i].type;
		uint8_t *values = table->memory->bytes + table->places[i].values;

		if (type == PM_TYPE_BOOL)
			pack(columns[i].values, table->rows, values);
		else if (table->rows)
			memcpy(values, columns[i].values, table->rows * pm_value_size(type));
		if (columns[i].valid)
			pack(columns[i].valid, table->rows,
			     table->memory->bytes + table->places[i].valid);
		if (type == PM_TYPE_TEXT &&
		    pm_codes_end((const int32_t *)(const void *)values, table->rows,
				 schema->fields[i].words.count) < table->rows)
			return EINVAL;
	}
	return 0;
}

static int get_schema(struct pm_arrow_stream *stream, struct pm_arrow_schema *out)
{
	struct table *table = stream->private_data;
	const int error = pm_shape_export(table->shape, out);

	if (error)
		pm_turn_tell(&table->turn, NO_MEMORY);
	return error;
}

static int next(struct table *table, struct pm_arrow_array *out)
{
	const struct pm_schema *schema = &table->shape->schema;
	uint64_t rows = table->rows - table->at;
	struct pm_batch_column *columns;
	int error;

	if (!rows) {
		out->release = NULL; /* the end */
		return 0;
	}
	columns = malloc((schema->count + 1) * sizeof(*columns));
	if (!columns)
		return ENOMEM;
	rows = rows < table->slice ? rows : table->slice;
	for (uint64_t i = 0; i < schema->count; i++) {
		const struct place *place = table->places + i;
		const uint64_t size = pm_value_size(schema->fields[i].type);
		const uint8_t *bytes = table->memory->bytes;

		columns[i] = (struct pm_batch_column){
			.values = bytes + place->values + (size ? table->at * size : table->at / 8),
			.valid = place->has_valid ? bytes + place->valid + table->at / 8 : NULL,
			.nulls = place->has_valid ? -1 : 0, /* not counted */
		};
	}
	error = pm_batch_export(table->shape, table->memory, rows, columns, out);
	free(columns);
	if (!error)
		table->at += rows;
	return error;
}

static void destroy(struct table *table)
{
	pm_memory_drop(table->memory);
	pm_shape_drop(table->shape);
	free(table);
}

static int get_next(struct pm_arrow_stream *stream, struct pm_arrow_array *out)
{
	struct table *table = stream->private_data;
	int error;

	if (!pm_turn_begin(&table->turn))
		return EBUSY;
	error = next(table, out);
	if (error)
		pm_turn_tell(&table->turn, NO_MEMORY); /* nothing else can fail */
	if (pm_turn_end(&table->turn))
		destroy(table);
	return error;
}

static const char *get_last_error(struct pm_arrow_stream *stream)
{
	const struct table *table = stream->private_data;

	return pm_turn_told(&table->turn);
}

static void release(struct pm_arrow_stream *stream)
{
	struct table *table = stream->private_data;

	stream->release = NULL;
	if (pm_turn_release(&table->turn))
		destroy(table);
}

void *pm_arrow_table(const struct pm_schema *schema, const struct pm_column *columns, uint64_t rows)
{
	struct pm_arrow_stream *stream = malloc(sizeof(*stream));
	struct table *table = malloc(sizeof(*table) + schema->count * sizeof(struct place));
	struct pm_shape *shape = pm_shape_new(schema);
	int error = ENOMEM;

	if (stream && table && shape) {
		table->turn = (struct pm_turn){ 0, NULL };
		table->shape = shape;
		table->rows = rows;
		table->at = 0;
		table->memory = pm_memory_new(lay_out(table, columns));
		error = table->memory ? fill(table, columns) : ENOMEM;
		if (!error) {
			*stream = (struct pm_arrow_stream){
				.get_schema = get_schema,
				.get_next = get_next,
				.get_last_error = get_last_error,
				.release = release,
				.private_data = table,
			};
			return stream;
		}
		if (table->memory)
			pm_memory_drop(table->memory);
	}
	if (shape)
		pm_shape_drop(shape);
	free(table);
	free(stream);
	errno = error;
	return NULL;
}

void pm_arrow_free_stream(void *stream)
{
	struct pm_arrow_stream *ours = stream;

	if (ours->release) /* else a consumer has taken it over */
		ours->release(ours);
	free(ours);
}
