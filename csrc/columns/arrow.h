/*
 * Arrow's C data interface and C stream interface: structures by which libraries of one
 * process hand columns on without a copy. Layout and rules are those of
 * https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html.
 *
 * Whoever takes a structure may release it from any thread, move it by copying its bytes,
 * and take a child away from its parent. So a structure's memory is a block with a count
 * of those structures that were not released yet, and the last one frees it.
 */
#ifndef PM_ARROW_H
#define PM_ARROW_H

#include <stdint.h>

#include "columns/columns.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pm_arrow_schema {
	const char *format;
	const char *name;
	const char *metadata;
	int64_t flags;
	int64_t n_children;
	struct pm_arrow_schema **children;
	struct pm_arrow_schema *dictionary;
	void (*release)(struct pm_arrow_schema *schema);
	void *private_data;
};

struct pm_arrow_array {
	int64_t length;
	int64_t null_count;
	int64_t offset;
	int64_t n_buffers;
	int64_t n_children;
	const void **buffers;
	struct pm_arrow_array **children;
	struct pm_arrow_array *dictionary;
	void (*release)(struct pm_arrow_array *array);
	void *private_data;
};

struct pm_arrow_stream {
	int (*get_schema)(struct pm_arrow_stream *stream, struct pm_arrow_schema *out);
	int (*get_next)(struct pm_arrow_stream *stream, struct pm_arrow_array *out);
	const char *(*get_last_error)(struct pm_arrow_stream *stream);
	void (*release)(struct pm_arrow_stream *stream);
	void *private_data;
};

enum pm_arrow_flags {
	PM_ARROW_NULLABLE = 2,
};

/* How many hold something; any thread may. */
struct pm_holders {
	unsigned count;
};

static inline void pm_hold(struct pm_holders *holders)
{
	__atomic_fetch_add(&holders->count, 1, __ATOMIC_RELAXED);
}

/* Returns whether it was the last one that let go. */
static inline int pm_drop(struct pm_holders *holders)
{
	return __atomic_fetch_sub(&holders->count, 1, __ATOMIC_ACQ_REL) == 1;
}

/*
 * Who reads a stream. Consumers are to call it one after another, but one reader in Python may
 * be pulled by several threads: all but one of them are refused. Who releases it while it is
 * read leaves it to that reader to free.
 */
struct pm_turn {
	unsigned state;	   /* enum pm_turn_state */
	const char *error; /* what a consumer was told last; NULL: nothing */
};

enum pm_turn_state {
	PM_TURN_TAKEN = 1,
	PM_TURN_RELEASED = 2,
};

static inline void pm_turn_tell(struct pm_turn *turn, const char *error)
{
	__atomic_store_n(&turn->error, error, __ATOMIC_RELEASE);
}

static inline const char *pm_turn_told(const struct pm_turn *turn)
{
	return __atomic_load_n(&turn->error, __ATOMIC_ACQUIRE);
}

/* Returns whether it is ours now, which pm_turn_end is to end; else tells why not. */
static inline int pm_turn_begin(struct pm_turn *turn)
{
	if (!__atomic_fetch_or(&turn->state, PM_TURN_TAKEN, __ATOMIC_ACQUIRE))
		return 1;
	pm_turn_tell(turn, "this stream is being read by another thread: "
			   "read it in one of them, or make a stream for each");
	return 0;
}

/* Returns whether it was released meanwhile, and is to be freed here. */
static inline int pm_turn_end(struct pm_turn *turn)
{
	return __atomic_fetch_and(&turn->state, ~(unsigned)PM_TURN_TAKEN, __ATOMIC_ACQ_REL) !=
	       PM_TURN_TAKEN;
}

/* Returns whether nobody reads it, and it is to be freed here. */
static inline int pm_turn_release(struct pm_turn *turn)
{
	return !__atomic_fetch_or(&turn->state, PM_TURN_RELEASED, __ATOMIC_ACQ_REL);
}

/* A copy of a schema, which lives as long as anybody holds it. */
struct pm_shape {
	struct pm_holders holders;
	struct pm_schema schema;
};

/* Memory of columns, likewise. */
struct pm_memory {
	struct pm_holders holders;
	uint8_t *bytes; /* aligned to 64 */
};

/* One column of a batch: bits of what is known (NULL: all is), and values. */
struct pm_batch_column {
	const void *valid;
	const void *values;
	int64_t nulls;
};

/* shape.c */
struct pm_shape *pm_shape_new(const struct pm_schema *schema); /* NULL: no memory */
void pm_shape_hold(struct pm_shape *shape);
void pm_shape_drop(struct pm_shape *shape);

/* memory.c */
struct pm_memory *pm_memory_new(uint64_t size); /* NULL: no memory */
void pm_memory_hold(struct pm_memory *memory);
void pm_memory_drop(struct pm_memory *memory);

/* schema.c: 0 or ENOMEM */
int pm_shape_export(struct pm_shape *shape, struct pm_arrow_schema *out);

/* batch.c: hand a batch on, which holds its memory; 0 or ENOMEM. */
int pm_batch_export(struct pm_shape *shape, struct pm_memory *memory, uint64_t rows,
		    const struct pm_batch_column *columns, struct pm_arrow_array *out);

/* The bytes of one value of a type; 0 for bits. */
static inline uint64_t pm_value_size(uint32_t type)
{
	switch (type) {
	case PM_TYPE_BOOL:
		return 0;
	case PM_TYPE_TEXT:
		return sizeof(int32_t);
	default:
		return sizeof(int64_t);
	}
}

/* The bytes that `rows` values of a type take, as Arrow lays them out, in whole cache lines. */
static inline uint64_t pm_values_size(uint32_t type, uint64_t rows)
{
	const uint64_t size = pm_value_size(type);

	return ((size ? rows * size : (rows + 7) / 8) + 63) & ~UINT64_C(63);
}

#ifdef __cplusplus
}
#endif

#endif
