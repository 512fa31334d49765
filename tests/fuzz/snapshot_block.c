/*
 * Any bytes as a block of a snapshot file, with sums that are right, since else nothing behind them
 * would be tried: as they are, and with columns that inflate to any bytes. What is given out lies
 * where the block says that it does, and in order.
 */
#include <zlib.h>

#include "../native/check.h"
#include "snapshot/saved.cdef.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADS = 8, MOST_VARINT = 10, PAGES = 300, SPANS = 6 };

/* The mappings that pages may be numbered in. */
static const struct pm_range spans[SPANS] = {
	{ 0, 3 }, { 5, 1 }, { 9, 100 }, { 200, 1 }, { 300, 60 }, { 1000, 500 },
};

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
	for (; value > 127; value /= 128)
		*to++ = (uint8_t)(value % 128 + 128);
	*to++ = (uint8_t)value;
	return to;
}

static void put_u32(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 4; i++, value /= 256)
		to[i] = (uint8_t)(value % 256);
}

/* Deflated without shrinking, as zlib would for what it cannot shrink. */
static uint64_t stored(uint8_t *to, const uint8_t *bytes, uint64_t size)
{
	to[0] = 1;
	to[1] = (uint8_t)(size % 256);
	to[2] = (uint8_t)(size / 256);
	to[3] = (uint8_t)~to[1];
	to[4] = (uint8_t)~to[2];
	memcpy(to + 5, bytes, size);
	return size + 5;
}

/* A block whose columns are the input, parted by its first bytes. */
static uint64_t make_payload(const uint8_t *data, uint64_t size, uint8_t *payload)
{
	const uint64_t vpn = data[0], pages = data[1] + 256u * (data[2] % 4), rest = size - 7;
	const uint64_t runs = data[3] % 32 + 1, tokens = data[4] % 64;
	const uint64_t a = rest * data[5] / 256, b = (rest - a) * data[6] / 256;
	uint8_t *at = payload;

	at = put_varint(at, vpn);
	at = put_varint(at, pages);
	at = put_varint(at, runs);
	at = put_varint(at, tokens);
	at = put_varint(at, a);
	at = put_varint(at, a + 5);
	at = put_varint(at, b);
	at = put_varint(at, b ? b + 5 : 0);
	at += stored(at, data + 7, a);
	if (b)
		at += stored(at, data + 7 + a, b);
	memcpy(at, data + 7 + a + b, rest - a - b);
	return (uint64_t)(at - payload) + rest - a - b;
}

static int is_mapped(uint64_t vpn)
{
	for (unsigned i = 0; i < SPANS; i++) {
		if (vpn - spans[i].vpn < spans[i].count)
			return 1;
	}
	return 0;
}

static void read_all(const uint8_t *chunk, uint32_t kind, const struct pm_saved_block *block,
		     uint8_t *scratch)
{
	struct pm_saved_block found = *block;
	const struct pm_layer layer = {
		.blocks = &found,
		.blocks_count = 1,
		.spans = spans,
		.spans_count = SPANS,
	};
	struct pm_saved saved = {
		.fd = LIE_BYTES,
		.page_shift = 12,
		.layers = &layer,
		.layers_count = 1,
		.end_page = UINT64_C(1) << 52,
		.scratch = scratch,
	};
	uint64_t *out = exactly(PAGES * 8);
	const uint64_t before = block->vpn < 9 ? block->vpn : 9;

	tell_truth(0);
	lie.bytes = chunk;
	lie.bytes_size = block->size;
	found.offset = 0;
	CHECK_EQUAL(pm_saved_check(&found, 1, block->size), 0);
	CHECK_EQUAL(pm_saved_read(&saved, block->vpn - before, PAGES, out), PAGES);
	for (uint64_t i = 0; i < before; i++)
		CHECK(out[i] == 0);
	for (uint64_t i = before + block->end - block->vpn; i < PAGES; i++)
		CHECK(out[i] == 0);
	for (uint64_t i = 0; i < PAGES && kind == PM_CHUNK_WITHIN; i++)
		CHECK(out[i] == 0 || is_mapped(block->vpn - before + i));
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *scratch; /* large, and zeros whenever it is used */
	uint8_t *chunk;
	struct pm_saved_block found;
	uint64_t payload;
	uint32_t kind;

	if (size < 8)
		return 0;
	kind = data[2] & 128 ? PM_CHUNK_WITHIN : PM_CHUNK_PAGES;
	if (!scratch)
		scratch = calloc(1, pm_saved_scratch(1));
	CHECK(scratch != NULL);
	chunk = malloc(PM_CHUNK_HEADER + HEADS * MOST_VARINT + 10 + size);
	CHECK(chunk != NULL);
	if (data[0] == 0xff) {
		payload = size - 1;
		memcpy(chunk + PM_CHUNK_HEADER, data + 1, payload);
	} else {
		payload = make_payload(data, size, chunk + PM_CHUNK_HEADER);
	}
	chunk = realloc(chunk, PM_CHUNK_HEADER + payload);
	CHECK(chunk != NULL);
	put_u32(chunk, PM_CHUNK_MARK);
	put_u32(chunk + 4, kind);
	put_u32(chunk + 8, data[0] % 2);
	put_u32(chunk + 12, payload);
	put_u32(chunk + 16, crc32(0, chunk + PM_CHUNK_HEADER, (uInt)payload));
	put_u32(chunk + 20, crc32(0, chunk, 20));
	if (pm_saved_try(chunk, PM_CHUNK_HEADER + payload, spans, SPANS, scratch, &found) > 0) {
		CHECK(found.vpn < found.end);
		CHECK_EQUAL(found.size, PM_CHUNK_HEADER + payload);
		read_all(chunk, kind, &found, scratch);
		memset(scratch, 0, pm_saved_scratch(1));
	}
	free(chunk);
	return 0;
}
