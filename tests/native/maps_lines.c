/*
 * Text of maps is split into lines, and tails that come again are told once,
 * within buffers of exactly their size; what is no line is refused.
 */
#include "check.h"
#include "kernel/maps.cdef.h"
#include "walk/spans.cdef.h"

enum { MOST = 64 };

/* A copy of the text of exactly its size, split with `slots_count` slots. */
static struct pm_lines split(const char *text, uint64_t capacity, uint64_t slots_count,
			     int64_t wanted)
{
	struct pm_lines lines = {
		.text_size = strlen(text),
		.capacity = capacity,
		.bounds = exactly(2 * capacity * sizeof(uint64_t)),
		.numbers = exactly(capacity * sizeof(uint32_t)),
		.tails = exactly(capacity * sizeof(struct pm_tail)),
		.slots = exactly(slots_count * sizeof(uint32_t)),
		.slots_count = slots_count,
	};

	lines.text = memcpy(exactly(lines.text_size), text, lines.text_size);
	CHECK_EQUAL(pm_lines_split(&lines), wanted);
	return lines;
}

static void release(struct pm_lines *lines)
{
	free((char *)lines->text);
	free(lines->bounds);
	free(lines->numbers);
	free(lines->tails);
	free(lines->slots);
}

static void check_tail(const struct pm_lines *lines, uint64_t line, const char *wanted)
{
	const struct pm_tail *tail = &lines->tails[lines->numbers[line]];

	CHECK(lines->numbers[line] < lines->tails_count);
	CHECK_EQUAL(tail->size, strlen(wanted));
	CHECK(!memcmp(lines->text + tail->at, wanted, tail->size));
}

static void check_lines(void)
{
	/* an empty line, and no newline at the end */
	struct pm_lines lines = split("1000-2000 rw-p a\n\n"
				      "2000-abcdef00 \n"
				      "abcdef00-abcdef0123456789 rw-p a\n"
				      "abcdef0123456789-FFFFFFFFFFFFFFFF rw-p b",
				      4, 8, 4);

	CHECK(lines.bounds[0] == 0x1000 && lines.bounds[1] == 0x2000);
	CHECK(lines.bounds[2] == 0x2000 && lines.bounds[3] == 0xabcdef00);
	CHECK(lines.bounds[4] == 0xabcdef00 && lines.bounds[5] == UINT64_C(0xabcdef0123456789));
	CHECK(lines.bounds[6] == UINT64_C(0xabcdef0123456789) && lines.bounds[7] == UINT64_MAX);
	CHECK_EQUAL(lines.tails_count, 3);
	check_tail(&lines, 0, "rw-p a");
	check_tail(&lines, 1, "");
	check_tail(&lines, 2, "rw-p a");
	check_tail(&lines, 3, "rw-p b");
	CHECK_EQUAL(lines.numbers[2], lines.numbers[0]);
	release(&lines);
}

/* Nothing is lost where all tails want the same slot. */
static void check_collisions(void)
{
	char text[MOST * 40] = "";

	for (unsigned i = 0; i < MOST; i++)
		sprintf(text + strlen(text), "%x-%x tail %u\n", i, i + 1, i % 40);
	for (uint64_t slots = 1; slots <= 2 * MOST; slots *= 2) {
		struct pm_lines lines = split(text, MOST, slots, MOST);

		CHECK(lines.tails_count >= 40);
		for (unsigned i = 0; i < MOST; i++) {
			char wanted[16];

			sprintf(wanted, "tail %u", i % 40);
			check_tail(&lines, i, wanted);
			CHECK_EQUAL(lines.bounds[2 * i + 1], i + 1);
		}
		release(&lines);
	}
}

static void check_refused(void)
{
	static const char *const wrong[] = {
		"x",
		"-",
		"1",
		"1-",
		"1-2",
		"1-2\n",
		"-2 ",
		" 1-2 ",
		"1- 2 ",
		"1-g ",
		"1 -2 ",
		"0x1-2 ",
		"1-2\t",
		"1-2-3 ",
		"+1-2 ",
		"1:2 ",
		"11111111111111111-2 ",
		"1-22222222222222222 ",
		"\x80-2 ",
		"@-2 ",
		"G-2 ",
		"`-2 ",
		"/-2 ",
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[64];
		struct pm_lines lines = split(wrong[i], 2, 4, -EINVAL);

		CHECK_EQUAL(lines.bad, 0);
		release(&lines);
		sprintf(text, "1-2 fine\n%s", wrong[i]);
		lines = split(text, 3, 4, -EINVAL);
		CHECK_EQUAL(lines.bad, 9);
		release(&lines);
	}
}

/* What ends before it begins, or lies below what was listed, is refused. */
static void check_order(void)
{
	static const char *const wrong[] = { "5-5 ", "6-5 ", "0-1 ", "1-2 ", "0-4 " };
	struct pm_lines lines;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[64];

		sprintf(text, "2-4 fine\n%s", wrong[i]);
		lines = split(text, 3, 4, -ERANGE);
		CHECK_EQUAL(lines.bad, 9);
		release(&lines);
	}
	/* listed again: merged with the next one, and a part of the one above */
	lines = split("2-4 a\n1-6 b\n3-6 c\n8-9 d\n", 4, 8, 3);
	CHECK(lines.bounds[2] == 4 && lines.bounds[3] == 6);
	CHECK(lines.bounds[4] == 8 && lines.bounds[5] == 9);
	check_tail(&lines, 1, "b");
	check_tail(&lines, 2, "d");
	release(&lines);
}

/* No span is longer than its bounds, and none is made of bounds in no order. */
static void check_spans(void)
{
	static const uint64_t fine[] = { 0, 0x1000, 0x1000, 0x3000, 0x5000, UINT64_MAX };
	static const uint64_t wrong[][4] = {
		{ 0x1000, 0x2000, 0x4000, 0x3000 },
		{ 0x3000, 0x4000, 0x1000, 0x2000 },
		{ 0x1000, 0x3000, 0x2000, 0x4000 },
	};
	struct pm_span *spans = exactly(3 * sizeof(*spans));

	CHECK_EQUAL(pm_spans_of(fine, 3, 12, spans), (INT64_C(1) << 52) - 3);
	CHECK(spans[1].vpn == 1 && spans[1].count == 2);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK_EQUAL(pm_spans_of(wrong[i], 2, 12, spans), -EINVAL);
	CHECK_EQUAL(pm_spans_of(fine, 3, 12, spans), (INT64_C(1) << 52) - 3);
	CHECK_EQUAL(pm_spans_pages(spans, 3), (INT64_C(1) << 52) - 3);
	spans[2].count = UINT64_MAX;
	CHECK_EQUAL(pm_spans_pages(spans, 3), -EINVAL);
	spans[2] = (struct pm_span){ 2, 1, 0, 0 };
	CHECK_EQUAL(pm_spans_pages(spans, 3), -EINVAL);
	spans[2] = (struct pm_span){ UINT64_MAX, 0, 0, 0 };
	CHECK_EQUAL(pm_spans_pages(spans, 3), -EINVAL);
	free(spans);
}

int main(void)
{
	struct pm_lines lines;

	check_lines();
	check_collisions();
	check_refused();
	check_order();
	check_spans();

	lines = split("", 0, 1, 0);
	release(&lines);
	lines = split("\n\n", 0, 1, 0);
	release(&lines);
	lines = split("1-2 a\n2-3 b\n", 1, 2, -ENOSPC);
	release(&lines);
	return 0;
}
