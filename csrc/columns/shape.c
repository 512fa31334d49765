/*
 * A copy of a schema with its names, metadata and words, in one block.
 */
#include <stdlib.h>
#include <string.h>

#include "columns/arrow.h"

/* Where the next piece goes, in a block that is measured first (at NULL) and filled then. */
struct pen {
	char *at;
	uint64_t size;
};

static void *put(struct pen *pen, const void *from, uint64_t size)
{
	char *to = pen->at ? pen->at + pen->size : NULL;

	/* a NULL stays one: there are no metadata, or no words */
	if (!from)
		return NULL;
	if (to && size)
		memcpy(to, from, size);
	pen->size += (size + 7) & ~UINT64_C(7);
	return to;
}

static void put_words(struct pen *pen, const struct pm_words *from, struct pm_words *to)
{
	const uint64_t bytes = from->ends ? (uint64_t)from->ends[from->count] : 0;

	*to = *from;
	to->ends = put(pen, from->ends, (from->count + 1) * sizeof(int32_t));
	to->bytes = put(pen, from->bytes, bytes);
}

static struct pm_schema put_schema(struct pen *pen, const struct pm_schema *from)
{
	struct pm_schema to = *from;
	struct pm_field *fields = put(pen, from->fields, from->count * sizeof(*from->fields));

	to.fields = fields;
	to.metadata = put(pen, from->metadata, from->metadata_size);
	for (uint64_t i = 0; i < from->count; i++) {
		const struct pm_field *field = from->fields + i;
		struct pm_field copy = *field;

		copy.name = put(pen, field->name, strlen(field->name) + 1);
		copy.metadata = put(pen, field->metadata, field->metadata_size);
		put_words(pen, &field->words, &copy.words);
		if (fields)
			fields[i] = copy;
	}
	return to;
}

struct pm_shape *pm_shape_new(const struct pm_schema *schema)
{
	struct pen pen = { 0 };
	struct pm_shape *shape;

	put_schema(&pen, schema);
	shape = malloc(sizeof(*shape) + pen.size);
	if (!shape)
		return NULL;
	pen = (struct pen){ .at = (char *)(shape + 1) };
	shape->schema = put_schema(&pen, schema);
	shape->holders.count = 1;
	return shape;
}

void pm_shape_hold(struct pm_shape *shape)
{
	pm_hold(&shape->holders);
}

void pm_shape_drop(struct pm_shape *shape)
{
	if (pm_drop(&shape->holders))
		free(shape);
}
