/*
 * What smaps sums up, walked gently.
 *
 * smaps and smaps_rollup hold the target's mmap_lock for a whole mapping, or all
 * of them: 25 ms for each 2 GiB of base pages. pagemap takes it anew for each 512
 * pages (PAGEMAP_WALK_SIZE in fs/proc/task_mmu.c), 20-40 us, and the words of
 * frames need no lock of anybody's. So the walk reads pagemap in chunks of that
 * size, times each of them, and looks frames up between.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/decode.cdef.h"
#include "kernel/kpage.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"
#include "walk/source.h"
#include "walk/spans.h"
#include "analyses/footprint.cdef.h"

enum {
	CHUNK = PM_FOOTPRINT_CHUNK,
	REACH = 1 << 18, /* pages that one scan passes at most; 5 ns each in an empty table */
	EMPTY = 64,	 /* empty pages at a chunk's end from which on a scan pays */
	CALLS = 64,	 /* chunks of one step, whatever they found: then others have a turn */
};

struct walk {
	const struct pm_footprint_job *job;
	const struct pm_place *to;
	struct pm_footprint_room *room;
	struct pm_place at;
	struct pm_chunks chunks; /* of this step */
	uint64_t found;
	int look; /* what comes next may be empty: scan for it */
};

/* Take note of a chunk that began at `began`. */
static void count_chunk(struct pm_chunks *chunks, uint64_t began)
{
	const uint64_t took = pm_sys_now() - began;

	chunks->count++;
	chunks->total_ns += took;
	if (took > chunks->longest_ns)
		chunks->longest_ns = took;
}

/* The page at which the walk leaves the span it is in. */
static uint64_t last_page(const struct walk *walk)
{
	return pm_last_page(walk->job->source.spans, &walk->at, walk->to);
}

static_assert(sizeof(((struct pm_footprint_room *)0)->wishes) ==
		      PM_READ_BLOCK * sizeof(struct pm_wish),
	      "room for a wish for each page");

/* Move to the next populated page of this span, within reach. Returns 0 or -errno. */
static int64_t find(struct walk *walk)
{
	static const struct pm_query query = {
		.any_of = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED,
		.max_pages = CHUNK,
	};
	const uint32_t shift = walk->job->source.page_shift;
	const uint64_t first = walk->job->source.spans[walk->at.span].vpn;
	uint64_t start = walk->at.page, end = last_page(walk), began, next;
	struct pm_region region;
	int64_t got;

	if (end - start > REACH)
		end = start + REACH;
	began = pm_sys_now();
	got = pm_source_scan(&walk->job->source, &query, (first + start) << shift,
			     (first + end) << shift, &region, 1, &next);
	count_chunk(&walk->chunks, began);
	if (got == -EFAULT) {
		walk->look = 0; /* past the address space: read up to where that ends */
		return 0;
	}
	if (got < 0)
		return got;
	walk->look = !got;
	walk->at.page = got ? (region.start >> shift) - first : end;
	return 0;
}

/* Keep the populated ones of `count` entries from walk->at on, in one span. */
static void keep(struct walk *walk, const uint64_t *entries, uint64_t count)
{
	struct pm_footprint_room *room = walk->room;
	const uint64_t vpn = walk->job->source.spans[walk->at.span].vpn + walk->at.page;
	uint64_t empty = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t entry = entries[i];

		if (!(entry >> PM_SWAPPED_BIT)) {
			empty++;
			continue;
		}
		empty = 0;
		room->entries[walk->found] = entry;
		room->vpns[walk->found] = vpn + i;
		room->spans[walk->found++] = walk->at.span;
	}
	walk->look = pm_source_skips(&walk->job->source) && empty >= EMPTY;
}

/*
 * Read one chunk of this span, to where the kernel ends its own (PAGEMAP_WALK_SIZE),
 * so that what a PMD maps is whole. Returns 0 or -errno.
 */
static int64_t read_chunk(struct walk *walk)
{
	const uint64_t first = walk->job->source.spans[walk->at.span].vpn;
	const uint64_t whole = CHUNK - (first + walk->at.page) % CHUNK;
	uint64_t rest = last_page(walk) - walk->at.page, began;
	int64_t got;

	if (rest > whole)
		rest = whole;
	began = pm_sys_now();
	got = pm_source_read(&walk->job->source, first + walk->at.page, rest, walk->room->block);
	count_chunk(&walk->chunks, began);
	if (got < 0)
		return got;
	keep(walk, walk->room->block, (uint64_t)got);
	/* where there are fewer entries than asked for, the address space ends */
	walk->at.page = (uint64_t)got < rest ? last_page(walk) : walk->at.page + rest;
	return 0;
}

static int64_t collect(struct walk *walk)
{
	int64_t error = 0;

	while (!error && pm_before(&walk->at, walk->to) && walk->chunks.count < CALLS &&
	       walk->found + CHUNK <= PM_READ_BLOCK) {
		const uint64_t rest = last_page(walk) - walk->at.page;

		if (!rest) {
			walk->at = pm_next_span(&walk->at);
			walk->look = pm_source_skips(&walk->job->source);
		} else if (walk->look && rest > CHUNK) {
			error = find(walk);
		} else {
			error = read_chunk(walk);
		}
	}
	return error;
}

/* The words of all frames found. Returns 0 or a negative errno. */
static int64_t gather(const struct walk *walk)
{
	struct pm_footprint_room *room = walk->room;
	struct pm_wish *sorted = (struct pm_wish *)room->wishes;
	int64_t wishes, got;

	pm_pfns(room->entries, walk->found, room->block);
	wishes = pm_kpage_sort(room->block, walk->found, sorted, (struct pm_wish *)room->spare,
			       room->counts);
	/* what is no frame of the kernel's has a word in neither file */
	for (uint64_t i = 0; i < walk->found; i++)
		room->flags[i] = PM_NO_VALUE;
	got = pm_kpage_gather(walk->job->counts, sorted, (uint64_t)wishes, room->block,
			      room->counts);
	if (got < 0)
		return got;
	got = pm_kpage_gather(walk->job->flags, sorted, (uint64_t)wishes, room->block, room->flags);
	return got < 0 ? got : 0;
}

/* Whether the files have a word for each frame that they must have one for. */
static int are_told(const struct walk *walk)
{
	const struct pm_footprint_room *room = walk->room;

	for (uint64_t i = 0; i < walk->found; i++) {
		const uint64_t pfn = room->entries[i] & PM_PLACE_MASK;

		if (pm_flag(room->entries[i], PM_PRESENT_BIT) && pfn &&
		    pfn < walk->job->frames_end &&
		    (room->counts[i] == PM_NO_VALUE || room->flags[i] == PM_NO_VALUE))
			return 0;
	}
	return 1;
}

/* Add what was found to the sums, a mapping at a time. */
static void add_found(const struct walk *walk, struct pm_footprint *sums)
{
	const struct pm_footprint_room *room = walk->room;

	for (uint64_t at = 0, next; at < walk->found; at = next) {
		const uint64_t span = room->spans[at];
		struct pm_footprint_pages pages = {
			.entries = room->entries + at,
			.vpns = room->vpns + at,
			.counts = room->counts + at,
			.flags = room->flags + at,
			.kinds = walk->job->kinds,
			.page_shift = walk->job->source.page_shift,
			.shared = walk->job->shared[span],
			.came_back = walk->job->came_back,
		};

		for (next = at; next < walk->found && room->spans[next] == span; next++)
			;
		pages.count = next - at;
		pm_footprint_add(&pages, sums + span);
	}
}

int64_t pm_footprint_step(const struct pm_footprint_job *job, struct pm_place *from,
			  const struct pm_place *to, struct pm_footprint_room *room,
			  struct pm_footprint *sums, struct pm_chunks *chunks)
{
	struct walk walk = {
		.job = job,
		.to = to,
		.room = room,
		.at = *from,
		.look = pm_source_skips(&job->source),
	};
	int64_t error = collect(&walk);

	if (!error)
		error = gather(&walk);
	if (!error && !are_told(&walk))
		error = -ENODATA;
	if (error)
		return error;
	add_found(&walk, sums);
	chunks->count += walk.chunks.count;
	chunks->total_ns += walk.chunks.total_ns;
	if (walk.chunks.longest_ns > chunks->longest_ns)
		chunks->longest_ns = walk.chunks.longest_ns;
	*from = walk.at;
	return (int64_t)walk.found;
}
