/*
 * Entries of a process: see pagemap.h. Signal handlers call these, so nothing is kept and nothing
 * allocated.
 */
#include <errno.h>
#include <stdint.h>

#include "include/pagemap.h"
#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "library/gone.h"
#include "library/process.h"

enum {
	BATCH = 64,    /* spans that are ranges at a time */
	TOO_MANY = 59, /* log2 of entries that no memory holds */
};

int64_t pm_process_entries(const struct pm_process *process, uint64_t address, uint64_t count,
			   uint64_t *out)
{
	const int before = errno;
	const int32_t fd = pm_process_pagemap(process);
	int64_t got;

	if (fd < 0)
		return fd;
	if (!pm_is_page(process, address) || (count && !out) || count >> TOO_MANY)
		return -EINVAL;
	got = pm_read(fd, address >> process->page_shift, count, out);
	if (got < 0 || (uint64_t)got < count)
		got = pm_or_gone(process, got);
	errno = before;
	return got;
}

/* Whether `count` spans are such, and of `capacity` pages at most: 0 or -errno. */
static int32_t check_spans(const struct pm_process *process, const struct pm_span *spans,
			   uint64_t count, uint64_t capacity)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t pages;

		if (!pm_is_page(process, spans[i].start) || !pm_is_page(process, spans[i].end) ||
		    spans[i].start > spans[i].end)
			return -EINVAL;
		pages = (spans[i].end - spans[i].start) >> process->page_shift;
		if (pages > capacity)
			return -ENOSPC;
		capacity -= pages;
	}
	return 0;
}

/* Some of the spans: the number of entries, or -errno. *pages is how many were asked for. */
static int64_t read_some(const struct pm_process *process, const struct pm_span *spans,
			 uint64_t count, uint64_t *out, uint64_t *stored, uint64_t *pages)
{
	struct pm_range ranges[BATCH];

	*pages = 0;
	for (uint64_t i = 0; i < count; i++) {
		ranges[i].vpn = spans[i].start >> process->page_shift;
		ranges[i].count = (spans[i].end - spans[i].start) >> process->page_shift;
		*pages += ranges[i].count;
	}
	return pm_read_ranges(process->pagemap, ranges, count, out, *pages, stored);
}

int64_t pm_process_entries_of(const struct pm_process *process, const struct pm_span *spans,
			      uint64_t count, uint64_t *out, uint64_t capacity, uint64_t *stored)
{
	const int before = errno;
	const int32_t fd = pm_process_pagemap(process);
	int64_t total = fd < 0 ? fd : 0;
	uint64_t asked = 0, pages;

	if (!total && ((count && (!spans || !stored)) || (capacity && !out)))
		total = -EINVAL;
	if (!total)
		total = check_spans(process, spans, count, capacity);
	for (uint64_t i = 0; total >= 0 && i < count; i += BATCH) {
		const int64_t got = read_some(process, spans + i,
					      count - i < BATCH ? count - i : BATCH, out + total,
					      stored + i, &pages);

		total = got < 0 ? got : total + got;
		asked += pages;
	}
	if (fd >= 0 && (total == -ESRCH || (total >= 0 && (uint64_t)total < asked)))
		total = pm_or_gone(process, total);
	errno = before;
	return total;
}

/* The address behind that entry, or -errno. */
static int32_t place_of(uint64_t entry, uint32_t page_shift, uint64_t address, uint64_t *physical)
{
	const uint64_t frame = entry & PM_PLACE_MASK;

	if (!pm_flag(entry, PM_PRESENT_BIT))
		return -ENXIO;
	if (!frame)
		return -EPERM;
	if (frame >> (64 - page_shift))
		return -EOVERFLOW;
	*physical = frame << page_shift | (address & (PM_BIT(page_shift) - 1));
	return 0;
}

int32_t pm_process_translate(const struct pm_process *process, uint64_t address, uint64_t *physical)
{
	const uint64_t page = process ? PM_BIT(process->page_shift) - 1 : 0;
	uint64_t entry;
	int64_t got;

	if (!physical)
		return -EINVAL;
	got = pm_process_entries(process, address & ~page, 1, &entry);
	if (got <= 0)
		return got ? (int32_t)got : -ENODATA;
	return place_of(entry, process->page_shift, address, physical);
}
