/*
 * Arrow's structures: every order in which a consumer may release, move and keep them frees
 * all memory once, and none early (the sanitizers watch).
 */
#include <pthread.h>

#include "check.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "columns/arrow.h"
#include "columns/columns.cdef.h"

enum { ROWS = 1000, PAGES = 300 };

static const int32_t ends[] = { 0, 2, 2, 5 };
static const struct pm_field fields[] = {
	{ .name = "number", .type = PM_TYPE_INT64, .nullable = 1 },
	{ .name = "truth", .type = PM_TYPE_BOOL },
	{ .name = "word",
	  .type = PM_TYPE_TEXT,
	  .words = { .bytes = "abcde", .ends = ends, .count = 3 } },
};
static const struct pm_schema schema = { .fields = fields, .count = 3 };

static struct pm_arrow_stream *table_of(uint64_t rows)
{
	int64_t *numbers = exactly(rows * sizeof(*numbers));
	int32_t *codes = exactly(rows * sizeof(*codes));
	uint8_t *truths = exactly(rows), *valid = exactly(rows);
	const struct pm_column columns[] = { { numbers, valid },
					     { truths, NULL },
					     { codes, NULL } };
	struct pm_arrow_stream *stream;

	for (uint64_t i = 0; i < rows; i++) {
		numbers[i] = (int64_t)i * 3;
		truths[i] = i % 5 == 0;
		valid[i] = i % 7 != 0;
		codes[i] = (int32_t)(i % 3);
	}
	stream = pm_arrow_table(&schema, columns, rows);
	CHECK(stream != NULL);
	free(numbers); /* all was copied */
	free(codes);
	free(truths);
	free(valid);
	return stream;
}

static int bit(const void *bits, uint64_t i)
{
	return ((const uint8_t *)bits)[i / 8] >> (i % 8) & 1;
}

static void check_rows(const struct pm_arrow_array *batch, uint64_t first)
{
	const struct pm_arrow_array *words = batch->children[2]->dictionary;

	CHECK_EQUAL(batch->n_children, 3);
	for (int64_t row = 0; row < batch->length; row++) {
		const uint64_t i = (uint64_t)row, number = first + i;

		CHECK_EQUAL(((const int64_t *)batch->children[0]->buffers[1])[i], number * 3);
		CHECK_EQUAL(bit(batch->children[0]->buffers[0], i), number % 7 != 0);
		CHECK_EQUAL(bit(batch->children[1]->buffers[1], i), number % 5 == 0);
		CHECK_EQUAL(((const int32_t *)batch->children[2]->buffers[1])[i], number % 3);
	}
	CHECK_EQUAL(words->length, 3);
	CHECK_EQUAL(((const int32_t *)words->buffers[1])[3], 5);
	CHECK(!memcmp(words->buffers[2], "abcde", 5));
}

static void test_schema(void)
{
	struct pm_arrow_schema *whole = pm_arrow_schema_of(&schema), taken;

	CHECK(whole != NULL);
	CHECK(!strcmp(whole->format, "+s"));
	CHECK_EQUAL(whole->n_children, 3);
	CHECK(!strcmp(whole->children[0]->format, "l"));
	CHECK_EQUAL(whole->children[0]->flags, PM_ARROW_NULLABLE);
	CHECK(!strcmp(whole->children[1]->format, "b"));
	CHECK_EQUAL(whole->children[1]->flags, 0);
	CHECK(!strcmp(whole->children[2]->format, "i"));
	CHECK(!strcmp(whole->children[2]->dictionary->format, "u"));
	/* a child that was taken away outlives its parent */
	taken = *whole->children[2];
	whole->children[2]->release = NULL;
	pm_arrow_free_schema(whole);
	CHECK(!strcmp(taken.name, "word"));
	CHECK(!strcmp(taken.dictionary->format, "u"));
	taken.release(&taken);
	CHECK(taken.release == NULL);
}

static void test_table_in_order(void)
{
	struct pm_arrow_stream *stream = table_of(ROWS);
	struct pm_arrow_schema shape;
	struct pm_arrow_array batch;

	CHECK_EQUAL(stream->get_schema(stream, &shape), 0);
	shape.release(&shape);
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK_EQUAL(batch.length, ROWS);
	check_rows(&batch, 0);
	batch.release(&batch);
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK(batch.release == NULL);
	pm_arrow_free_stream(stream);
}

static void test_batches_outlive_the_stream(void)
{
	/* more than one batch: 2^20 rows at most in each */
	const uint64_t rows = PM_BATCH_ROWS + 24;
	struct pm_arrow_stream *stream = table_of(rows);
	struct pm_arrow_array first, second, child, words;

	CHECK_EQUAL(stream->get_next(stream, &first), 0);
	CHECK_EQUAL(stream->get_next(stream, &second), 0);
	pm_arrow_free_stream(stream);
	CHECK(first.length <= PM_BATCH_ROWS);
	check_rows(&second, (uint64_t)first.length);
	CHECK_EQUAL(first.length + second.length, rows);
	/* take a child away, then the dictionary away from it, and let go in another order */
	child = *first.children[2];
	first.children[2]->release = NULL;
	words = *child.dictionary;
	child.dictionary->release = NULL;
	second.release(&second);
	first.release(&first);
	CHECK_EQUAL(((const int32_t *)child.buffers[1])[4], 1);
	child.release(&child);
	CHECK(!memcmp(words.buffers[2], "abcde", 5));
	words.release(&words);
}

static void test_nothing(void)
{
	struct pm_arrow_stream *stream = table_of(0);
	struct pm_arrow_array batch;

	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	CHECK(batch.release == NULL);
	pm_arrow_free_stream(stream);
}

static void test_words_that_there_are_not(void)
{
	const int32_t bad[] = { 0, 2, 3 }, below[] = { INT32_MIN, 0 };
	const struct pm_schema texts = { .fields = fields + 2, .count = 1 };
	const struct pm_column column = { bad, NULL };

	CHECK_EQUAL(pm_codes_end(bad, 3, 3), 2);
	CHECK_EQUAL(pm_codes_end(bad, 3, 4), 3);
	CHECK_EQUAL(pm_codes_end(bad, 0, 0), 0);
	CHECK_EQUAL(pm_codes_end(below, 2, UINT64_C(1) << 40), 0);
	errno = 0;
	CHECK(pm_arrow_table(&texts, &column, 3) == NULL);
	CHECK_EQUAL(errno, EINVAL);
}

static void *release_it(void *batch)
{
	struct pm_arrow_array *ours = batch;

	ours->release(ours);
	return NULL;
}

static void test_any_thread_may_release(void)
{
	struct pm_arrow_stream *stream = table_of(ROWS);
	struct pm_arrow_array batch, children[3];
	pthread_t threads[4];

	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	for (unsigned i = 0; i < 3; i++) {
		children[i] = *batch.children[i];
		batch.children[i]->release = NULL;
	}
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_create(threads + i, NULL, release_it, children + i), 0);
	CHECK_EQUAL(pthread_create(threads + 3, NULL, release_it, &batch), 0);
	pm_arrow_free_stream(stream);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static const struct pm_range spans[] = { { .vpn = 10, .count = PAGES },
					 { .vpn = 4000, .count = 5 } };
static const uint64_t starts[] = { 10 << 12, 4000 << 12 };
static const int32_t paths[] = { 0, 1 };
static const struct pm_field page_fields[] = {
	{ .name = "address", .type = PM_TYPE_INT64 },
	{ .name = "pfn", .type = PM_TYPE_INT64, .nullable = 1 },
	{ .name = "present", .type = PM_TYPE_BOOL },
	{ .name = "path",
	  .type = PM_TYPE_TEXT,
	  .words = { .bytes = "abcde", .ends = ends, .count = 3 } },
};
static const struct pm_schema page_schema = { .fields = page_fields, .count = 4 };
static const uint32_t page_columns[] = { PM_COLUMN_ADDRESS, PM_COLUMN_PFN, PM_PRESENT_BIT,
					 PM_COLUMN_PATH };

static const uint8_t types[PM_TYPES_OF_SWAP];

static struct pm_arrow_stream *pages_of(uint32_t populated, uint64_t rows)
{
	const struct pm_pages_job job = {
		.source.spans = spans,
		.source.spans_count = 2,
		.starts = starts,
		.paths = paths,
		.pid = 77,
		.source.fd = 3,
		.words = { -1, -1, -1 },
		.mapcounts = -1,
		.kinds = types,
		.kinds_wanted = UINT32_MAX,
		.source.page_shift = 12,
		.populated = populated,
		.rows = rows,
	};

	return pm_arrow_pages(&page_schema, page_columns, &job);
}

static void test_pages(uint32_t populated)
{
	struct pm_arrow_stream *stream;
	struct pm_arrow_array batch;
	uint64_t vpn = 10;

	tell_truth(UINT64_MAX);
	stream = pages_of(populated, 64);
	CHECK(stream != NULL);
	for (;;) {
		CHECK_EQUAL(stream->get_next(stream, &batch), 0);
		if (!batch.release)
			break;
		CHECK(batch.length > 0 && batch.length <= 64);
		for (int64_t row = 0; row < batch.length; row++) {
			const uint64_t i = (uint64_t)row;
			uint64_t entry, pfn;

			if (vpn == 10 + PAGES)
				vpn = 4000;
			while (populated && !(lie_entry(vpn) >> PM_SWAPPED_BIT))
				vpn++;
			entry = lie_entry(vpn);
			pfn = pm_flag(entry, PM_PRESENT_BIT) ? entry & PM_PLACE_MASK : 0;
			CHECK_EQUAL(((const int64_t *)batch.children[0]->buffers[1])[i], vpn << 12);
			CHECK_EQUAL(((const int64_t *)batch.children[1]->buffers[1])[i], pfn);
			CHECK_EQUAL(bit(batch.children[2]->buffers[1], i),
				    pm_flag(entry, PM_PRESENT_BIT));
			CHECK_EQUAL(((const int32_t *)batch.children[3]->buffers[1])[i],
				    vpn >= 4000);
			vpn++;
		}
		batch.release(&batch);
	}
	if (!populated)
		CHECK_EQUAL(vpn, 4005);
	pm_arrow_free_stream(stream);
}

/* A target that is gone reads like one that ends: the consumer must see an error. */
static void test_a_target_that_is_gone(void)
{
	struct pm_arrow_stream *stream;
	struct pm_arrow_array batch;

	tell_truth(UINT64_MAX);
	stream = pages_of(0, 64);
	CHECK(stream->get_last_error(stream) == NULL);
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	batch.release(&batch);
	tell_truth(0);
	CHECK_EQUAL(stream->get_next(stream, &batch), ESRCH);
	CHECK(strstr(stream->get_last_error(stream), "process 77 exited") != NULL);
	pm_arrow_free_stream(stream);
}

/* After a fork the descriptor shows the parent: a child must not take that for its own. */
static void test_a_child_of_fork(void)
{
	struct pm_arrow_stream *stream;
	struct pm_arrow_array batch;

	tell_truth(UINT64_MAX);
	lie.pid = 77;
	stream = pages_of(0, 64);
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	batch.release(&batch);
	lie.pid = 78;
	CHECK_EQUAL(stream->get_next(stream, &batch), EBADF);
	CHECK(strstr(stream->get_last_error(stream), "is of process 77, which has forked") != NULL);
	pm_arrow_free_stream(stream);
	stream = pages_of(0, 64); /* of another process: that stays what it is */
	lie.pid = 79;
	CHECK_EQUAL(stream->get_next(stream, &batch), 0);
	batch.release(&batch);
	pm_arrow_free_stream(stream);
}

/* Entries that were read before: copied, so the lender may do with them what it likes. */
static void test_entries(void)
{
	uint64_t *entries = exactly(PAGES * 8);
	const struct pm_range range = { .vpn = 10, .count = PAGES };
	const struct pm_pages_job job = {
		.source = { &range, 1, -1, 12, 0, NULL },
		.entries = entries,
		.starts = starts,
		.paths = paths,
		.words = { -1, -1, -1 },
		.mapcounts = -1,
		.kinds = types,
		.kinds_wanted = UINT32_MAX,
		.rows = 64,
	};
	struct pm_arrow_stream *stream;
	struct pm_arrow_array batch;
	uint64_t vpn = 10;

	tell_truth(UINT64_MAX);
	for (uint64_t i = 0; i < PAGES; i++)
		entries[i] = lie_entry(10 + i);
	stream = pm_arrow_pages(&page_schema, page_columns, &job);
	CHECK(stream != NULL);
	free(entries);
	for (;;) {
		CHECK_EQUAL(stream->get_next(stream, &batch), 0);
		if (!batch.release)
			break;
		for (int64_t row = 0; row < batch.length; row++, vpn++) {
			const uint64_t i = (uint64_t)row, entry = lie_entry(vpn);

			CHECK_EQUAL(((const int64_t *)batch.children[0]->buffers[1])[i], vpn << 12);
			CHECK_EQUAL(bit(batch.children[2]->buffers[1], i),
				    pm_flag(entry, PM_PRESENT_BIT));
		}
		batch.release(&batch);
	}
	CHECK_EQUAL(vpn, 10 + PAGES);
	CHECK_EQUAL(lie.reads + lie.opened + lie.closed, 0);
	pm_arrow_free_stream(stream);
}

static void test_descriptors(void)
{
	struct pm_arrow_stream *stream;

	tell_truth(UINT64_MAX);
	stream = pages_of(0, 64);
	CHECK_EQUAL(lie.opened, 1);
	pm_arrow_free_stream(stream);
	CHECK_EQUAL(lie.closed, 1);

	tell_truth(UINT64_MAX);
	lie.open_error = EMFILE;
	errno = 0;
	CHECK(pages_of(0, 64) == NULL);
	CHECK_EQUAL(errno, EMFILE);
	CHECK_EQUAL(lie.closed, 0); /* that of the lender stays open */
}

int main(void)
{
	test_schema();
	test_table_in_order();
	test_batches_outlive_the_stream();
	test_nothing();
	test_words_that_there_are_not();
	test_any_thread_may_release();
	test_pages(0);
	test_pages(1);
	test_a_target_that_is_gone();
	test_a_child_of_fork();
	test_descriptors();
	test_entries();
	return 0;
}
