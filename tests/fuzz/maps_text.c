/*
 * Any bytes as the text of maps, against a splitter that looks at one byte at a time: the same
 * lines, the same words, or the same refusal in the same place; within buffers of exactly their
 * size. The first two bytes of an input choose how much room there is.
 */
#include "../native/check.h"
#include "kernel/maps.cdef.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct naive_word {
	uint64_t at, size;
};

struct naive_line {
	uint64_t start, end, offset, inode;
	struct naive_word perms, device, path;
};

/* Up to `most` digits of `base` before `stop`; returns the place behind it, or -1. */
static int64_t number_before(const char *text, int64_t at, int64_t end, char stop, unsigned base,
			     unsigned most, uint64_t *value)
{
	const int64_t first = at;
	unsigned __int128 sum = 0;

	for (; at < end && text[at] != stop; at++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *found = text[at] ? strchr(digits, text[at]) : NULL;

		if (!found || (found - digits) % 16 >= base || at - first == most)
			return -1;
		sum = sum * base + (uint64_t)(found - digits) % 16;
		if (sum > UINT64_MAX)
			return -1;
	}
	*value = (uint64_t)sum;
	return at == end || at == first ? -1 : at + 1;
}

static struct naive_word word_of(int64_t at, int64_t end)
{
	return (struct naive_word){ (uint64_t)at, (uint64_t)(end - at) };
}

/* The line from `at` up to `end`; 0 where it is none. */
static int read_line(const char *text, int64_t at, int64_t end, struct naive_line *line)
{
	const unsigned any = 1u << 30;
	uint64_t part;
	int64_t device;

	at = number_before(text, at, end, '-', 16, 16, &line->start);
	at = at < 0 ? at : number_before(text, at, end, ' ', 16, 16, &line->end);
	if (at < 0 || end - at < 5)
		return 0;
	line->perms = word_of(at, at + 4);
	for (unsigned i = 0; i < 4; i++, at++)
		if (text[at] == ' ')
			return 0;
	if (text[at++] != ' ')
		return 0;
	device = at = number_before(text, at, end, ' ', 16, 16, &line->offset);
	at = at < 0 ? at : number_before(text, at, end, ':', 16, 16, &part);
	at = at < 0 ? at : number_before(text, at, end, ' ', 16, 16, &part);
	if (at < 0)
		return 0;
	line->device = word_of(device, at - 1);
	at = number_before(text, at, end, ' ', 10, any, &line->inode);
	if (at < 0)
		return 0;
	while (at < end && text[at] == ' ')
		at++;
	line->path = word_of(at, end);
	return 1;
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

/* The word of line `i`, and that words stand in the order in which they come first. */
static void check_word(const struct pm_lines *lines, const struct pm_line_words *words,
		       struct naive_word naive, uint64_t i, uint64_t *told)
{
	const uint64_t code = (uint64_t)words->codes[i];

	CHECK(code < words->count);
	CHECK_EQUAL(words->words[code].size, naive.size);
	CHECK(!memcmp(lines->text + words->words[code].at, lines->text + naive.at, naive.size));
	CHECK(code <= *told);
	*told += code == *told;
}

static void check_lines(const struct pm_lines *lines, const struct naive_line *naive,
			uint64_t count)
{
	uint64_t told[3] = { 0 };

	for (uint64_t i = 0; i < count; i++) {
		CHECK(lines->bounds[2 * i] == naive[i].start);
		CHECK(lines->bounds[2 * i + 1] == naive[i].end);
		CHECK(lines->offsets[i] == naive[i].offset);
		CHECK(lines->inodes[i] == naive[i].inode);
		check_word(lines, &lines->perms, naive[i].perms, i, told);
		check_word(lines, &lines->devices, naive[i].device, i, told + 1);
		check_word(lines, &lines->paths, naive[i].path, i, told + 2);
	}
	CHECK_EQUAL(told[0], lines->perms.count);
	CHECK_EQUAL(told[1], lines->devices.count);
	CHECK_EQUAL(told[2], lines->paths.count);
}

static struct pm_line_words words_of(uint64_t capacity, uint64_t slots)
{
	return (struct pm_line_words){
		.codes = exactly(capacity * sizeof(int32_t)),
		.words = exactly(capacity * sizeof(struct pm_line_word)),
		.slots = exactly(slots * sizeof(uint32_t)),
	};
}

static void release_words(struct pm_line_words *words)
{
	free(words->codes);
	free(words->words);
	free(words->slots);
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
		.offsets = exactly(capacity * sizeof(uint64_t)),
		.inodes = exactly(capacity * sizeof(uint64_t)),
		.perms = words_of(capacity, slots),
		.devices = words_of(capacity, slots),
		.paths = words_of(capacity, slots),
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
	free(lines.offsets);
	free(lines.inodes);
	release_words(&lines.perms);
	release_words(&lines.devices);
	release_words(&lines.paths);
	return 0;
}
