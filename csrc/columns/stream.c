/*
 * A stream of a process's pages: each batch is read when the consumer asks for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/entry_kinds.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/sys.h"
#include "walk/spans.cdef.h"
#include "columns/arrow.h"

struct stream {
	struct pm_turn turn;
	int failed; /* errno of the first failure, after which there is nothing more */
	struct pm_shape *shape;
	struct pm_pages_job job; /* its tables and descriptors are ours */
	struct pm_reader reader; /* and so is what it reads, where that is not live */
	struct pm_page_rows rows;
	struct pm_place at;
	uint64_t *scratch;	       /* of words, where any are asked for */
	const uint32_t *columns;       /* enum pm_page_column of each field */
	struct pm_batch_column *batch; /* of the batch being made */
	uint8_t kinds[PM_TYPES_OF_SWAP];
	int own;	  /* these are our own pages: a child of fork has other ones */
	char error[160];  /* what failed, once `failed` is set */
	char forked[160]; /* what a child of fork is told, where they are our own */
};

static void *copy_of(const void *from, uint64_t size)
{
	void *to = malloc(size ? size : 1);

	if (to && size)
		memcpy(to, from, size);
	return to;
}

static void close_all(struct stream *stream)
{
	const int32_t fds[] = { stream->job.source.fd, stream->job.words[0], stream->job.words[1],
				stream->job.words[2], stream->job.mapcounts };

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			pm_sys_close(fds[i]);
	}
}

static void destroy(struct stream *stream)
{
	close_all(stream);
	if (stream->job.source.reader)
		stream->reader.drop(stream->reader.saved);
	free((void *)stream->job.source.spans);
	free((void *)stream->job.entries);
	free((void *)stream->job.starts);
	free((void *)stream->job.paths);
	free(stream->rows.entries);
	free(stream->rows.runs);
	free(stream->rows.spans);
	free(stream->scratch);
	free((void *)stream->columns);
	free(stream->batch);
	if (stream->shape)
		pm_shape_drop(stream->shape);
	free(stream);
}

/* Double a descriptor, so that whoever lent it may close it. Returns 0 or errno. */
static int double_of(int32_t *fd)
{
	if (*fd < 0)
		return 0;
	*fd = pm_sys_dup(*fd);
	return *fd < 0 ? errno : 0;
}

static int open_all(struct stream *stream)
{
	struct pm_pages_job *job = &stream->job;
	int32_t *const fds[] = { &job->source.fd, job->words, job->words + 1, job->words + 2,
				 &job->mapcounts };
	int error = 0;

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		/* after a failure the rest are the lender's: not to be closed here */
		if (error)
			*fds[i] = -1;
		else
			error = double_of(fds[i]);
	}
	return error;
}

/* Have a reader of our own. Returns 0 or errno. */
static int copy_reader(struct stream *stream, const struct pm_reader *lent)
{
	if (!lent)
		return 0;
	stream->reader = *lent;
	stream->reader.saved = lent->copy(lent->saved);
	if (!stream->reader.saved)
		return errno;
	stream->job.source.reader = &stream->reader;
	return 0;
}

static int take(struct stream *stream, const struct pm_schema *schema, const uint32_t *columns,
		const struct pm_pages_job *job)
{
	const uint64_t spans = job->source.spans_count, rows = job->rows;
	int words = 0, error;

	stream->job = *job;
	stream->own = !job->source.reader && job->pid == pm_sys_pid();
	snprintf(stream->forked, sizeof(stream->forked),
		 "this stream is of process %d, which has forked this one since: "
		 "make another, of a Process that is opened here",
		 (int)job->pid);
	memcpy(stream->kinds, job->kinds, sizeof(stream->kinds));
	stream->job.kinds = stream->kinds;
	stream->job.source.spans = NULL;
	stream->job.source.reader = NULL;
	stream->job.entries = NULL;
	stream->job.starts = NULL;
	stream->job.paths = NULL;
	error = open_all(stream);
	if (!error)
		error = copy_reader(stream, job->source.reader);
	if (error)
		return error;
	for (uint64_t i = 0; i < schema->count; i++)
		words |= columns[i] >= PM_COLUMN_WORDS;
	stream->shape = pm_shape_new(schema);
	stream->job.source.spans = copy_of(job->source.spans, spans * sizeof(*job->source.spans));
	if (job->entries) {
		stream->job.entries =
			copy_of(job->entries, job->source.spans->count * sizeof(*job->entries));
		if (!stream->job.entries)
			return ENOMEM;
	}
	stream->job.starts = copy_of(job->starts, spans * sizeof(*job->starts));
	stream->job.paths = copy_of(job->paths, spans * sizeof(*job->paths));
	stream->columns = copy_of(columns, schema->count * sizeof(*columns));
	stream->batch = malloc((schema->count + 1) * sizeof(*stream->batch));
	stream->rows.capacity = rows;
	stream->rows.entries = malloc(rows * sizeof(uint64_t));
	stream->rows.runs = malloc(rows * sizeof(struct pm_range));
	stream->rows.spans = malloc(rows * sizeof(uint64_t));
	stream->scratch = malloc(words ? (5 * rows + PM_READ_BLOCK) * sizeof(uint64_t) : 1);
	return stream->shape && stream->job.source.spans && stream->job.starts &&
			       stream->job.paths && stream->columns && stream->batch &&
			       stream->rows.entries && stream->rows.runs && stream->rows.spans &&
			       stream->scratch
		       ? 0
		       : ENOMEM;
}

/* Say what failed: once, for whoever is told of it may be reading the words at any time since. */
static void say(struct stream *stream, int error)
{
	char reason[96];

	if (error == ESRCH)
		snprintf(stream->error, sizeof(stream->error),
			 "process %d exited or called exec while it was read: "
			 "the rows before this are not all of them",
			 (int)stream->job.pid);
	else if (error == EBADMSG && stream->job.source.reader)
		snprintf(stream->error, sizeof(stream->error),
			 "the file that has the pages of process %d is damaged: "
			 "the rows before this are not all of them",
			 (int)stream->job.pid);
	else if (stream->job.entries)
		snprintf(stream->error, sizeof(stream->error), "not enough memory"); /* no other */
	else if (!strerror_r(error, reason, sizeof(reason)))
		snprintf(stream->error, sizeof(stream->error),
			 "cannot read the pages of process %d: %s", (int)stream->job.pid, reason);
	else
		snprintf(stream->error, sizeof(stream->error),
			 "cannot read the pages of process %d: error %d", (int)stream->job.pid,
			 error);
}

/* Decode the rows into new memory, a column after another. Returns 0 or errno. */
static int decode(struct stream *stream, struct pm_memory **out)
{
	const struct pm_schema *schema = &stream->shape->schema;
	struct pm_memory *memory;
	uint64_t size = 0;
	uint8_t *at;

	for (uint64_t i = 0; i < schema->count; i++) {
		size += pm_values_size(schema->fields[i].type, stream->rows.count);
		size += pm_values_size(PM_TYPE_BOOL, stream->rows.count);
	}
	memory = pm_memory_new(size);
	if (!memory)
		return ENOMEM;
	at = memory->bytes;
	for (uint64_t i = 0; i < schema->count; i++) {
		struct pm_batch_column *column = stream->batch + i;
		uint8_t *valid;

		column->values = at;
		valid = at + pm_values_size(schema->fields[i].type, stream->rows.count);
		column->valid = valid;
		column->nulls = pm_pages_column(&stream->job, &stream->rows, stream->columns[i], 1,
						at, valid, stream->scratch);
		if (column->nulls < 0) {
			pm_memory_drop(memory);
			return (int)-column->nulls;
		}
		at = valid + pm_values_size(PM_TYPE_BOOL, stream->rows.count);
	}
	*out = memory;
	return 0;
}

static int get_schema(struct pm_arrow_stream *of, struct pm_arrow_schema *out)
{
	struct stream *stream = of->private_data;
	int error = pm_shape_export(stream->shape, out);

	if (error)
		pm_turn_tell(&stream->turn, "not enough memory"); /* nothing else can fail */
	return error;
}

/* Returns 0 or errno. */
static int next(struct stream *stream, struct pm_arrow_array *out)
{
	struct pm_memory *memory = NULL;
	int64_t got;
	int error;

	got = pm_pages_read(&stream->job, &stream->at, &stream->rows);
	if (got < 0)
		return (int)-got;
	if (!got) {
		out->release = NULL; /* the end */
		return 0;
	}
	error = decode(stream, &memory);
	if (error)
		return error;
	error = pm_batch_export(stream->shape, memory, stream->rows.count, stream->batch, out);
	pm_memory_drop(memory);
	return error;
}

static int get_next(struct pm_arrow_stream *of, struct pm_arrow_array *out)
{
	struct stream *stream = of->private_data;
	int error;

	/* before it is our turn: the thread that had it at the fork is not there to end it */
	if (stream->own && pm_sys_pid() != stream->job.pid) {
		pm_turn_tell(&stream->turn, stream->forked);
		return EBADF;
	}
	if (!pm_turn_begin(&stream->turn))
		return EBUSY;
	error = stream->failed;
	if (!error) {
		error = next(stream, out);
		if (error) {
			say(stream, error);
			__atomic_store_n(&stream->failed, error, __ATOMIC_RELEASE);
		}
	}
	if (pm_turn_end(&stream->turn))
		destroy(stream);
	return error;
}

static const char *get_last_error(struct pm_arrow_stream *of)
{
	const struct stream *stream = of->private_data;

	if (__atomic_load_n(&stream->failed, __ATOMIC_ACQUIRE))
		return stream->error;
	return pm_turn_told(&stream->turn);
}

static void release(struct pm_arrow_stream *of)
{
	struct stream *stream = of->private_data;

	of->release = NULL;
	if (pm_turn_release(&stream->turn))
		destroy(stream);
}

void *pm_arrow_pages(const struct pm_schema *schema, const uint32_t *columns,
		     const struct pm_pages_job *job)
{
	struct pm_arrow_stream *out = malloc(sizeof(*out));
	struct stream *stream = calloc(1, sizeof(*stream));
	int error = out && stream ? take(stream, schema, columns, job) : ENOMEM;

	if (error) {
		if (stream && out)
			destroy(stream);
		else
			free(stream);
		free(out);
		errno = error;
		return NULL;
	}
	*out = (struct pm_arrow_stream){
		.get_schema = get_schema,
		.get_next = get_next,
		.get_last_error = get_last_error,
		.release = release,
		.private_data = stream,
	};
	return out;
}
