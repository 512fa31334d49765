/*
 * Blocks into runs of entries. Whatever bytes come in: each number is judged before it is used,
 * and nothing is written past what a block may have at most.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "snapshot/block.h"
#include "snapshot/unpack.h"
#include "walk/spans.h"

#define PAGES_END (UINT64_C(1) << 52) /* page numbers end below: 64 bits of address */

/* Bytes that are read one after another; `bad` once they were not enough, or no number. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
	int bad;
};

static uint64_t varint(struct reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		const uint64_t byte = *reader->at++;

		if (shift == 63 && byte > 1)
			break;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	reader->bad = 1;
	return 0;
}

/* The low bits of jumps. */
struct low {
	const uint8_t *bytes;
	uint64_t bits; /* in all */
	uint64_t at;
	int bad;
};

static uint64_t take_low(struct low *low, unsigned bits)
{
	const uint8_t *from = low->bytes + low->at / 8;
	const unsigned shift = (unsigned)(low->at % 8);
	uint64_t value = 0;

	if (bits > low->bits - low->at) {
		low->bad = 1;
		return 0;
	}
	for (unsigned done = 0; done < shift + bits; done += 8)
		value |= (uint64_t)*from++ << done; /* at most 7 + 56 bits */
	low->at += bits;
	return value >> shift & (PM_BIT(bits) - 1);
}

/* Where the places of pages come from. */
struct places {
	const uint8_t *tokens;
	uint64_t count;
	uint64_t at;
	struct reader repeats;
	struct low low;
	uint64_t place;	   /* of the last page with one */
	uint64_t expected; /* that of the next */
	uint64_t left;	   /* pages of the token that was begun, */
	int same;	   /* all with the place of the one before */
};

/* By how much a place is missed: the next jump, which has so many bits. */
static uint64_t jump_of(struct places *places, unsigned bits)
{
	const uint64_t jump = take_low(&places->low, bits - 1) | PM_BIT(bits - 1);

	return jump >> 1 ^ (jump & 1 ? UINT64_MAX : 0);
}

/* The next pages whose places are alike or in a row, at most `most`, after the place of the first
 * of them was put into *place. Returns how many, or 0 where the tokens are bad. */
static uint64_t next_places(struct places *places, uint64_t most, uint64_t *place)
{
	uint64_t count = 1;

	if (!places->left) {
		unsigned token;

		if (places->at == places->count)
			return 0;
		token = places->tokens[places->at++];
		places->left = 1;
		places->same = token == PM_TOKEN_REPEAT_SAME;
		if (token == PM_TOKEN_REPEAT_NEXT || token == PM_TOKEN_REPEAT_SAME) {
			places->left = varint(&places->repeats);
			if (places->repeats.bad || !places->left)
				return 0;
		} else if (token > PM_TOKEN_LEAP && token <= PM_TOKEN_LEAP_MOST) {
			places->expected += jump_of(places, token - PM_TOKEN_LEAP) << PM_LEAP_BITS;
			if (places->low.bad)
				return 0;
		} else if (token > PM_TOKEN_JUMP_MOST) {
			return 0;
		} else if (token) {
			places->expected += jump_of(places, token);
			if (places->low.bad)
				return 0;
		}
	}
	if (places->left > 1)
		count = places->left < most ? places->left : most;
	*place = places->same ? places->place : places->expected;
	places->left -= count;
	return count;
}

/* Cut a run into segments from segments[stored] on; returns their new number, or 0. */
static uint64_t cut_run(struct places *places, uint64_t vpn, uint64_t count, uint64_t key,
			struct pm_segment *segments, uint64_t stored)
{
	const uint64_t unit = pm_key_unit(key), flags = (key & PM_KEY_FLAGS) << PM_SOFT_DIRTY_BIT;

	while (count) {
		uint64_t place, pages = next_places(places, count, &place), step;

		if (!pages || stored == PM_BLOCK_UNCUT)
			return 0;
		step = places->same ? 0 : unit;
		/* the last one too is a place */
		if (place > PM_PLACE_MASK || (step && pages - 1 > (PM_PLACE_MASK - place) / step))
			return 0;
		segments[stored++] = (struct pm_segment){
			.vpn = vpn,
			.count = pages,
			.entry = flags | place,
			.step = (uint32_t)step,
			.key = (uint32_t)key,
		};
		places->place = place + (pages - 1) * step;
		places->expected = places->place + unit;
		vpn += pages;
		count -= pages;
	}
	return stored;
}

/* What a block says of itself before its columns. */
struct head {
	uint64_t vpn, pages, runs, tokens;
	uint64_t a_size, a_packed, b_size, b_packed;
};

static int read_head(struct reader *reader, struct head *head)
{
	uint64_t left;

	*head = (struct head){ .vpn = varint(reader), .pages = varint(reader) };
	head->runs = varint(reader);
	head->tokens = varint(reader);
	head->a_size = varint(reader);
	head->a_packed = varint(reader);
	head->b_size = varint(reader);
	head->b_packed = varint(reader);
	if (reader->bad || head->vpn > PAGES_END || head->pages > PAGES_END - head->vpn)
		return -EBADMSG;
	if (!head->runs || head->runs > PM_BLOCK_RUNS || head->tokens > PM_BLOCK_TOKENS)
		return -EBADMSG;
	if (head->a_size > PM_RUNS_MOST || head->b_size > PM_TOKENS_MOST ||
	    head->b_size < head->tokens)
		return -EBADMSG;
	left = (uint64_t)(reader->end - reader->at);
	if (head->a_packed > left || head->b_packed > left - head->a_packed)
		return -EBADMSG;
	return 0;
}

/* Check the columns of runs, of which the second is kept in unpack->counts; *keys becomes the
 * third. */
static int read_runs(struct pm_unpacking *unpack, const struct head *head, struct reader *gaps,
		     struct reader *keys)
{
	struct reader reader = { .at = unpack->runs, .end = unpack->runs + head->a_size };
	uint64_t pages = 0;

	*gaps = reader;
	for (uint64_t i = 0; i < head->runs; i++) {
		const uint64_t gap = varint(&reader);

		if (reader.bad || gap > head->pages - pages || (!i && gap))
			return -EBADMSG;
		pages += gap;
	}
	for (uint64_t i = 0; i < head->runs; i++) {
		const uint64_t before = varint(&reader);

		if (reader.bad || before >= head->pages - pages)
			return -EBADMSG;
		unpack->counts[i] = before + 1;
		pages += before + 1;
	}
	*keys = reader;
	for (uint64_t i = 0; i < head->runs; i++) {
		if (varint(&reader) > UINT32_MAX)
			reader.bad = 1;
	}
	return reader.bad || reader.at != reader.end || pages != head->pages ? -EBADMSG : 0;
}

/* Decode all runs; `first` is the page at which the first one begins. */
static int64_t unpack_body(struct pm_unpacking *unpack, struct reader *reader,
			   const struct head *head, uint64_t first, struct pm_segment *segments)
{
	struct reader gaps, keys;
	struct places places = {
		.tokens = unpack->tokens,
		.count = head->tokens,
		.repeats = { .at = unpack->tokens + head->tokens,
			     .end = unpack->tokens + head->b_size },
	};
	const uint8_t *at = reader->at;
	uint64_t vpn = first, stored = 0;

	if (pm_inflate(&unpack->squeeze, at, head->a_packed, unpack->runs, head->a_size))
		return -EBADMSG;
	at += head->a_packed;
	if (head->b_size &&
	    pm_inflate(&unpack->squeeze, at, head->b_packed, unpack->tokens, head->b_size))
		return -EBADMSG;
	at += head->b_packed;
	places.low.bytes = at;
	places.low.bits = 8 * (uint64_t)(reader->end - at);
	if (read_runs(unpack, head, &gaps, &keys))
		return -EBADMSG;
	for (uint64_t i = 0; i < head->runs; i++) {
		const uint64_t key = varint(&keys), count = unpack->counts[i];

		vpn += varint(&gaps);
		if (key & PM_KEY_PLACED) {
			stored = cut_run(&places, vpn, count, key, segments, stored);
			if (!stored)
				return -EBADMSG;
		} else {
			segments[stored++] = (struct pm_segment){
				.vpn = vpn,
				.count = count,
				.entry = (key & PM_KEY_FLAGS) << PM_SOFT_DIRTY_BIT,
				.key = (uint32_t)key,
			};
		}
		vpn += count;
	}
	if (places.left || places.at != places.count || places.repeats.at != places.repeats.end ||
	    places.low.bits - places.low.at > 7)
		return -EBADMSG;
	return (int64_t)stored;
}

/*
 * Give segments addresses: from segments[PM_BLOCK_SPLITS] on lie `count` whose pages are numbered
 * within mappings, and the first one is page `vpn`. They move down to the beginning, and what a
 * mapping ends is cut there. Returns their new number or -EBADMSG.
 */
static int64_t give_addresses(struct pm_within within, uint64_t vpn, struct pm_segment *segments,
			      uint64_t count)
{
	const struct pm_range *span = within.spans, *const last = span + within.count;
	uint64_t before, stored = 0;

	span += pm_span_at(span, within.count, vpn);
	if (span == last || span->vpn > vpn)
		return -EBADMSG;
	before = span->vpn - vpn; /* below 0: the number of the first page of *span */
	for (uint64_t i = 0; i < count; i++) {
		struct pm_segment segment = segments[PM_BLOCK_SPLITS + i];

		while (segment.count) {
			uint64_t at = segment.vpn - before, pages;

			while (at >= span->count) {
				at -= span->count;
				before += span->count;
				if (++span == last)
					return -EBADMSG;
			}
			pages = span->count - at;
			if (pages > segment.count)
				pages = segment.count;
			if (stored > PM_BLOCK_SPLITS + i)
				return -EBADMSG; /* more cuts than there may be */
			segments[stored] = segment;
			segments[stored].vpn = span->vpn + at;
			segments[stored++].count = pages;
			segment.vpn += pages;
			segment.count -= pages;
			segment.entry += pages * segment.step;
		}
	}
	return (int64_t)stored;
}

int64_t pm_unpack(struct pm_unpacking *unpack, const uint8_t *chunk, uint64_t size,
		  struct pm_within within, struct pm_segment *segments,
		  struct pm_saved_block *found)
{
	struct reader reader = { .at = chunk + PM_CHUNK_HEADER, .end = chunk + size };
	struct head head;
	uint32_t kind;
	int64_t stored;

	if (size < PM_CHUNK_HEADER || size > PM_BLOCK_BYTES || pm_get_u32(chunk) != PM_CHUNK_MARK)
		return -EBADMSG;
	kind = pm_get_u32(chunk + 4);
	if ((kind != PM_CHUNK_PAGES && kind != PM_CHUNK_WITHIN) ||
	    pm_get_u32(chunk + 12) != size - PM_CHUNK_HEADER ||
	    pm_get_u32(chunk + 16) != pm_chunk_sum(reader.at, size - PM_CHUNK_HEADER) ||
	    pm_get_u32(chunk + 20) != pm_chunk_sum(chunk, 20))
		return -EBADMSG;
	if (!unpack->begun) {
		if (pm_inflate_begin(&unpack->squeeze, unpack->arena, sizeof(unpack->arena)))
			return -ENOMEM;
		unpack->begun = 1;
	}
	if (read_head(&reader, &head))
		return -EBADMSG;
	if (kind == PM_CHUNK_PAGES) {
		stored = unpack_body(unpack, &reader, &head, head.vpn, segments);
	} else {
		stored = unpack_body(unpack, &reader, &head, 0, segments + PM_BLOCK_SPLITS);
		if (stored > 0)
			stored = give_addresses(within, head.vpn, segments, (uint64_t)stored);
	}
	if (stored < 0)
		return stored;
	*found = (struct pm_saved_block){
		.vpn = head.vpn,
		.end = segments[stored - 1].vpn + segments[stored - 1].count,
		.size = (uint32_t)size,
		.whose = pm_get_u32(chunk + 8),
	};
	return stored;
}
