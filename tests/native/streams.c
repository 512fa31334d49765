/*
 * One stream that several threads pull, as a reader of Arrow in Python can be: under
 * ThreadSanitizer, as threads.c. Each row goes to one of them, whoever comes while another one
 * reads is refused, and whoever releases it while it is read takes nothing away.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/entry_kinds.cdef.h"
#include "columns/arrow.h"
#include "columns/columns.cdef.h"

enum { THREADS = 4, PAGES = 20000, BATCH = 64, ROWS = 3 * PM_BATCH_ROWS };

#define CHECK(truth) \
	((truth) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #truth), exit(1)))

static const struct pm_field field = { .name = "address", .type = PM_TYPE_INT64 };
static const struct pm_schema schema = { .fields = &field, .count = 1 };

struct reader {
	struct pm_arrow_stream *stream;
	uint64_t rows, sum;
	int done;
};

static struct pm_arrow_stream *pages(int fd)
{
	static const struct pm_range span = { .vpn = 16, .count = PAGES };
	static const uint64_t start = 16 << 12;
	static const int32_t path;
	static const uint8_t kinds[PM_TYPES_OF_SWAP];
	static const uint32_t column = PM_COLUMN_ADDRESS;
	const struct pm_pages_job job = {
		.source = { .spans = &span, .spans_count = 1, .fd = fd, .page_shift = 12 },
		.starts = &start,
		.paths = &path,
		.pid = (int32_t)getpid(),
		.words = { -1, -1, -1 },
		.mapcounts = -1,
		.kinds = kinds,
		.kinds_wanted = UINT32_MAX,
		.rows = BATCH,
	};
	struct pm_arrow_stream *stream = pm_arrow_pages(&schema, &column, &job);

	CHECK(stream != NULL);
	return stream;
}

static struct pm_arrow_stream *table(void)
{
	int64_t *values = malloc(ROWS * sizeof(*values));
	const struct pm_column column = { values, NULL };
	struct pm_arrow_stream *stream;

	CHECK(values != NULL);
	for (int64_t i = 0; i < ROWS; i++)
		values[i] = i;
	stream = pm_arrow_table(&schema, &column, ROWS);
	CHECK(stream != NULL);
	free(values);
	return stream;
}

static void *read_all(void *argument)
{
	struct reader *reader = argument;
	struct pm_arrow_stream *stream = reader->stream;

	for (;;) {
		struct pm_arrow_array batch;
		const int error = stream->get_next(stream, &batch);

		if (error) {
			CHECK(error == EBUSY);
			CHECK(!strncmp(stream->get_last_error(stream),
				       "this stream is being read by another thread", 43));
			sched_yield();
			continue;
		}
		if (!batch.release)
			return NULL;
		for (int64_t i = 0; i < batch.length; i++)
			reader->sum += ((const uint64_t *)batch.children[0]->buffers[1])[i];
		reader->rows += (uint64_t)batch.length;
		batch.release(&batch);
	}
}

/* All threads read it; each row is read once. */
static void share(struct pm_arrow_stream *stream, uint64_t rows, uint64_t sum)
{
	struct reader readers[THREADS] = { 0 };
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		readers[i].stream = stream;
		CHECK(!pthread_create(threads + i, NULL, read_all, readers + i));
	}
	for (unsigned i = 0; i < THREADS; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		rows -= readers[i].rows;
		sum -= readers[i].sum;
	}
	CHECK(!rows && !sum);
	pm_arrow_free_stream(stream);
}

static void *read_one(void *argument)
{
	struct reader *reader = argument;
	struct pm_arrow_array batch;
	const int error = reader->stream->get_next(reader->stream, &batch);

	CHECK(!error || error == EBUSY);
	if (!error && batch.release)
		batch.release(&batch);
	__atomic_store_n(&reader->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A thread reads once; as soon as it is seen to, or is done, the stream is released. */
static void release_early(struct pm_arrow_stream *stream)
{
	struct reader reader = { .stream = stream };
	struct pm_arrow_array batch;
	pthread_t thread;
	int error = 0;

	CHECK(!pthread_create(&thread, NULL, read_one, &reader));
	while (!error && !__atomic_load_n(&reader.done, __ATOMIC_ACQUIRE)) {
		error = stream->get_next(stream, &batch);
		if (!error && batch.release)
			batch.release(&batch);
	}
	stream->release(stream);
	CHECK(!pthread_join(thread, NULL));
	pm_arrow_free_stream(stream);
}

int main(void)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	for (unsigned round = 0; round < 5; round++) {
		share(pages(fd), PAGES, (uint64_t)PAGES * (2 * 16 + PAGES - 1) / 2 << 12);
		release_early(pages(fd));
		release_early(table());
		share(table(), ROWS, (uint64_t)ROWS * (ROWS - 1) / 2);
	}
	close(fd);
	return 0;
}
