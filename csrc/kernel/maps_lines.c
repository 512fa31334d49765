/*
 * Lines of /proc/PID/maps. A process may have sixty thousand, which the kernel
 * lists in 20 ms; most are alike but for their addresses, so only those are
 * read here, and the rest of a line is told apart from others as bytes.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/maps.cdef.h"

enum {
	MOST_DIGITS = 16,
	/* Who makes the paths may make them collide: then a tail stands twice. */
	MOST_PROBES = 8,
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

/* The number of this tail, which may be a new one. */
static uint32_t number_of(struct pm_lines *lines, struct pm_tail tail)
{
	const char *const text = lines->text + tail.at;
	const uint64_t mask = lines->slots_count - 1;
	uint64_t slot = hash_of(text, tail.size);
	uint32_t *free_slot = NULL;

	for (unsigned probe = 0; probe < MOST_PROBES; probe++, slot++) {
		uint32_t *const held = &lines->slots[slot & mask];
		const struct pm_tail *known;

		if (!*held) {
			free_slot = held;
			break;
		}
		known = &lines->tails[*held - 1];
		if (known->size == tail.size && !memcmp(lines->text + known->at, text, tail.size))
			return *held - 1;
	}
	lines->tails[lines->tails_count++] = tail;
	if (free_slot)
		*free_slot = (uint32_t)lines->tails_count;
	return (uint32_t)lines->tails_count - 1;
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

int64_t pm_lines_split(struct pm_lines *lines)
{
	const char *const end = lines->text + lines->text_size;
	uint64_t count = 0, above = 0, floor = 0;

	lines->tails_count = 0;
	memset(lines->slots, 0, lines->slots_count * sizeof(*lines->slots));
	for (const char *line = lines->text, *stop; line < end; line = stop + 1) {
		uint64_t *const bounds = lines->bounds + 2 * count;
		uint64_t began;
		const char *at;
		int left;

		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		if (stop == line)
			continue;
		if (count == lines->capacity)
			return -ENOSPC;
		at = number(line, stop, '-', &bounds[0]);
		at = at ? number(at, stop, ' ', &bounds[1]) : NULL;
		if (!at) {
			lines->bad = (uint64_t)(line - lines->text);
			return -EINVAL;
		}
		began = bounds[0];
		left = settle(bounds, above, floor);
		if (left < 0) {
			lines->bad = (uint64_t)(line - lines->text);
			return left;
		}
		if (!left)
			continue;
		above = began;
		floor = bounds[1];
		lines->numbers[count++] =
			number_of(lines, (struct pm_tail){ (uint64_t)(at - lines->text),
							   (uint64_t)(stop - at) });
	}
	return (int64_t)count;
}
