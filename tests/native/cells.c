/*
 * Cells of tables: whatever the room, the same rows come out, in pieces; each buffer is exact,
 * but for the slack that is promised. What is written is compared with printf's.
 */
#include "check.h"
#include "rows/cells.cdef.h"

enum { ROWS = 40, MOST = 1 << 14 };

static const int64_t numbers[] = {
	0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN, -10, 4096, INT64_C(1) << 53,
};
static const char words[] = "anon//usr/lib/libc.so.6, a name that is long enough to need steps";
static const uint64_t word_ends[] = { 0, 0, 5, 23, sizeof(words) - 1 };
static const char *const truths = "falsetrue";
static const uint64_t truth_ends[] = { 0, 5, 9 };

static int64_t values[2][ROWS];
static uint8_t bools[ROWS], known[ROWS];
static int32_t codes[ROWS];

/* A text in memory of exactly its size and the slack. */
static struct pm_text text_of(const char *text, size_t size)
{
	char *bytes = exactly(size + PM_ROW_SLACK);

	memcpy(bytes, text, size);
	return (struct pm_text){ bytes, size };
}

static void *copy_of(const void *from, size_t size)
{
	return memcpy(exactly(size), from, size);
}

/* What printf makes of row `row`; returns its size. */
static size_t naive(char *out, int row, uint32_t quoted)
{
	const char *quote = quoted ? "\"" : "";
	char *end = out;

	end += sprintf(end, "{\"a long name of a column\":");
	end += known[row] ? sprintf(end, "%" PRId64, values[0][row]) : sprintf(end, "null");
	end += sprintf(end, ",%s0x%" PRIx64 "%s", quote, (uint64_t)values[1][row], quote);
	end += sprintf(end, ",%s,", bools[row] ? "true" : "false");
	if (!known[row])
		end += sprintf(end, "null");
	else
		end += sprintf(end, "%.*s",
			       (int)(word_ends[codes[row] + 1] - word_ends[codes[row]]),
			       words + word_ends[codes[row]]);
	end += sprintf(end, "}\n");
	return (size_t)(end - out);
}

static void draw(void)
{
	for (int row = 0; row < ROWS; row++) {
		for (int i = 0; i < 2; i++)
			values[i][row] = rand() % 3
						 ? numbers[(size_t)rand() % (sizeof(numbers) / 8)]
						 : (int64_t)((uint64_t)rand() << 33) ^ rand();
		bools[row] = rand() % 3 == 0 ? 0 : (uint8_t)rand();
		known[row] = rand() % 3 != 0;
		codes[row] = rand() % 4;
	}
}

static void check_size(const struct pm_cell_rows *rows, const char *wanted, size_t whole,
		       uint64_t size)
{
	uint64_t row = 0;
	size_t done = 0;

	while (row < ROWS) {
		const uint64_t before = row;
		char *out = exactly(size);
		const int64_t got = pm_cells_write(rows, &row, ROWS, out, size);

		if (got == -ENOSPC) {
			/* not for want of room that was there: twice a row, all bounds, and slack */
			CHECK(size < 300);
			CHECK_EQUAL(row, before);
			free(out);
			return;
		}
		CHECK(got > 0 && row > before && (uint64_t)got + PM_ROW_SLACK <= size);
		CHECK(done + (size_t)got <= whole);
		CHECK(memcmp(out, wanted + done, (size_t)got) == 0);
		CHECK_EQUAL(out[got - 1], '\n');
		done += (size_t)got;
		free(out);
	}
	CHECK_EQUAL(done, whole);
}

static void check_columns(uint32_t quoted)
{
	static const uint32_t types[] = { PM_CELL_DECIMAL, PM_CELL_HEX, PM_CELL_BOOL,
					  PM_CELL_WORD };
	static char wanted[MOST];
	const void *const held[] = { copy_of(values[0], sizeof(values[0])),
				     copy_of(values[1], sizeof(values[1])),
				     copy_of(bools, sizeof(bools)), copy_of(codes, sizeof(codes)) };
	uint8_t *valid = copy_of(known, sizeof(known));
	const struct pm_text word_text = text_of(words, sizeof(words) - 1);
	const struct pm_text truth_text = text_of(truths, 9);
	const struct pm_text comma = text_of(",", 1);
	const struct pm_text first = text_of("{\"a long name of a column\":", 27);
	struct pm_cells columns[4];
	struct pm_cell_rows rows = {
		.columns = columns,
		.columns_count = 4,
		.unknown = text_of("null", 4),
		.after = text_of("}\n", 2),
		.quoted = quoted,
	};
	size_t whole = 0;

	for (int i = 0; i < 4; i++)
		columns[i] = (struct pm_cells){
			.values = held[i],
			.valid = i % 3 == 0 ? valid : NULL,
			.before = i ? comma : first,
			.words = i == 2 ? truth_text.bytes : word_text.bytes,
			.ends = i == 2 ? truth_ends : word_ends,
			.words_count = i == 2 ? 2 : 4,
			.type = types[i],
		};
	for (int row = 0; row < ROWS; row++)
		whole += naive(wanted + whole, row, quoted);
	CHECK(whole < MOST);
	for (uint64_t size = 0; size < 700; size++)
		check_size(&rows, wanted, whole, size);
	check_size(&rows, wanted, whole, MOST);
	free((void *)first.bytes);
	free((void *)comma.bytes);
	free((void *)truth_text.bytes);
	free((void *)word_text.bytes);
	free((void *)rows.unknown.bytes);
	free((void *)rows.after.bytes);
	free(valid);
	for (int i = 0; i < 4; i++)
		free((void *)held[i]);
}

/* Words that there are not, and what is no job, are refused, and nothing is written behind. */
static void check_refused(void)
{
	const int32_t wrong[] = { 0, 3, -1, INT32_MIN, INT32_MAX };
	const uint64_t ends[] = { 0, 1, 2, 3 };
	const struct pm_text none = text_of("", 0), word = text_of("abc", 3);
	struct pm_cells column = {
		.values = wrong,
		.before = none,
		.words = word.bytes,
		.ends = ends,
		.words_count = 3,
		.type = PM_CELL_WORD,
	};
	struct pm_cell_rows rows = { &column, 1, none, none, 0 };
	char out[100];

	for (uint64_t i = 1; i < 5; i++) {
		uint64_t row = i;

		CHECK_EQUAL(pm_cells_write(&rows, &row, i + 1, out, sizeof(out)), -EINVAL);
		CHECK_EQUAL(row, i);
		row = 0;
		CHECK_EQUAL(pm_cells_write(&rows, &row, i + 1, out, sizeof(out)), -EINVAL);
	}
	column.type = PM_CELL_WORD + 1;
	CHECK_EQUAL(pm_cells_write(&rows, &(uint64_t){ 0 }, 1, out, sizeof(out)), -EINVAL);
	column.type = PM_CELL_BOOL;
	column.words_count = 0;
	CHECK_EQUAL(pm_cells_write(&rows, &(uint64_t){ 0 }, 1, out, sizeof(out)), -EINVAL);
	column.words_count = 3;
	rows.unknown.size = PM_CELL_BOUND + 1;
	CHECK_EQUAL(pm_cells_write(&rows, &(uint64_t){ 0 }, 1, out, sizeof(out)), -EINVAL);
	rows.unknown.size = 0;
	CHECK_EQUAL(pm_cells_write(&rows, &(uint64_t){ 0 }, 0, NULL, 0), 0);
	free((void *)none.bytes);
	free((void *)word.bytes);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(20); round++) {
		draw();
		check_columns(round % 2);
	}
	check_refused();
	return 0;
}
