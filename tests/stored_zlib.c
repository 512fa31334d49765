/*
 * As much of zlib as csrc/snapshot/ calls, for compilers of machines for which no zlib is installed:
 * "stored" blocks of deflate (RFC 1951, 3.2.4), which nothing is compressed in.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum {
	HEAD = 5,		 /* bytes: the last block or not, its length, and that inverted */
	MOST = 65535,		 /* bytes in a block */
	DEFLATE_STATE = 1 << 18, /* about what zlib takes of the caller's memory, bytes */
	INFLATE_STATE = 1 << 13,
};

static int begin(z_stream *stream, unsigned size)
{
	return stream->zalloc(stream->opaque, 1, size) ? Z_OK : Z_MEM_ERROR;
}

int deflateInit2_(z_stream *stream, int level, int method, int bits, int memory, int strategy,
		  const char *version, int size)
{
	(void)level, (void)method, (void)bits, (void)memory, (void)strategy, (void)version,
		(void)size;
	return begin(stream, DEFLATE_STATE);
}

int inflateInit2_(z_stream *stream, int bits, const char *version, int size)
{
	(void)bits, (void)version, (void)size;
	return begin(stream, INFLATE_STATE);
}

int deflateReset(z_stream *stream)
{
	(void)stream;
	return Z_OK;
}

int inflateReset(z_stream *stream)
{
	(void)stream;
	return Z_OK;
}

int deflateParams(z_stream *stream, int level, int strategy)
{
	(void)stream, (void)level, (void)strategy;
	return Z_OK;
}

static void put(z_stream *stream, const void *bytes, unsigned size)
{
	memcpy(stream->next_out, bytes, size);
	stream->next_out += size;
	stream->avail_out -= size;
}

int deflate(z_stream *stream, int flush)
{
	(void)flush;
	do {
		const unsigned size = stream->avail_in < MOST ? stream->avail_in : MOST;
		const uint8_t head[HEAD] = { size == stream->avail_in, (uint8_t)size,
					     (uint8_t)(size >> 8), (uint8_t)~size,
					     (uint8_t)(~size >> 8) };

		if (stream->avail_out < HEAD + size)
			return Z_OK;
		put(stream, head, HEAD);
		put(stream, stream->next_in, size);
		stream->next_in += size;
		stream->avail_in -= size;
	} while (stream->avail_in);
	return Z_STREAM_END;
}

int inflate(z_stream *stream, int flush)
{
	(void)flush;
	for (;;) {
		const uint8_t *head = stream->next_in;
		unsigned size;

		if (stream->avail_in < HEAD || head[0] > 1)
			return Z_DATA_ERROR;
		size = head[1] | (unsigned)head[2] << 8;
		if ((head[3] | (unsigned)head[4] << 8) != (size ^ 0xffff) ||
		    stream->avail_in - HEAD < size)
			return Z_DATA_ERROR;
		if (stream->avail_out < size)
			return Z_BUF_ERROR;
		put(stream, head + HEAD, size);
		stream->next_in += HEAD + size;
		stream->avail_in -= HEAD + size;
		if (head[0])
			return Z_STREAM_END;
	}
}

uLong crc32_z(uLong sum, const Bytef *bytes, z_size_t size)
{
	uint32_t rest = ~(uint32_t)sum;

	for (z_size_t i = 0; i < size; i++) {
		rest ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			rest = rest >> 1 ^ (rest & 1 ? 0xedb88320 : 0);
	}
	return ~rest;
}
