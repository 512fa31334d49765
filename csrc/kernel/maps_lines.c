/*
 * Lines of /proc/PID/maps as columns. A process may have sixty thousand, which the
 * kernel lists in 20 ms; nothing is made for a line but its numbers, and text that
 * comes again is told once.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/maps.cdef.h"

enum {
	MOST_DIGITS = 16,
	/* Who makes the paths may make them collide: then a word stands twice. */
	MOST_PROBES = 8,
	PERMS = 4, /* letters */
};

static const uint64_t ODD = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */

/* The value of a hex digit, or 16 and more. */
static unsigned digit_of(char letter)
{
	const unsigned decimal = (unsigned char)letter - (unsigned)'0';
	const unsigned other = ((unsigned char)letter | 0x20U) - (unsigned)'a';

	if (decimal < 10)
		return decimal;
	return other < 6 ? other + 10 : 16;
}

/* Past the hex number at `at`, which is followed by `after`; NULL where there is none. */
static const char *number(const char *at, const char *end, char after, uint64_t *value)
{
	const char *const first = at;
	uint64_t found = 0;
	unsigned digit;

	for (; at < end && (digit = digit_of(*at)) < 16; at++)
		found = found << 4 | digit;
	if (at == first || at - first > MOST_DIGITS || at == end || *at != after)
		return NULL;
	*value = found;
	return at + 1;
}

static uint64_t hash_of(const char *text, uint64_t size)
{
	uint64_t hash = size, word;

	for (; size >= sizeof(word); size -= sizeof(word), text += sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = (hash ^ word) * ODD;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, text, size);
	hash = (hash ^ word) * ODD;
	return hash ^ hash >> 32;
}

/* Past the decimal number at `at`, which a space follows; NULL where there is none. */
static const char *decimal(const char *at, const char *end, uint64_t *value)
{
	const char *const first = at;
	uint64_t found = 0;

	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(found, UINT64_C(10), &found) ||
		    __builtin_add_overflow(found, (uint64_t)(*at - '0'), &found))
			return NULL;
	if (at == first || at == end || *at != ' ')
		return NULL;
	*value = found;
	return at + 1;
}

/* Give line `line` the number of this word, which may be a new one. */
static void put_word(const struct pm_lines *lines, struct pm_line_words *words,
		     struct pm_line_word word, uint64_t line)
{
	const char *const text = lines->text + word.at;
	const uint64_t mask = lines->slots_count - 1;
	uint32_t *free_slot = NULL;
	uint64_t slot;

	if (line) { /* most often it is that of the line above */
		const struct pm_line_word *last = &words->words[words->codes[line - 1]];

		if (last->size == word.size && !memcmp(lines->text + last->at, text, word.size)) {
			words->codes[line] = words->codes[line - 1];
			return;
		}
	}
	slot = hash_of(text, word.size);
	for (unsigned probe = 0; probe < MOST_PROBES; probe++, slot++) {
		uint32_t *const held = &words->slots[slot & mask];
		const struct pm_line_word *known;

		if (!*held) {
			free_slot = held;
			break;
		}
		known = &words->words[*held - 1];
		if (known->size == word.size && !memcmp(lines->text + known->at, text, word.size)) {
			words->codes[line] = (int32_t)(*held - 1);
			return;
		}
	}
	words->words[words->count++] = word;
	if (free_slot)
		*free_slot = (uint32_t)words->count;
	words->codes[line] = (int32_t)words->count - 1;
}

static struct pm_line_word word_of(const struct pm_lines *lines, const char *at, const char *end)
{
	return (struct pm_line_word){ (uint64_t)(at - lines->text), (uint64_t)(end - at) };
}

/* What stands behind the addresses of a line. */
struct rest {
	uint64_t offset, inode;
	struct pm_line_word perms, device, path;
};

/* Read the rest of a line, from the permissions on; returns 0 where it is none. */
static int read_rest(const struct pm_lines *lines, const char *at, const char *end,
		     struct rest *rest)
{
	const char *device;
	uint64_t number_part;

	if (end - at <= PERMS || at[PERMS] != ' ' || memchr(at, ' ', PERMS))
		return 0;
	rest->perms = word_of(lines, at, at + PERMS);
	device = number(at + PERMS + 1, end, ' ', &rest->offset);
	at = device ? number(device, end, ':', &number_part) : NULL;
	at = at ? number(at, end, ' ', &number_part) : NULL;
	if (!at)
		return 0;
	rest->device = word_of(lines, device, at - 1);
	at = decimal(at, end, &rest->inode);
	if (!at)
		return 0;
	while (at < end && *at == ' ')
		at++;
	rest->path = word_of(lines, at, end);
	return 1;
}

/*
 * Leave of bounds what is not told by the lines above, which end at `floor`; the
 * last of them began at `above`. Returns whether anything is left, or -ERANGE.
 */
static int settle(uint64_t *bounds, uint64_t above, uint64_t floor)
{
	if (bounds[1] <= bounds[0])
		return -ERANGE;
	if (bounds[1] <= floor)
		return bounds[0] < above ? -ERANGE : 0;
	if (bounds[0] < floor)
		bounds[0] = floor;
	return 1;
}

/* Read a line; returns 1, 0 where it tells nothing new, or -errno. */
static int read_line(struct pm_lines *lines, const char *line, const char *end, uint64_t count,
		     uint64_t *above, uint64_t floor)
{
	uint64_t *const bounds = lines->bounds + 2 * count;
	struct rest rest;
	const char *at = number(line, end, '-', &bounds[0]);
	uint64_t began;
	int left;

	at = at ? number(at, end, ' ', &bounds[1]) : NULL;
	if (!at || !read_rest(lines, at, end, &rest))
		return -EINVAL;
	began = bounds[0];
	left = settle(bounds, *above, floor);
	if (left <= 0)
		return left;
	*above = began;
	lines->offsets[count] = rest.offset;
	lines->inodes[count] = rest.inode;
	put_word(lines, &lines->perms, rest.perms, count);
	put_word(lines, &lines->devices, rest.device, count);
	put_word(lines, &lines->paths, rest.path, count);
	return 1;
}

uint64_t pm_lines_count(const char *text, uint64_t size)
{
	const char *const end = text + size;
	uint64_t count = 1;

	for (const char *at = text; at < end; at++, count++) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			break;
	}
	return count;
}

int64_t pm_lines_split(struct pm_lines *lines)
{
	struct pm_line_words *const words[] = { &lines->perms, &lines->devices, &lines->paths };
	const char *const end = lines->text + lines->text_size;
	uint64_t count = 0, above = 0;

	if (lines->capacity > INT32_MAX)
		return -EOVERFLOW;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		words[i]->count = 0;
		memset(words[i]->slots, 0, lines->slots_count * sizeof(*words[i]->slots));
	}
	for (const char *line = lines->text, *stop; line < end; line = stop + 1) {
		int got;

		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		if (stop == line)
			continue;
		if (count == lines->capacity)
			return -ENOSPC;
		got = read_line(lines, line, stop, count, &above,
				count ? lines->bounds[2 * count - 1] : 0);
		if (got < 0) {
			lines->bad = (uint64_t)(line - lines->text);
			return got;
		}
		count += (uint64_t)got;
	}
	return (int64_t)count;
}

int64_t pm_codes_renumber(int32_t *codes, uint64_t count, const int32_t *numbers,
			  uint64_t numbers_count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (codes[i] < 0 || (uint64_t)codes[i] >= numbers_count)
			return -ERANGE;
		codes[i] = numbers[codes[i]];
	}
	return (int64_t)count;
}
