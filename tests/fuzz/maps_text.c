/*
 * Any bytes as the text of maps, against a splitter that looks at one byte at a time: the same
 * lines, the same tails, or the same refusal in the same place; within buffers of exactly their
 * size. The first two bytes of an input choose how much room there is.
 */
#include "../native/check.h"
#include "kernel/maps.cdef.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct naive_line {
	uint64_t start, end, at, size;
};

/* Up to 16 hex digits before `stop`; returns the place behind it, or -1. */
static int64_t number_before(const char *text, int64_t at, int64_t end, char stop, uint64_t *value)
{
	const int64_t first = at;

	for (*value = 0; at < end && text[at] != stop; at++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *found = text[at] ? strchr(digits, text[at]) : NULL;

		if (!found || at - first == 16)
			return -1;
		*value = *value * 16 + (uint64_t)(found - digits) % 16;
	}
	return at == end || at == first ? -1 : at + 1;
}

/* The line from `at` up to `end`; 0 where it is none. */
static int read_line(const char *text, int64_t at, int64_t end, struct naive_line *line)
{
	at = number_before(text, at, end, '-', &line->start);
	if (at >= 0)
		at = number_before(text, at, end, ' ', &line->end);
	line->at = (uint64_t)at;
	line->size = (uint64_t)(end - at);
	return at >= 0;
}

/* All lines that tell something new; what pm_lines_split must return, and *bad. */
static int64_t split_naively(const char *text, uint64_t size, uint64_t capacity,
			     struct naive_line *lines, uint64_t *bad)
{
	uint64_t count = 0, above = 0, told = 0;

	for (uint64_t at = 0, end; at < size; at = end + 1) {
		struct naive_line line;

		for (end = at; end < size && text[end] != '\n'; end++)
			;
		if (end == at)
			continue;
		if (count == capacity)
			return -ENOSPC;
		*bad = at;
		if (!read_line(text, (int64_t)at, (int64_t)end, &line))
			return -EINVAL;
		if (line.end <= line.start || (line.end <= told && line.start < above))
			return -ERANGE;
		if (line.end <= told)
			continue; /* listed again */
		above = line.start;
		line.start = line.start < told ? told : line.start;
		told = line.end;
		lines[count++] = line;
	}
	return (int64_t)count;
}

static void check_lines(const struct pm_lines *lines, const struct naive_line *naive,
			uint64_t count)
{
	uint64_t told = 0;

	CHECK(lines->tails_count <= count);
	for (uint64_t i = 0; i < count; i++) {
		const struct pm_tail *tail = lines->tails + lines->numbers[i];

		CHECK(lines->numbers[i] < lines->tails_count);
		CHECK(lines->bounds[2 * i] == naive[i].start);
		CHECK(lines->bounds[2 * i + 1] == naive[i].end);
		CHECK_EQUAL(tail->size, naive[i].size);
		CHECK(!memcmp(lines->text + tail->at, lines->text + naive[i].at, tail->size));
		/* they stand in the order in which they come first */
		CHECK(lines->numbers[i] <= told);
		told += lines->numbers[i] == told;
	}
	CHECK_EQUAL(told, lines->tails_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t capacity = size ? data[0] % 40 : 0, slots = size > 1 ? 1u << data[1] % 6 : 1;
	const size_t used = size < 2 ? size : 2;
	struct naive_line *naive = exactly(capacity * sizeof(*naive));
	struct pm_lines lines = {
		.text_size = size - used,
		.capacity = capacity,
		.bounds = exactly(2 * capacity * sizeof(uint64_t)),
		.numbers = exactly(capacity * sizeof(uint32_t)),
		.tails = exactly(capacity * sizeof(struct pm_tail)),
		.slots = exactly(slots * sizeof(uint32_t)),
		.slots_count = slots,
	};
	char *text = exactly(lines.text_size);
	uint64_t bad = 0;
	int64_t wanted;

	memcpy(text, data + used, lines.text_size);
	lines.text = text;
	wanted = split_naively(text, lines.text_size, capacity, naive, &bad);
	CHECK_EQUAL(pm_lines_split(&lines), wanted);
	if (wanted == -EINVAL || wanted == -ERANGE)
		CHECK_EQUAL(lines.bad, bad);
	if (wanted > 0)
		check_lines(&lines, naive, (uint64_t)wanted);
	free(naive);
	free(text);
	free(lines.bounds);
	free(lines.numbers);
	free(lines.tails);
	free(lines.slots);
	return 0;
}
