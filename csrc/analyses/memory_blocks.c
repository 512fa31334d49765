/*
 * How broken up free memory is: runs of free frames, and aligned blocks of all sizes.
 *
 * Numbers of blocks come from runs, by arithmetic: a run of free frames has so many whole
 * aligned blocks of each size, and a run of free and movable frames so many that could be
 * freed. What blocks the others is counted when a run of frames that cannot be moved is met.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "analyses/memory.h"
#include "kernel/core.h"

/* How many aligned blocks of 2^order frames lie in [from, to). */
static uint64_t whole_blocks(uint64_t from, uint64_t to, unsigned order)
{
	const uint64_t first = (from + PM_BIT(order) - 1) >> order, last = to >> order;

	return last > first ? last - first : 0;
}

/*
 * The blocks of the allocator in a run of free frames. A block that is freed is joined with
 * its buddy, the other half of the block of twice the size, wherever that is free
 * (__free_one_page in mm/page_alloc.c): so a run is cut in one way only.
 */
static void add_buddies(unsigned largest, uint64_t from, uint64_t to, uint64_t *buddies)
{
	const unsigned most = largest < PM_MEMORY_ORDERS ? largest : PM_MEMORY_ORDERS - 1;

	while (from < to) {
		const unsigned fits = 63 - (unsigned)__builtin_clzll(to - from);
		const unsigned aligned = from ? (unsigned)__builtin_ctzll(from) : 63;
		unsigned order = fits < aligned ? fits : aligned;

		if (order >= most) {
			const uint64_t count = (to - from) >> most;

			order = most;
			buddies[order] += count;
			from += count << order;
		} else {
			buddies[order]++;
			from += PM_BIT(order);
		}
	}
}

static int end_free(const struct pm_memory_job *job, const struct pm_memory_place *place,
		    uint64_t to, struct pm_memory_scratch *scratch, struct pm_memory_sums *out)
{
	const uint64_t from = place->free_from;

	if (from == to)
		return 0;
	add_buddies(job->buddy_order, from, to, out->buddies);
	for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++)
		out->free_blocks[order] += whole_blocks(from, to, order);
	if (!scratch->runs ||
	    (to - from < job->least_run && from != place->start && to != place->end))
		return 0;
	if (scratch->runs_count == scratch->runs_capacity)
		return -ENOSPC;
	scratch->runs[scratch->runs_count++] = (struct pm_range){ from, to - from };
	return 0;
}

static void end_open(const struct pm_memory_place *place, uint64_t to, struct pm_memory_sums *out)
{
	for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++)
		out->open_blocks[order] += whole_blocks(place->open_from, to, order);
}

/* Each whole block that has a frame of [from, to), unless one of this kind was met in it. */
static void add_blocking(const struct pm_memory_place *place, enum pm_memory_kind kind,
			 uint64_t from, uint64_t to, struct pm_memory_sums *out)
{
	const uint64_t met = place->last_of_kind[kind];

	for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++) {
		const uint64_t whole_from = (place->start + PM_BIT(order) - 1) >> order;
		const uint64_t whole_to = place->end >> order;
		uint64_t first = from >> order, last = (to - 1) >> order;

		if (met != PM_NO_VALUE && first <= met >> order)
			first = (met >> order) + 1;
		if (first < whole_from)
			first = whole_from;
		if (last >= whole_to)
			last = whole_to - 1; /* whole_to is above 0, or first is not below it */
		if (whole_to > first && last >= first)
			out->blocks_with[order][kind] += last - first + 1;
	}
}

/* The listed block is complete. */
static int end_block(const struct pm_memory_job *job, const struct pm_memory_place *place,
		     struct pm_memory_scratch *scratch)
{
	const uint64_t size = PM_BIT(job->block_order);

	if (place->block.pfn < place->start || place->block.pfn + size > place->end ||
	    place->block.frames[PM_MEMORY_FREE] == size)
		return 0;
	if (scratch->blocks_count == scratch->blocks_capacity)
		return -ENOSPC;
	scratch->blocks[scratch->blocks_count++] = place->block;
	return 0;
}

static int add_to_blocks(const struct pm_memory_job *job, struct pm_memory_place *place,
			 enum pm_memory_kind kind, uint64_t from, uint64_t to,
			 struct pm_memory_scratch *scratch)
{
	const uint64_t size = PM_BIT(job->block_order);

	while (from < to) {
		const uint64_t next = (from & ~(size - 1)) + size;
		const uint64_t until = next < to ? next : to;
		int failed = 0;

		if (!(from & (size - 1)) || from == place->start)
			place->block = (struct pm_memory_block){ .pfn = from & ~(size - 1) };
		place->block.frames[kind] += (uint32_t)(until - from);
		if (until == next)
			failed = end_block(job, place, scratch);
		if (failed)
			return failed;
		from = until;
	}
	return 0;
}

int pm_memory_blocks_add(const struct pm_memory_job *job, struct pm_memory_place *place,
			 enum pm_memory_kind kind, uint64_t from, uint64_t to,
			 struct pm_memory_scratch *scratch, struct pm_memory_sums *out)
{
	int failed = 0;

	if (scratch->blocks)
		failed = add_to_blocks(job, place, kind, from, to, scratch);
	if (kind == PM_MEMORY_FREE || failed)
		return failed;
	failed = end_free(job, place, from, scratch, out);
	place->free_from = to;
	if (pm_memory_is_movable(kind))
		return failed;
	end_open(place, from, out);
	place->open_from = to;
	add_blocking(place, kind, from, to, out);
	place->last_of_kind[kind] = to - 1;
	return failed;
}

int pm_memory_blocks_end(const struct pm_memory_job *job, struct pm_memory_place *place,
			 struct pm_memory_scratch *scratch, struct pm_memory_sums *out)
{
	for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++)
		out->blocks[order] += whole_blocks(place->start, place->end, order);
	end_open(place, place->end, out);
	return end_free(job, place, place->end, scratch, out);
}

void pm_memory_add(const struct pm_memory_sums *from, struct pm_memory_sums *to)
{
	const uint64_t *source = (const uint64_t *)from;
	uint64_t *sums = (uint64_t *)to;

	for (uint64_t i = 0; i < sizeof(*to) / sizeof(*sums); i++)
		sums[i] += source[i];
}
