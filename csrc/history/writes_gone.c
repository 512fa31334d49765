/*
 * What was populated, from round to round, and what became of that.
 *
 * A page comes to it when it is found to be written, as all are that were touched and not protected
 * yet. It is kept as regions. Only their holes are asked for: to have the kernel list what is
 * populated would take five times as long.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "history/writes_look.h"
#include "kernel/sys.h"
#include "kernel/uapi.h"

enum { GUARDS = 256 };

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/* The first region that ends above `address`. */
static uint64_t first_above(const struct pm_regions *regions, uint64_t address)
{
	uint64_t low = 0, high = regions->count;

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (regions->regions[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Regions stored in `out`; the last grows where what is added touches it. */
struct stored {
	struct pm_region *out;
	uint64_t count;
	uint64_t capacity;
};

/* Returns 0 where it does not fit any more. */
static int add(struct stored *stored, uint64_t start, uint64_t end, uint64_t range)
{
	struct pm_region *last = stored->count ? &stored->out[stored->count - 1] : NULL;

	if (last && last->categories == range && last->end >= start) {
		last->end = larger(last->end, end);
		return 1;
	}
	if (stored->count == stored->capacity)
		return 0;
	stored->out[stored->count++] =
		(struct pm_region){ .start = start, .end = end, .categories = range };
	return 1;
}

/* The first region, from number `i` on, of what was populated `before` that is of `file` and has
 * memory from `address` up to `end`. */
static const struct pm_region *populated_from(const struct pm_writes_before *before, uint64_t i,
					      uint64_t address, uint64_t end, uint64_t file)
{
	const struct pm_regions *found = &before->found;

	for (; i < found->count; i++) {
		const struct pm_region *region = &found->regions[i];

		if (larger(region->start, address) >= end)
			break;
		if (before->files[region->categories] == file)
			return region;
	}
	return NULL;
}

static const struct pm_region *populated(const struct pm_writes_before *before, uint64_t address,
					 uint64_t end, uint64_t file)
{
	return populated_from(before, first_above(&before->found, address), address, end, file);
}

/* What pm_writes_look asks. */
struct state {
	const struct pm_writes *writes;
	const struct pm_writes_before *before;
	uint64_t *near; /* a number of a region: what is asked for next lies close by */
};

/* As first_above, quick where it is the one of before, or that behind it. */
static uint64_t first_near(const struct state *of, uint64_t address)
{
	const struct pm_regions *found = &of->before->found;
	uint64_t i = *of->near;

	i += i < found->count && found->regions[i].end <= address;
	if ((i && found->regions[i - 1].end > address) ||
	    (i < found->count && found->regions[i].end <= address))
		i = first_above(found, address);
	*of->near = i;
	return i;
}

static uint64_t first_page(const void *state, uint64_t range, uint64_t address, uint64_t end,
			   int wanted)
{
	const struct state *of = state;
	const uint64_t file = of->writes->files[range];
	const struct pm_region *region;

	if (!file)
		return wanted ? end : address;
	region = populated_from(of->before, first_near(of, address), address, end, file);
	if (wanted)
		return region ? larger(region->start, address) : end;
	while (region && region->start <= address) {
		address = smaller(region->end, end);
		region = address < end ? populated_from(of->before, first_near(of, address),
							address, end, file)
				       : NULL;
	}
	return address;
}

int64_t pm_writes_round(const struct pm_writes *writes, const struct pm_writes_before *before,
			enum pm_writes_step step, struct pm_writes_place *at, struct pm_region *out,
			uint64_t capacity)
{
	uint64_t near = 0;
	const struct state state = { writes, before, &near };
	const struct pm_writes_known known = { first_page, &state, writes->userfaultfd };

	return pm_writes_look(writes, before->found.count ? &known : NULL, step, at, out, capacity);
}

int64_t pm_writes_guards(int32_t fd, uint64_t *start, uint64_t end, struct pm_region *guards,
			 uint64_t capacity)
{
	struct pm_uapi_scan scan = {
		.size = sizeof(scan),
		.start = *start,
		.end = end,
		.vec = (uint64_t)(uintptr_t)guards,
		.vec_len = capacity,
		.category_mask = PM_UAPI_IS_WPALLOWED | PM_UAPI_IS_GUARD,
	};
	int found;

	do
		found = pm_sys_ioctl(fd, PM_UAPI_PAGEMAP_SCAN, &scan);
	while (found < 0 && errno == EINTR);
	if (found < 0)
		return -errno;
	/* walk_end alone may fall short of what was reported (see scan.c) */
	*start = (uint64_t)found < capacity ? end : larger(scan.walk_end, guards[found - 1].end);
	return found;
}

/* Add what of a guard was populated before; returns 0 where it does not fit any more. */
static int add_guarded(struct stored *stored, const struct pm_writes_before *before,
		       const struct pm_region *guard, uint64_t file, uint64_t range)
{
	const struct pm_region *region;

	for (uint64_t at = guard->start; at < guard->end; at = region->end) {
		region = populated(before, at, guard->end, file);
		if (!region)
			break;
		if (!add(stored, larger(region->start, at), smaller(region->end, guard->end),
			 range))
			return 0;
	}
	return 1;
}

int64_t pm_writes_guarded(const struct pm_writes *writes, const struct pm_writes_before *before,
			  struct pm_writes_place *at, struct pm_region *out, uint64_t capacity)
{
	struct stored stored = { .out = out, .capacity = capacity };
	struct pm_region guards[GUARDS];

	if (!capacity)
		return -EINVAL;
	if (!(writes->never & PM_UAPI_IS_GUARD)) /* this kernel tells of none */
		at->range = writes->count;
	while (at->range < writes->count) {
		const uint64_t start = larger(writes->bounds[2 * at->range], at->address);
		const uint64_t end = writes->bounds[2 * at->range + 1];
		const uint64_t file = writes->files[at->range];
		const struct pm_region *first = file ? populated(before, start, end, file) : NULL;
		uint64_t next;
		int64_t found;

		if (!first) {
			at->range++;
			continue;
		}
		at->address = next = larger(start, first->start);
		found = pm_writes_guards(writes->fd, &next, end, guards, GUARDS);
		if (found < 0)
			return found;
		for (int64_t i = 0; i < found; i++) {
			if (!add_guarded(&stored, before, &guards[i], file, at->range)) {
				at->address = stored.out[stored.count - 1].end;
				return (int64_t)stored.count;
			}
		}
		at->address = next;
	}
	return (int64_t)stored.count;
}

/* What was populated and is not gone, piece by piece. */
struct left {
	const struct pm_writes_before *before;
	const struct pm_regions *gone;
	uint64_t next_before;
	uint64_t next_gone;
	uint64_t address; /* below which all is done */
};

/* The next piece that is of `file` and begins below `end`; returns 0 where there is none. */
static int next_left(struct left *left, uint64_t end, uint64_t file, struct pm_region *piece)
{
	const struct pm_regions *before = &left->before->found, *gone = left->gone;

	while (left->next_before < before->count) {
		const struct pm_region *region = &before->regions[left->next_before];
		const uint64_t first = larger(region->start, left->address);
		uint64_t last = smaller(region->end, end);

		if (region->start >= end)
			return 0;
		if (first >= last || left->before->files[region->categories] != file) {
			if (region->end > end)
				return 0;
			left->next_before++;
			continue;
		}
		while (left->next_gone < gone->count && gone->regions[left->next_gone].end <= first)
			left->next_gone++;
		if (left->next_gone < gone->count) {
			const struct pm_region *hole = &gone->regions[left->next_gone];

			if (hole->start <= first) {
				left->address = hole->end;
				continue;
			}
			last = smaller(last, hole->start);
		}
		left->address = last;
		*piece = (struct pm_region){ .start = first, .end = last };
		return 1;
	}
	return 0;
}

/* The next piece of `written`, from number *next on, that is within these bounds. */
static int next_written(const struct pm_regions *written, uint64_t *next, uint64_t start,
			uint64_t end, struct pm_region *piece)
{
	const struct pm_region *region;

	while (*next < written->count && written->regions[*next].end <= start)
		++*next;
	if (*next == written->count || larger(written->regions[*next].start, start) >= end)
		return 0;
	region = &written->regions[*next];
	*piece = (struct pm_region){ .start = larger(region->start, start),
				     .end = smaller(region->end, end) };
	return 1;
}

int64_t pm_writes_kept(const struct pm_writes *writes, const struct pm_writes_before *before,
		       const struct pm_regions *gone, const struct pm_regions *written,
		       struct pm_region *out, uint64_t capacity)
{
	struct stored stored = { .out = out, .capacity = capacity };
	struct left left = { .before = before, .gone = gone };
	uint64_t next = 0;

	for (uint64_t i = 0; i < writes->count; i++) {
		const uint64_t end = writes->bounds[2 * i + 1], file = writes->files[i];
		uint64_t at = writes->bounds[2 * i];
		struct pm_region old, new;
		int has_old, has_new;

		if (!file)
			continue;
		left.address = larger(left.address, at);
		has_old = next_left(&left, end, file, &old);
		has_new = next_written(written, &next, at, end, &new);
		while (has_old || has_new) {
			const int takes_old = has_old && (!has_new || old.start < new.start);
			const struct pm_region *piece = takes_old ? &old : &new;

			if (!add(&stored, piece->start, piece->end, i))
				return (int64_t)stored.count;
			if (takes_old) {
				has_old = next_left(&left, end, file, &old);
			} else {
				at = new.end;
				has_new = next_written(written, &next, at, end, &new);
			}
		}
	}
	return (int64_t)stored.count;
}
