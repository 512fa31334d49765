/* How walks and analyses read the entries of a source, live or kept. */
#ifndef PM_SOURCE_H
#define PM_SOURCE_H

#include <stdint.h>

#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "walk/source.cdef.h"

/* As pm_read. */
static inline int64_t pm_source_read(const struct pm_source *source, uint64_t vpn, uint64_t count,
				     uint64_t *out)
{
	const struct pm_reader *reader = source->reader;

	return reader ? reader->read(reader->saved, vpn, count, out)
		      : pm_read(source->fd, vpn, count, out);
}

/* As pm_scan. */
static inline int64_t pm_source_scan(const struct pm_source *source, const struct pm_query *query,
				     uint64_t start, uint64_t end, struct pm_region *out,
				     uint64_t capacity, uint64_t *next)
{
	const struct pm_reader *reader = source->reader;

	return reader ? reader->scan(reader->saved, query, start, end, out, capacity, next)
		      : pm_scan(source->fd, query, start, end, out, capacity, next);
}

/*
 * How many pages from `vpn` up to `end` are surely without any flag, so that none of them need
 * be read; a live page table tells of none. Returns -errno where what was kept is damaged.
 */
static inline int64_t pm_source_empty(const struct pm_source *source, uint64_t vpn, uint64_t end)
{
	const struct pm_reader *reader = source->reader;

	return reader ? reader->empty(reader->saved, vpn, end) : 0;
}

/* Whether a scan can skip what is empty: a reader's does, whatever the kernel has. */
static inline int pm_source_skips(const struct pm_source *source)
{
	return source->use_scan || source->reader;
}

/* As pm_alive; what was kept does not go away. */
static inline int32_t pm_source_alive(const struct pm_source *source)
{
	return source->reader ? 1 : pm_alive(source->fd);
}

#endif
