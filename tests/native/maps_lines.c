/*
 * Text of maps is split into lines, and tails that come again are told once,
 * within buffers of exactly their size; what is no line is refused.
 */
#include "check.h"
#include "maps.cdef.h"

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
				      "0-FFFFFFFFFFFFFFFF \n"
				      "abcdef00-abcdef0123456789 rw-p a\n"
				      "2000-3000 rw-p b",
				      4, 8, 4);

	CHECK(lines.bounds[0] == 0x1000 && lines.bounds[1] == 0x2000);
	CHECK(lines.bounds[2] == 0 && lines.bounds[3] == UINT64_MAX);
	CHECK(lines.bounds[4] == 0xabcdef00 && lines.bounds[5] == UINT64_C(0xabcdef0123456789));
	CHECK(lines.bounds[6] == 0x2000 && lines.bounds[7] == 0x3000);
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

int main(void)
{
	struct pm_lines lines;

	check_lines();
	check_collisions();
	check_refused();

	lines = split("", 0, 1, 0);
	release(&lines);
	lines = split("\n\n", 0, 1, 0);
	release(&lines);
	lines = split("1-2 a\n2-3 b\n", 1, 2, -ENOSPC);
	release(&lines);
	return 0;
}
