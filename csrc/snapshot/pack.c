/*
 * Entries into blocks. Nearly all that a page table takes in a file are places, which look random
 * to zlib: so a jump is its length in bits, which few values share and deflate shrinks well, and
 * the bits below its highest one, which nothing shrinks, as they are.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "snapshot/block.h"
#include "snapshot/pack.h"
#include "walk/spans.h"

enum {
	REPEATED = 24, /* pages from which on one token for all of them is smaller */
};

int pm_pack_begin(struct pm_pack *pack, uint32_t whose)
{
	pack->runs_count = 0;
	pack->tokens_count = 0;
	pack->repeats_size = 0;
	pack->low_bits = 0;
	memset(pack->low, 0, sizeof(pack->low));
	pack->place = 0;
	pack->expected = 0;
	pack->spans = NULL;
	pack->spans_count = 0;
	pack->span = 0;
	pack->before = 0;
	pack->splits = 0;
	pack->size = 0;
	pack->capacity = 0;
	pack->blocks_count = 0;
	pack->blocks_capacity = 0;
	pack->whose = whose;
	pack->error = 0;
	return pm_deflate_begin(&pack->squeeze, pack->arena, sizeof(pack->arena));
}

void pm_pack_within(struct pm_pack *pack, const struct pm_range *spans, uint64_t count)
{
	pack->spans = spans;
	pack->spans_count = count;
	pack->span = count; /* not known before there is a page */
}

void pm_pack_into(struct pm_pack *pack, uint8_t *out, uint64_t capacity,
		  struct pm_saved_block *blocks, uint64_t blocks_capacity)
{
	pack->out = out;
	pack->capacity = capacity;
	pack->size = 0;
	pack->blocks = blocks;
	pack->blocks_capacity = blocks_capacity;
	pack->blocks_count = 0;
}

static void put_low(struct pm_pack *pack, uint64_t value, unsigned bits)
{
	uint8_t *to = pack->low + pack->low_bits / 8;
	const unsigned shift = (unsigned)(pack->low_bits % 8);

	value <<= shift; /* at most 56 bits before it */
	for (unsigned done = 0; done < shift + bits; done += 8, value >>= 8)
		*to++ |= (uint8_t)value;
	pack->low_bits += bits;
}

static void put_jump(struct pm_pack *pack, uint64_t place)
{
	const uint64_t by = place - pack->expected, sign = by >> 63 ? UINT64_MAX : 0;
	const int leaps = by && !(by & (PM_BIT(PM_LEAP_BITS) - 1));
	const uint64_t much = (by ^ sign) >> (leaps ? PM_LEAP_BITS : 0);
	const uint64_t jump = much << 1 | (sign & 1);
	const unsigned bits = jump ? 64 - (unsigned)__builtin_clzll(jump) : 0;

	pack->tokens[pack->tokens_count++] = (uint8_t)(leaps ? PM_TOKEN_LEAP + bits : bits);
	if (bits > 1)
		put_low(pack, jump ^ UINT64_C(1) << (bits - 1), bits - 1);
}

static void put_repeat(struct pm_pack *pack, enum pm_token token, uint64_t count)
{
	uint8_t *end;

	pack->tokens[pack->tokens_count++] = (uint8_t)token;
	end = pm_put_varint(pack->repeats + pack->repeats_size, count);
	pack->repeats_size = (uint64_t)(end - pack->repeats);
}

/* Add tokens for the places of pages of one run; returns how many they are for: fewer than `count`
 * where the block is full. */
static uint64_t put_places(struct pm_pack *pack, const uint64_t *entries, uint64_t count,
			   uint64_t unit)
{
	uint64_t i = 0;

	while (i < count && pack->tokens_count < PM_BLOCK_TOKENS) {
		uint64_t place = entries[i] & PM_PLACE_MASK, next = i + 1;

		if (place == pack->expected) {
			while (next < count &&
			       (entries[next] & PM_PLACE_MASK) == place + (next - i) * unit)
				next++;
			if (next - i < REPEATED)
				next = i + 1;
			else
				put_repeat(pack, PM_TOKEN_REPEAT_NEXT, next - i);
		} else if (place == pack->place) {
			while (next < count && (entries[next] & PM_PLACE_MASK) == place)
				next++;
			if (next - i < REPEATED)
				next = i + 1;
			else
				put_repeat(pack, PM_TOKEN_REPEAT_SAME, next - i);
		}
		if (next == i + 1)
			put_jump(pack, place);
		pack->place = entries[next - 1] & PM_PLACE_MASK;
		pack->expected = pack->place + unit;
		i = next;
	}
	return i;
}

/* The three columns of runs, one after another. */
static uint64_t runs_columns(struct pm_pack *pack)
{
	uint8_t *to = pack->columns;
	uint64_t end = pack->runs[0].number;

	for (uint64_t i = 0; i < pack->runs_count; i++) {
		to = pm_put_varint(to, pack->runs[i].number - end);
		end = pack->runs[i].number + pack->runs[i].count;
	}
	for (uint64_t i = 0; i < pack->runs_count; i++)
		to = pm_put_varint(to, pack->runs[i].count - 1);
	for (uint64_t i = 0; i < pack->runs_count; i++)
		to = pm_put_varint(to, pack->runs[i].key);
	return (uint64_t)(to - pack->columns);
}

static void put_header(const struct pm_pack *pack, uint8_t *header, uint64_t size)
{
	pm_put_u32(header, PM_CHUNK_MARK);
	pm_put_u32(header + 4, pack->spans ? PM_CHUNK_WITHIN : PM_CHUNK_PAGES);
	pm_put_u32(header + 8, pack->whose);
	pm_put_u32(header + 12, (uint32_t)size);
	pm_put_u32(header + 16, pm_chunk_sum(header + PM_CHUNK_HEADER, size));
	pm_put_u32(header + 20, pm_chunk_sum(header, 20));
}

int pm_pack_end(struct pm_pack *pack)
{
	/* behind the largest head that there can be, then moved down to the end of this one */
	uint8_t *const header = pack->out + pack->size, *const head = header + PM_CHUNK_HEADER;
	uint8_t *const body = head + PM_HEAD_MOST;
	const struct pm_packed_run *last = pack->runs + pack->runs_count - 1;
	uint64_t columns, tokens, low;
	int64_t a, b = 0;
	uint8_t *to = head;

	if (pack->error || !pack->runs_count)
		return pack->error;
	if (pack->capacity - pack->size < PM_BLOCK_BYTES ||
	    pack->blocks_count == pack->blocks_capacity)
		return pack->error = -ENOSPC;
	columns = runs_columns(pack);
	a = pm_deflate(&pack->squeeze, pack->columns, columns, 0, body,
		       PM_RUNS_MOST + PM_DEFLATE_MORE);
	tokens = pack->tokens_count + pack->repeats_size;
	if (a >= 0 && tokens) {
		memcpy(pack->columns, pack->tokens, pack->tokens_count);
		memcpy(pack->columns + pack->tokens_count, pack->repeats, pack->repeats_size);
		b = pm_deflate(&pack->squeeze, pack->columns, tokens, 1, body + a,
			       PM_TOKENS_MOST + PM_DEFLATE_MORE);
	}
	if (a < 0 || b < 0)
		return pack->error = (int32_t)(a < 0 ? a : b);
	low = (pack->low_bits + 7) / 8;

	to = pm_put_varint(to, pack->first);
	to = pm_put_varint(to, last->number + last->count - pack->runs[0].number);
	to = pm_put_varint(to, pack->runs_count);
	to = pm_put_varint(to, pack->tokens_count);
	to = pm_put_varint(to, columns);
	to = pm_put_varint(to, (uint64_t)a);
	to = pm_put_varint(to, tokens);
	to = pm_put_varint(to, (uint64_t)b);
	memmove(to, body, (uint64_t)(a + b));
	to += a + b;
	memcpy(to, pack->low, low);
	to += low;
	put_header(pack, header, (uint64_t)(to - head));

	pack->blocks[pack->blocks_count++] = (struct pm_saved_block){
		.vpn = pack->first,
		.end = pack->end,
		.offset = pack->size,
		.size = (uint32_t)(to - header),
		.whose = pack->whose,
	};
	pack->size += (uint64_t)(to - header);
	memset(pack->low, 0, low);
	pack->runs_count = pack->tokens_count = pack->repeats_size = pack->low_bits = 0;
	pack->place = pack->expected = pack->splits = 0;
	return 0;
}

/* The number of a page, which lies behind those that were asked for before. */
static uint64_t number_of(struct pm_pack *pack, uint64_t vpn)
{
	const struct pm_range *spans = pack->spans;

	if (!spans)
		return vpn;
	if (pack->span == pack->spans_count)
		pack->span = pm_span_at(spans, pack->spans_count, vpn);
	for (; vpn - spans[pack->span].vpn >= spans[pack->span].count; pack->span++)
		pack->before += spans[pack->span].count;
	return pack->before + (vpn - spans[pack->span].vpn);
}

/* A place for a run of this key at `vpn`, in a new block where it is not in this one. */
static struct pm_packed_run *run_at(struct pm_pack *pack, uint64_t vpn, uint64_t key)
{
	struct pm_packed_run *last = pack->runs_count ? pack->runs + pack->runs_count - 1 : NULL;
	const uint64_t number = number_of(pack, vpn);

	if (last && last->key == key && last->number + last->count == number) {
		const int splits = pack->end != vpn;

		if (!splits || pack->splits < PM_BLOCK_SPLITS) {
			pack->splits += (unsigned)splits;
			return last;
		}
		if (pm_pack_end(pack))
			return NULL;
	}
	if (pack->runs_count == PM_BLOCK_RUNS && pm_pack_end(pack))
		return NULL;
	if (!pack->runs_count)
		pack->first = vpn;
	last = pack->runs + pack->runs_count++;
	*last = (struct pm_packed_run){ .number = number, .key = key };
	return last;
}

void pm_pack_alike(struct pm_pack *pack, uint64_t vpn, uint64_t count, uint64_t key)
{
	struct pm_packed_run *run = pack->error || !count ? NULL : run_at(pack, vpn, key);

	if (run) {
		run->count += count;
		pack->end = vpn + count;
	}
}

static inline uint64_t key_of(uint64_t entry)
{
	return entry >> PM_SOFT_DIRTY_BIT | (entry & PM_PLACE_MASK ? PM_KEY_PLACED : 0);
}

/* The first of entries[from..count) that differs from the one before it in its key. */
static uint64_t same_to(const uint64_t *entries, uint64_t from, uint64_t count)
{
	const uint64_t key = key_of(entries[from - 1]);

	while (from < count && key_of(entries[from]) == key)
		from++;
	return from;
}

void pm_pack_entries(struct pm_pack *pack, uint64_t vpn, const uint64_t *entries, uint64_t count,
		     uint64_t extra)
{
	for (uint64_t i = 0, next; i < count; i = next) {
		uint64_t key = key_of(entries[i]) | extra;

		next = same_to(entries, i + 1, count);
		if (!(key & PM_KEY_PRESENT))
			key &= ~PM_KEY_ZERO; /* it went between the scan and the reading */
		if (!(key & PM_KEY_PLACED)) {
			if (key)
				pm_pack_alike(pack, vpn + i, next - i, key);
			continue;
		}
		while (i < next && !pack->error) {
			struct pm_packed_run *run;
			uint64_t done;

			if (pack->tokens_count == PM_BLOCK_TOKENS && pm_pack_end(pack))
				return;
			run = run_at(pack, vpn + i, key);
			if (!run)
				return;
			done = put_places(pack, entries + i, next - i, pm_key_unit(key));
			run->count += done;
			i += done;
			pack->end = vpn + i;
		}
	}
}
