/*
 * zlib in memory of the caller: it asks for some when a stream begins, which comes from an arena
 * here and goes with it, so nothing is ever freed.
 */
#ifndef PM_SNAPSHOT_SQUEEZE_H
#define PM_SNAPSHOT_SQUEEZE_H

#include <stdint.h>
#include <zlib.h>

enum pm_squeeze_sizes {
	PM_DEFLATE_ARENA = 1 << 19, /* zlib takes 0.3 MiB, its replacements some more */
	PM_INFLATE_ARENA = 1 << 17, /* 10 KiB, or 50 */
};

struct pm_arena {
	uint8_t *memory;
	uint64_t size;
	uint64_t used;
};

struct pm_squeeze {
	z_stream stream;
	struct pm_arena arena;
};

/* Begin; `memory` must stay. Returns 0 or -ENOMEM. */
int pm_deflate_begin(struct pm_squeeze *squeeze, uint8_t *memory, uint64_t size);
int pm_inflate_begin(struct pm_squeeze *squeeze, uint8_t *memory, uint64_t size);

/* Deflate `size` bytes into `out`. `repeats` says that they are mostly repetitions of single
 * bytes. Returns the number of bytes, or -ENOSPC. */
int64_t pm_deflate(struct pm_squeeze *squeeze, const uint8_t *bytes, uint64_t size, int repeats,
		   uint8_t *out, uint64_t capacity);

/* Inflate all of `size` bytes into exactly `capacity` bytes. Returns 0, or -EBADMSG where they
 * are anything else. */
int pm_inflate(struct pm_squeeze *squeeze, const uint8_t *bytes, uint64_t size, uint8_t *out,
	       uint64_t capacity);

#endif
