/*
 * A schema as Arrow's: a struct, whose children are the columns.
 */
#include <errno.h>
#include <stdlib.h>

#include "columns/arrow.h"

/* The structures of one export, but for the outermost, which is the caller's. */
struct tree {
	struct pm_holders left; /* not released yet, the outermost too */
	struct pm_shape *shape;
	struct pm_arrow_schema **children;
	struct pm_arrow_schema nodes[];
};

static const char *format_of(uint32_t type)
{
	static const char *const formats[] = {
		[PM_TYPE_INT64] = "l",
		[PM_TYPE_FLOAT64] = "g",
		[PM_TYPE_BOOL] = "b",
		[PM_TYPE_TEXT] = "i", /* of the numbers; the dictionary has the words' own */
	};

	return formats[type];
}

static void release(struct pm_arrow_schema *schema)
{
	struct tree *tree = schema->private_data;

	for (int64_t i = 0; i < schema->n_children; i++) {
		struct pm_arrow_schema *child = schema->children[i];

		if (child->release) /* else somebody took it */
			child->release(child);
	}
	if (schema->dictionary && schema->dictionary->release)
		schema->dictionary->release(schema->dictionary);
	schema->release = NULL;
	if (!pm_drop(&tree->left))
		return;
	pm_shape_drop(tree->shape);
	free((void *)tree->children);
	free(tree);
}

static struct pm_arrow_schema node(struct tree *tree, const char *format, const char *name,
				   const char *metadata, uint32_t nullable)
{
	return (struct pm_arrow_schema){
		.format = format,
		.name = name,
		.metadata = metadata,
		.flags = nullable ? PM_ARROW_NULLABLE : 0,
		.release = release,
		.private_data = tree,
	};
}

int pm_shape_export(struct pm_shape *shape, struct pm_arrow_schema *out)
{
	const struct pm_schema *schema = &shape->schema;
	/* each column may have a dictionary */
	struct tree *tree =
		malloc(sizeof(*tree) + 2 * schema->count * sizeof(struct pm_arrow_schema));
	unsigned used = 0;

	if (!tree)
		return ENOMEM;
	tree->children = (struct pm_arrow_schema **)malloc((schema->count + 1) *
							   sizeof(struct pm_arrow_schema *));
	if (!tree->children) {
		free(tree);
		return ENOMEM;
	}
	tree->shape = shape;
	pm_shape_hold(shape);
	for (uint64_t i = 0; i < schema->count; i++) {
		const struct pm_field *field = schema->fields + i;
		struct pm_arrow_schema *child = tree->nodes + used++;

		*child = node(tree, format_of(field->type), field->name, field->metadata,
			      field->nullable);
		if (field->type == PM_TYPE_TEXT) {
			child->dictionary = tree->nodes + used++;
			*child->dictionary =
				node(tree, field->words.binary ? "z" : "u", "", NULL, 0);
		}
		tree->children[i] = child;
	}
	tree->left.count = used + 1;
	*out = node(tree, "+s", "", schema->metadata, 0);
	out->n_children = (int64_t)schema->count;
	out->children = tree->children;
	return 0;
}

void *pm_arrow_schema_of(const struct pm_schema *schema)
{
	struct pm_shape *shape = pm_shape_new(schema);
	struct pm_arrow_schema *out = malloc(sizeof(*out));
	int error = shape && out ? pm_shape_export(shape, out) : ENOMEM;

	if (shape)
		pm_shape_drop(shape);
	if (error) {
		free(out);
		errno = error;
		return NULL;
	}
	return out;
}

void pm_arrow_free_schema(void *schema)
{
	struct pm_arrow_schema *ours = schema;

	if (ours->release)
		ours->release(ours);
	free(ours);
}
