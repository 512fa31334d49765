/*
 * A batch of rows as Arrow's: an array of structs, whose children are the columns.
 */
#include <errno.h>
#include <stdlib.h>

#include "columns/arrow.h"

enum { BUFFERS = 3 }; /* at most: what is known, ends of words, their bytes */

/* One array and what it points to. */
struct node {
	struct pm_arrow_array array;
	const void *buffers[BUFFERS];
};

/* The arrays of one batch, but for the outermost, which is the caller's. */
struct batch {
	struct pm_holders left; /* not released yet, the outermost too */
	struct pm_shape *shape;
	struct pm_memory *memory;
	const void *no_buffer; /* of the outermost: all rows are known */
	struct pm_arrow_array **children;
	struct node nodes[];
};

static void release(struct pm_arrow_array *array)
{
	struct batch *batch = array->private_data;

	for (int64_t i = 0; i < array->n_children; i++) {
		struct pm_arrow_array *child = array->children[i];

		if (child->release) /* else somebody took it */
			child->release(child);
	}
	if (array->dictionary && array->dictionary->release)
		array->dictionary->release(array->dictionary);
	array->release = NULL;
	if (!pm_drop(&batch->left))
		return;
	pm_shape_drop(batch->shape);
	pm_memory_drop(batch->memory);
	free((void *)batch->children);
	free(batch);
}

static struct pm_arrow_array array_of(struct batch *batch, uint64_t length, int64_t nulls,
				      const void **buffers, int64_t count)
{
	return (struct pm_arrow_array){
		.length = (int64_t)length,
		.null_count = nulls,
		.n_buffers = count,
		.buffers = buffers,
		.release = release,
		.private_data = batch,
	};
}

static struct pm_arrow_array *put_words(struct batch *batch, struct node *node,
					const struct pm_words *words)
{
	node->buffers[0] = NULL;
	node->buffers[1] = words->ends;
	node->buffers[2] = words->bytes;
	node->array = array_of(batch, words->count, 0, node->buffers, 3);
	return &node->array;
}

int pm_batch_export(struct pm_shape *shape, struct pm_memory *memory, uint64_t rows,
		    const struct pm_batch_column *columns, struct pm_arrow_array *out)
{
	const struct pm_schema *schema = &shape->schema;
	struct batch *batch = malloc(sizeof(*batch) + 2 * schema->count * sizeof(struct node));
	unsigned used = 0;

	if (!batch)
		return ENOMEM;
	batch->children = (struct pm_arrow_array **)malloc((schema->count + 1) *
							   sizeof(struct pm_arrow_array *));
	if (!batch->children) {
		free(batch);
		return ENOMEM;
	}
	batch->shape = shape;
	batch->memory = memory;
	batch->no_buffer = NULL;
	pm_shape_hold(shape);
	pm_memory_hold(memory);
	for (uint64_t i = 0; i < schema->count; i++) {
		struct node *child = batch->nodes + used++;

		child->buffers[0] = columns[i].nulls ? columns[i].valid : NULL;
		child->buffers[1] = columns[i].values;
		child->array = array_of(batch, rows, columns[i].nulls, child->buffers, 2);
		if (schema->fields[i].type == PM_TYPE_TEXT)
			child->array.dictionary =
				put_words(batch, batch->nodes + used++, &schema->fields[i].words);
		batch->children[i] = &child->array;
	}
	batch->left.count = used + 1;
	*out = array_of(batch, rows, 0, &batch->no_buffer, 1);
	out->n_children = (int64_t)schema->count;
	out->children = batch->children;
	return 0;
}
