/*
 * Columns of a block, deflated. Their level is low: what deflate could find beyond repetitions
 * was taken out of them before.
 */
#include <errno.h>
#include <stdint.h>

#include "snapshot/block.cdef.h"
#include "snapshot/squeeze.h"

enum {
	RAW = -15, /* no header and no sum of zlib's own */
	MEMORY = 8,
	ALIGNMENT = 16,
};

static voidpf take(voidpf opaque, uInt items, uInt size)
{
	struct pm_arena *arena = opaque;
	const uint64_t wanted = (uint64_t)items * size;
	const uint64_t stray = ((uintptr_t)arena->memory + arena->used) % ALIGNMENT;
	const uint64_t from = arena->used + (stray ? ALIGNMENT - stray : 0);
	void *found;

	if (from > arena->size || wanted > arena->size - from)
		return Z_NULL;
	found = arena->memory + from;
	arena->used = from + wanted;
	return found;
}

static void give_back(voidpf opaque, voidpf address)
{
	(void)opaque;
	(void)address;
}

static void begin(struct pm_squeeze *squeeze, struct pm_arena arena)
{
	*squeeze = (struct pm_squeeze){ .arena = arena };
	squeeze->stream.zalloc = take;
	squeeze->stream.zfree = give_back;
	squeeze->stream.opaque = &squeeze->arena;
}

int pm_deflate_begin(struct pm_squeeze *squeeze, uint8_t *memory, uint64_t size)
{
	begin(squeeze, (struct pm_arena){ .memory = memory, .size = size });
	return deflateInit2(&squeeze->stream, 1, Z_DEFLATED, RAW, MEMORY, Z_DEFAULT_STRATEGY) ==
			       Z_OK
		       ? 0
		       : -ENOMEM;
}

int pm_inflate_begin(struct pm_squeeze *squeeze, uint8_t *memory, uint64_t size)
{
	begin(squeeze, (struct pm_arena){ .memory = memory, .size = size });
	return inflateInit2(&squeeze->stream, RAW) == Z_OK ? 0 : -ENOMEM;
}

int64_t pm_deflate(struct pm_squeeze *squeeze, const uint8_t *bytes, uint64_t size, int repeats,
		   uint8_t *out, uint64_t capacity)
{
	z_stream *stream = &squeeze->stream;

	/* where to first: zlib 1.2.11 may write when parameters change */
	stream->avail_in = 0;
	stream->next_out = out;
	stream->avail_out = (uInt)capacity;
	if (deflateReset(stream) != Z_OK ||
	    deflateParams(stream, repeats ? 1 : 6, repeats ? Z_RLE : Z_DEFAULT_STRATEGY) != Z_OK)
		return -EINVAL;
	stream->next_in = (z_const Bytef *)bytes;
	stream->avail_in = (uInt)size;
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return -ENOSPC;
	return (int64_t)(capacity - stream->avail_out);
}

int pm_inflate(struct pm_squeeze *squeeze, const uint8_t *bytes, uint64_t size, uint8_t *out,
	       uint64_t capacity)
{
	z_stream *stream = &squeeze->stream;
	uint8_t none;

	if (inflateReset(stream) != Z_OK)
		return -EINVAL;
	stream->next_in = (z_const Bytef *)bytes;
	stream->avail_in = (uInt)size;
	stream->next_out = capacity ? out : &none;
	stream->avail_out = (uInt)capacity;
	if (inflate(stream, Z_FINISH) != Z_STREAM_END || stream->avail_out || stream->avail_in)
		return -EBADMSG;
	return 0;
}

uint32_t pm_chunk_sum(const uint8_t *bytes, uint64_t size)
{
	return (uint32_t)crc32_z(0, bytes, size);
}
