/*
 * Where folios begin and end, out of /proc/kpageflags, reading few of its words.
 *
 * A word costs 150 ns and a call 400 ns more, so the 512 words of a folio of 2 MiB
 * would cost ten times what its entries do. But folios lie in memory at multiples
 * of their size: a tail at a multiple of 2^k frames belongs to a folio of more
 * than 2^k, and a head there cannot be passed over. So a few words tell where a
 * large folio ends, and only where pages are small each word is read. Not even
 * there where the kernel says that no anonymous folio is small, too: then one word
 * tells of all frames between two multiples of the least size.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "analyses/huge.h"

enum {
	LEAST_BLOCK = 8, /* words that tell a small folio from a large one */
	LARGE = 16,	 /* frames of a folio from which on it pays to skip its tails */
	MOST_ORDER = 40, /* more than any memory has */
};

/* Whether a word is of a tail; PM_NO_VALUE, of which nothing is known, is not. */
static int is_tail(uint64_t word)
{
	return word != PM_NO_VALUE && pm_flag(word, PM_KPF_COMPOUND_TAIL);
}

/* The word of one frame; 0 where the kernel has none. */
static int read_word(const struct pm_flags_reader *reader, uint64_t pfn, uint64_t *word)
{
	const int64_t got = pm_read(reader->fd, pfn, 1, word);

	if (!got)
		*word = 0;
	return got < 0 ? (int)got : 0;
}

static unsigned log2_of(uint64_t number)
{
	return 63u - (unsigned)__builtin_clzll(number);
}

/* The largest order that a folio at this frame can have. */
static unsigned order_at(uint64_t pfn)
{
	const unsigned order = pfn ? (unsigned)__builtin_ctzll(pfn) : MOST_ORDER;

	return order < MOST_ORDER ? order : MOST_ORDER;
}

/*
 * The order of the folio whose head is `head`, `least` or more. It is k or more
 * where frame head + 2^(k-1) is a tail; what is found of the last folio is tried
 * first. Returns the order or -errno.
 */
static int order_of(struct pm_flags_reader *reader, uint64_t head, unsigned least)
{
	unsigned low = least, high = order_at(head), next = reader->order;

	while (low < high) {
		uint64_t word;
		int error;

		if (next <= low || next > high)
			next = (low + high + 1) / 2;
		error = read_word(reader, head + (UINT64_C(1) << (next - 1)), &word);
		if (error)
			return error;
		if (is_tail(word))
			low = next++;
		else
			high = next - 1;
	}
	reader->order = low;
	return (int)low;
}

/* The head of the folio that has `pfn`, a tail, into *head; or -errno. */
static int head_of(const struct pm_flags_reader *reader, uint64_t pfn, uint64_t *head)
{
	*head = pfn;
	for (unsigned order = 0; order < MOST_ORDER; order++) {
		uint64_t word;
		int error;

		if (!(*head >> order & 1))
			continue;
		*head -= UINT64_C(1) << order;
		error = read_word(reader, *head, &word);
		if (error)
			return error;
		if (!is_tail(word))
			break;
	}
	return 0;
}

/* Read `count` words from stretch->at on: of frames that are mapped. */
static int read_words(const struct pm_flags_reader *reader, struct pm_huge_stretch *stretch,
		      uint64_t count)
{
	uint64_t *words = stretch->words + stretch->at;
	int64_t got = pm_read(reader->fd, stretch->pfn + stretch->at, count, words);

	if (got < 0)
		return (int)got;
	if ((uint64_t)got < count && !reader->lossy &&
	    stretch->pfn + stretch->at + (uint64_t)got < reader->frames_end)
		return -ENODATA;
	for (; (uint64_t)got < count; got++)
		words[got] = reader->lossy ? PM_NO_VALUE
					   : 0; /* what a driver maps past all memory */
	stretch->have = stretch->at + count;
	return 0;
}

/* Read a block of words from stretch->at on. */
static int read_block(struct pm_flags_reader *reader, struct pm_huge_stretch *stretch)
{
	uint64_t rest = stretch->count - stretch->at;

	if (!reader->block)
		reader->block = LEAST_BLOCK;
	if (rest > reader->block)
		rest = reader->block;
	if (reader->block < PM_READ_BLOCK)
		reader->block *= 2; /* until there is something to skip */
	return read_words(reader, stretch, rest);
}

/* As pm_next_huge, where a word of each group will do. */
static int next_in_groups(struct pm_flags_reader *reader, struct pm_huge_stretch *stretch)
{
	while (stretch->at < stretch->count) {
		const uint64_t group = (stretch->pfn + stretch->at) >> reader->group;
		uint64_t *small = reader->small + group % PM_SMALL_GROUPS;

		if (*small != group + 1) {
			const int error = read_words(reader, stretch, 1);

			if (error)
				return error;
			if (pm_flag(stretch->words[stretch->at], PM_KPF_THP))
				return 1; /* PM_NO_VALUE has it, too */
			*small = group + 1;
		}
		stretch->at = ((group + 1) << reader->group) - stretch->pfn;
	}
	return 0;
}

int pm_next_huge(struct pm_flags_reader *reader, struct pm_huge_stretch *stretch)
{
	if (stretch->grouped)
		return next_in_groups(reader, stretch);
	while (stretch->at < stretch->count) {
		if (stretch->at >= stretch->have) {
			const int error = read_block(reader, stretch);

			if (error)
				return error;
		}
		for (; stretch->at < stretch->have; stretch->at++)
			if (pm_flag(stretch->words[stretch->at], PM_KPF_THP))
				return 1; /* PM_NO_VALUE has it, too */
	}
	return 0;
}

uint64_t pm_unknown_rest(const struct pm_huge_stretch *stretch)
{
	uint64_t next = stretch->at;

	while (next < stretch->have && stretch->words[next] == PM_NO_VALUE)
		next++;
	return next - stretch->at;
}

/* Whether a folio at `head`, whose first `count` frames are known, may be larger. */
static int may_go_on(uint64_t head, uint64_t count)
{
	return (count & (count - 1)) || order_at(head) > log2_of(count);
}

/* As pm_folio_rest. */
static int64_t rest_of(struct pm_flags_reader *reader, const struct pm_huge_stretch *stretch)
{
	const uint64_t pfn = stretch->pfn + stretch->at;
	const int head_here = !is_tail(stretch->words[stretch->at]);
	uint64_t next = stretch->at + 1, head = pfn, seen, word = 0;
	int order, error = 0;

	while (next < stretch->have && is_tail(stretch->words[next]))
		next++;
	seen = next - stretch->at;
	if (next < stretch->have)
		return (int64_t)seen;
	if (next == stretch->count && !stretch->open) {
		/* whatever follows is not mapped here: was that all of the folio? */
		if (head_here && may_go_on(pfn, seen))
			error = read_word(reader, pfn + seen, &word);
		return error ? error : (int64_t)seen + is_tail(word);
	}
	if (!head_here)
		error = head_of(reader, pfn, &head);
	if (error)
		return error;
	order = order_of(reader, head, log2_of(pfn + seen - head));
	if (order < 0)
		return order;
	head += UINT64_C(1) << order;
	return head > pfn + seen ? (int64_t)(head - pfn) : (int64_t)seen;
}

int64_t pm_folio_rest(struct pm_flags_reader *reader, const struct pm_huge_stretch *stretch)
{
	const int64_t rest = rest_of(reader, stretch);

	if (rest >= LARGE)
		reader->block = LEAST_BLOCK;
	return rest;
}
