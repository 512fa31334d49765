/*
 * Text of maps is split into columns, and words that come again are told once,
 * within buffers of exactly their size; what is no line is refused.
 */
#include "check.h"
#include "kernel/maps.cdef.h"
#include "walk/spans.cdef.h"

enum { MOST = 64 };

static struct pm_line_words words_of(uint64_t capacity, uint64_t slots_count)
{
	return (struct pm_line_words){
		.codes = exactly(capacity * sizeof(int32_t)),
		.words = exactly(capacity * sizeof(struct pm_line_word)),
		.slots = exactly(slots_count * sizeof(uint32_t)),
	};
}

static void release_words(struct pm_line_words *words)
{
	free(words->codes);
	free(words->words);
	free(words->slots);
}

/* A copy of the text of exactly its size, split with `slots_count` slots. */
static struct pm_lines split(const char *text, uint64_t capacity, uint64_t slots_count,
			     int64_t wanted)
{
	struct pm_lines lines = {
		.text_size = strlen(text),
		.capacity = capacity,
		.slots_count = slots_count,
		.bounds = exactly(2 * capacity * sizeof(uint64_t)),
		.offsets = exactly(capacity * sizeof(uint64_t)),
		.inodes = exactly(capacity * sizeof(uint64_t)),
		.perms = words_of(capacity, slots_count),
		.devices = words_of(capacity, slots_count),
		.paths = words_of(capacity, slots_count),
	};

	lines.text = memcpy(exactly(lines.text_size), text, lines.text_size);
	CHECK(wanted < 0 || pm_lines_count(lines.text, lines.text_size) >= (uint64_t)wanted);
	CHECK_EQUAL(pm_lines_split(&lines), wanted);
	return lines;
}

static void release(struct pm_lines *lines)
{
	free((char *)lines->text);
	free(lines->bounds);
	free(lines->offsets);
	free(lines->inodes);
	release_words(&lines->perms);
	release_words(&lines->devices);
	release_words(&lines->paths);
}

static void check_word(const struct pm_lines *lines, const struct pm_line_words *words,
		       uint64_t line, const char *wanted)
{
	const struct pm_line_word *word = &words->words[words->codes[line]];

	CHECK((uint64_t)words->codes[line] < words->count);
	CHECK_EQUAL(word->size, strlen(wanted));
	CHECK(!memcmp(lines->text + word->at, wanted, word->size));
}

static void check_lines(void)
{
	/* an empty line, and no newline at the end */
	struct pm_lines lines =
		split("1000-2000 rw-p 00000000 00:00 0 \n\n"
		      "2000-abcdef00 r-xp 0000f000 fe:1F 18446744073709551615    /a b \n"
		      "abcdef00-abcdef0123456789 rw-p ffffffffffffffff 00:00 0 [heap]\n"
		      "abcdef0123456789-FFFFFFFFFFFFFFFF rw-s 1 100:fffff 7   /a b ",
		      4, 8, 4);

	CHECK(lines.bounds[0] == 0x1000 && lines.bounds[1] == 0x2000);
	CHECK(lines.bounds[2] == 0x2000 && lines.bounds[3] == 0xabcdef00);
	CHECK(lines.bounds[4] == 0xabcdef00 && lines.bounds[5] == UINT64_C(0xabcdef0123456789));
	CHECK(lines.bounds[6] == UINT64_C(0xabcdef0123456789) && lines.bounds[7] == UINT64_MAX);
	CHECK(lines.offsets[0] == 0 && lines.offsets[1] == 0xf000);
	CHECK(lines.offsets[2] == UINT64_MAX && lines.offsets[3] == 1);
	CHECK(lines.inodes[0] == 0 && lines.inodes[1] == UINT64_MAX && lines.inodes[3] == 7);
	check_word(&lines, &lines.perms, 0, "rw-p");
	check_word(&lines, &lines.perms, 1, "r-xp");
	check_word(&lines, &lines.perms, 3, "rw-s");
	check_word(&lines, &lines.devices, 1, "fe:1F");
	check_word(&lines, &lines.devices, 3, "100:fffff");
	check_word(&lines, &lines.paths, 0, "");
	check_word(&lines, &lines.paths, 1, "/a b ");
	check_word(&lines, &lines.paths, 2, "[heap]");
	CHECK_EQUAL(lines.perms.count, 3);
	CHECK_EQUAL(lines.perms.codes[2], lines.perms.codes[0]);
	CHECK_EQUAL(lines.devices.count, 3);
	CHECK_EQUAL(lines.paths.count, 3);
	CHECK_EQUAL(lines.paths.codes[3], lines.paths.codes[1]);
	release(&lines);
}

/* Nothing is lost where all paths want the same slot. */
static void check_collisions(void)
{
	char text[MOST * 60] = "";

	for (unsigned i = 0; i < MOST; i++)
		sprintf(text + strlen(text), "%x-%x rw-p 0 0:0 1 path %u\n", i, i + 1, i % 40);
	for (uint64_t slots = 1; slots <= 2 * MOST; slots *= 2) {
		struct pm_lines lines = split(text, MOST, slots, MOST);

		CHECK(lines.paths.count >= 40);
		for (unsigned i = 0; i < MOST; i++) {
			char wanted[16];

			sprintf(wanted, "path %u", i % 40);
			check_word(&lines, &lines.paths, i, wanted);
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
		"1-2 rw-p",
		"1-2 rw-p ",
		"1-2 rwp 0 0:0 0 ",
		"1-2 rwxp- 0 0:0 0 ",
		"1-2 rw-p  0:0 0 ",
		"1-2 rw-p x 0:0 0 ",
		"1-2 rw-p 11111111111111111 0:0 0 ",
		"1-2 rw-p 0 0 0 ",
		"1-2 rw-p 0 :0 0 ",
		"1-2 rw-p 0 0: 0 ",
		"1-2 rw-p 0 0:0",
		"1-2 rw-p 0 0:0 ",
		"1-2 rw-p 0 0:0 0",
		"1-2 rw-p 0 0:0 a ",
		"1-2 rw-p 0 0:0 -1 ",
		"1-2 rw-p 0 0:0 18446744073709551616 ",
		"1-2 rw-p 0 0:0 99999999999999999999 ",
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[64];
		struct pm_lines lines = split(wrong[i], 2, 4, -EINVAL);

		CHECK_EQUAL(lines.bad, 0);
		release(&lines);
		sprintf(text, "1-2 r--p 0 0:0 0 \n%s", wrong[i]);
		lines = split(text, 3, 4, -EINVAL);
		CHECK_EQUAL(lines.bad, 18);
		release(&lines);
	}
}

/* What ends before it begins, or lies below what was listed, is refused. */
static void check_order(void)
{
	static const char *const wrong[] = { "5-5", "6-5", "0-1", "1-2", "0-4" };
	struct pm_lines lines;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[64];

		sprintf(text, "2-4 r--p 0 0:0 0 \n%s r--p 0 0:0 0 ", wrong[i]);
		lines = split(text, 3, 4, -ERANGE);
		CHECK_EQUAL(lines.bad, 18);
		release(&lines);
	}
	/* listed again: merged with the next one, and a part of the one above */
	lines = split("2-4 r--p 0 0:0 0 a\n1-6 r--p 0 0:0 0 b\n"
		      "3-6 r--p 0 0:0 0 c\n8-9 r--p 0 0:0 0 d\n",
		      4, 8, 3);
	CHECK(lines.bounds[2] == 4 && lines.bounds[3] == 6);
	CHECK(lines.bounds[4] == 8 && lines.bounds[5] == 9);
	check_word(&lines, &lines.paths, 1, "b");
	check_word(&lines, &lines.paths, 2, "d");
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
	struct pm_range *spans = exactly(3 * sizeof(*spans));

	CHECK_EQUAL(pm_spans_of(fine, 3, 12, spans), (INT64_C(1) << 52) - 3);
	CHECK(spans[1].vpn == 1 && spans[1].count == 2);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK_EQUAL(pm_spans_of(wrong[i], 2, 12, spans), -EINVAL);
	CHECK_EQUAL(pm_spans_of(fine, 3, 12, spans), (INT64_C(1) << 52) - 3);
	CHECK_EQUAL(pm_spans_pages(spans, 3), (INT64_C(1) << 52) - 3);
	spans[2].count = UINT64_MAX;
	CHECK_EQUAL(pm_spans_pages(spans, 3), -EINVAL);
	spans[2] = (struct pm_range){ 2, 1 };
	CHECK_EQUAL(pm_spans_pages(spans, 3), -EINVAL);
	spans[2] = (struct pm_range){ UINT64_MAX, 0 };
	CHECK_EQUAL(pm_spans_pages(spans, 3), -EINVAL);
	free(spans);
}

/* A code that is none of the numbers is never followed. */
static void check_renumbered(void)
{
	static const int32_t numbers[] = { 7, 0, 7 };
	static const int32_t given[] = { 2, 1, 0, 1 };
	int32_t *codes = memcpy(exactly(sizeof(given)), given, sizeof(given));

	CHECK_EQUAL(pm_codes_renumber(codes, 0, numbers, 0), 0);
	CHECK_EQUAL(pm_codes_renumber(codes, 4, numbers, 3), 4);
	CHECK(codes[0] == 7 && codes[1] == 0 && codes[2] == 7 && codes[3] == 0);
	CHECK_EQUAL(pm_codes_renumber(codes, 4, numbers, 3), -ERANGE);
	codes[0] = -1;
	CHECK_EQUAL(pm_codes_renumber(codes, 1, numbers, 3), -ERANGE);
	free(codes);
}

int main(void)
{
	struct pm_lines lines;

	check_lines();
	check_collisions();
	check_refused();
	check_renumbered();
	check_order();
	check_spans();

	lines = split("", 0, 1, 0);
	release(&lines);
	lines = split("\n\n", 0, 1, 0);
	release(&lines);
	lines = split("1-2 r--p 0 0:0 0 a\n2-3 r--p 0 0:0 0 b\n", 1, 2, -ENOSPC);
	release(&lines);
	return 0;
}
