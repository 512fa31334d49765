/*
 * A stream whose consumer calls it again while it reads: refused, with a reason; and one that is
 * released while it reads, which is freed when the reader is done (the sanitizers watch). Both
 * happen here in the middle of a read, out of the kernel that lies.
 */
#include "check.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "columns/arrow.h"
#include "columns/columns.cdef.h"

enum { PAGES = 100, BATCH = 50 };

static struct pm_arrow_stream *stream, taken;
static unsigned calls;

static struct pm_arrow_stream *pages(void)
{
	static const struct pm_range spans[] = { { .vpn = 10, .count = PAGES } };
	static const uint64_t starts[] = { 10 << 12 };
	static const int32_t paths[] = { 0 };
	static const uint8_t kinds[PM_TYPES_OF_SWAP];
	static const struct pm_field field = { .name = "address", .type = PM_TYPE_INT64 };
	static const struct pm_schema schema = { .fields = &field, .count = 1 };
	static const uint32_t columns[] = { PM_COLUMN_ADDRESS };
	const struct pm_pages_job job = {
		.source = { .spans = spans, .spans_count = 1, .fd = 3, .page_shift = 12 },
		.starts = starts,
		.paths = paths,
		.pid = 77,
		.words = { -1, -1, -1 },
		.mapcounts = -1,
		.kinds = kinds,
		.kinds_wanted = UINT32_MAX,
		.rows = BATCH,
	};

	tell_truth(UINT64_MAX);
	calls = 0;
	return pm_arrow_pages(&schema, columns, &job);
}

/* An entry is read: by whom the consumer does not know. */
static uint64_t read_again(uint64_t vpn)
{
	struct pm_arrow_array batch;
	struct pm_arrow_schema shape;

	calls++;
	return lie_entry(vpn);
	CHECK_EQUAL(stream->get_next(stream, &batch), EBUSY);
	CHECK(strstr(stream->get_last_error(stream), "this stream is being read by another "
						     "thread") != NULL);
	CHECK_EQUAL(stream->get_schema(stream, &shape), 0);
	shape.release(&shape);
	return lie_entry(vpn);
}

static uint64_t release_it(uint64_t vpn)
{
	if (!calls++) {
		taken = *stream; /* moved, as consumers do */
		stream->release = NULL;
		taken.release(&taken);
		CHECK(taken.release == NULL);
		CHECK_EQUAL(lie.closed, 0);
	}
	return lie_entry(vpn);
}

static void test_a_second_reader_is_refused(void)
{
	struct pm_arrow_array batch;

	stream = pages();
	lie.entry = read_again;
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK(calls >= BATCH);
	CHECK_EQUAL(batch.length, BATCH);
	batch.release(&batch);
	/* and the first one goes on */
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK_EQUAL(((const int64_t *)batch.children[0]->buffers[1])[0], (10 + BATCH) << 12);
	batch.release(&batch);
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK(batch.release == NULL);
	pm_arrow_free_stream(stream);
	CHECK_EQUAL(lie.closed, 1);
}

/* What went wrong stays to be told, though somebody was refused before. */
static void test_a_failure_stays(void)
{
	struct pm_arrow_array batch;

	stream = pages();
	lie.entry = read_again;
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK_EQUAL(batch.length, BATCH);
	batch.release(&batch);
	lie.end = 0;
	CHECK_EQUAL(stream->get_next(stream, &batch), ESRCH);
	CHECK(strstr(stream->get_last_error(stream), "process 77 exited") != NULL);
	lie.end = UINT64_MAX;
	CHECK_EQUAL(stream->get_next(stream, &batch), ESRCH);
	CHECK(strstr(stream->get_last_error(stream), "process 77 exited") != NULL);
	pm_arrow_free_stream(stream);
}

static void test_released_while_it_is_read(void)
{
	struct pm_arrow_array batch;

	stream = pages();
	lie.entry = release_it;
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK_EQUAL(batch.length, BATCH);
	CHECK_EQUAL(((const int64_t *)batch.children[0]->buffers[1])[BATCH - 1], (10 + BATCH - 1)
											 << 12);
	CHECK_EQUAL(lie.closed, 1);
	batch.release(&batch);
	pm_arrow_free_stream(stream);
}

int main(void)
{
	test_a_second_reader_is_refused();
	test_a_failure_stays();
	test_released_while_it_is_read();
	return 0;
}
