/*
 * What the shared frames are: each is asked of the kernel, and counts for its set or not.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "analyses/sharing.h"

enum {
	BRIDGED = 4,	 /* words between two frames that are read rather than left out */
	MOST_ORDER = 18, /* of a folio: 1 GiB in pages of 4 KiB */
};

static enum pm_kind kind_of(uint64_t flags)
{
	if (pm_flag(flags, PM_KPF_NOPAGE))
		return PM_KIND_OTHER;
	if (pm_flag(flags, PM_KPF_ZERO_PAGE))
		return PM_KIND_ZERO;
	if (pm_flag(flags, PM_KPF_KSM))
		return PM_KIND_KSM;
	if (pm_flag(flags, PM_KPF_ANONYMOUS))
		return PM_KIND_ANONYMOUS;
	if (pm_flag(flags, PM_KPF_SWAPBACKED))
		return PM_KIND_SHMEM;
	return pm_flag(flags, PM_KPF_MMAP) ? PM_KIND_FILE : PM_KIND_OTHER;
}

/*
 * Whether a process maps the frame now: those that did may have ended since they were
 * looked at, and it is free. The kernel does not count mappings of the page of zeros,
 * of its own data (vvar), and of what has no page.
 */
static int is_mapped(uint64_t flags)
{
	return pm_flag(flags, PM_KPF_MMAP) || pm_flag(flags, PM_KPF_ZERO_PAGE) ||
	       pm_flag(flags, PM_KPF_RESERVED) || pm_flag(flags, PM_KPF_NOPAGE);
}

/* Frames of one folio, and the word that tells of them all. */
struct folio {
	uint64_t first, end, flags;
};

/*
 * Put the word of its folio into *flags of the frame `pfn`, where that is a tail which
 * has only flags of its own: older kernels (6.1) tell so, and then not even that its
 * content is valid; newer ones (6.12) tell the folio's of each. The head lies at a
 * multiple of the folio's size. `last` is the folio that was found before.
 */
static int tell_folio(int fd, uint64_t pfn, struct folio *last, uint64_t *flags)
{
	uint64_t first = pfn;

	if (!pm_flag(*flags, PM_KPF_COMPOUND_TAIL) || pm_flag(*flags, PM_KPF_UPTODATE) ||
	    pm_flag(*flags, PM_KPF_ANONYMOUS) || pm_flag(*flags, PM_KPF_HUGE))
		return 0; /* the last two are told of tails everywhere */
	if (pfn >= last->first && pfn < last->end) {
		*flags = last->flags;
		return 0;
	}
	for (unsigned order = 1; order <= MOST_ORDER; order++) {
		uint64_t word;
		int64_t got;

		if (first == pfn >> order << order)
			continue;
		first = pfn >> order << order;
		got = pm_read(fd, first, 1, &word);
		if (got < 0)
			return (int)got;
		if (got && pm_flag(word, PM_KPF_COMPOUND_TAIL))
			continue;
		if (got && pm_flag(word, PM_KPF_COMPOUND_HEAD)) {
			*last = (struct folio){ first, first + PM_BIT(order), word };
			*flags = word;
		}
		break; /* else it was split meanwhile */
	}
	return 0;
}

/* Whether it may count: several map it, or one does more than once; or one alone. */
static int may_count(const struct pm_sharing *sharing, uint64_t slot)
{
	const uint32_t item = sharing->table[slot];

	return item &&
	       (sharing->alone || item & PM_TWICE || sharing->sets[pm_set_of(item)].size > 1);
}

/* The slot after those that are read along with the one at `slot`. */
static uint64_t end_of_read(const struct pm_sharing *sharing, uint64_t slot, uint64_t to)
{
	uint64_t end = slot + 1;

	if (to > slot + PM_READ_BLOCK)
		to = slot + PM_READ_BLOCK;
	for (uint64_t at = end; at < to && at <= end + BRIDGED; at++)
		if (may_count(sharing, at))
			end = at + 1;
	return end;
}

/* Where what is left to be told of the frames from `from` on begins; `to`: nowhere. */
static uint64_t next_that_may(const struct pm_sharing *sharing, uint64_t from, uint64_t to)
{
	for (uint64_t slot = from; slot < to; slot++) {
		/* what was never touched is not even looked at: the kernel would have to give it */
		if (slot % PM_TOUCHED == 0 && !sharing->touched[slot / PM_TOUCHED])
			slot += PM_TOUCHED - 1;
		else if (may_count(sharing, slot))
			return slot;
	}
	return to;
}

/* The words of the frames from slot on, all of them. Returns 0 or -errno. */
static int64_t read_words(const struct pm_sharing *sharing, int fd, uint64_t slot, uint64_t count,
			  uint64_t *words)
{
	int64_t got = pm_read(fd, sharing->first + slot, count, words);

	if (got < 0)
		return got;
	return (uint64_t)got < count ? -ENODATA : 0;
}

/* What KSM saves where it merged a frame that is mapped so often, beyond the processes. */
static void add_merged(const struct pm_sharing *sharing, uint32_t number, uint64_t mapcount)
{
	const struct pm_set *set = sharing->sets + number;

	if (number >= PM_FIRST_SET && set->label < sharing->labels && mapcount > set->size)
		sharing->merged[set->label] += mapcount - set->size;
}

/* What is told of the frames that one read takes. */
struct block {
	uint64_t slot;
	uint64_t count;
	uint64_t *flags;
	uint64_t *counts;
	int counted; /* `counts` was read: of merged frames alone somebody asks */
};

/* Whether the frame of this set counts as shared; if not, it may count for one process. */
static int counts(const struct pm_sharing *sharing, uint32_t number, uint32_t item,
		  enum pm_kind kind)
{
	const struct pm_set *set = sharing->sets + number;

	if (set->size > 1 || (kind == PM_KIND_KSM && item & PM_TWICE))
		return 1;
	if (sharing->alone && number >= PM_FIRST_SET && kind != PM_KIND_ZERO)
		sharing->alone[set->member]++;
	return 0;
}

/* Count the frame at `at` if it is shared. Returns 1, 0 if it is not, or -errno. */
static int64_t settle_one(const struct pm_sharing *sharing, int fd, int map_counts,
			  struct block *block, uint64_t at, struct folio *last,
			  struct pm_heavy *heavy)
{
	const uint32_t item = sharing->table[at], number = pm_set_of(item);
	struct pm_set *set = sharing->sets + number;
	uint64_t flags = block->flags[at - block->slot];
	enum pm_kind kind;
	int64_t error = tell_folio(fd, sharing->first + at, last, &flags);

	if (error)
		return error;
	flags = (pm_known_flags(flags) & ~sharing->ignored) | sharing->assumed;
	if (!is_mapped(flags))
		return 0;
	kind = kind_of(flags);
	if (!counts(sharing, number, item, kind))
		return 0; /* one process maps it, maybe twice: nobody else has anything of it */
	if (kind == PM_KIND_KSM && !block->counted) {
		error = read_words(sharing, map_counts, block->slot, block->count, block->counts);
		if (error)
			return error;
		block->counted = 1;
	}
	if (kind == PM_KIND_KSM)
		add_merged(sharing, number, block->counts[at - block->slot]);
	set->pages[kind]++;
	*heavy = (struct pm_heavy){ set->size, sharing->first + at, (uint64_t)kind << 32 | number };
	return 1;
}

int64_t pm_sharing_settle(const struct pm_sharing *sharing, int flags, int counts, uint64_t from,
			  uint64_t to, uint64_t *scratch, struct pm_heavy *top, uint64_t capacity,
			  uint64_t *top_count)
{
	struct folio last = { 0 };
	uint64_t counted = 0, slot = from;

	while ((slot = next_that_may(sharing, slot, to)) < to) {
		struct block block = {
			.slot = slot,
			.count = end_of_read(sharing, slot, to) - slot,
			.flags = scratch,
			.counts = scratch + PM_READ_BLOCK,
		};
		int64_t got = read_words(sharing, flags, slot, block.count, block.flags);

		for (uint64_t at = slot; got >= 0 && at < slot + block.count; at++) {
			struct pm_heavy heavy = { 0 };

			if (!may_count(sharing, at))
				continue;
			got = settle_one(sharing, flags, counts, &block, at, &last, &heavy);
			if (got <= 0)
				continue;
			if (pm_set_of(sharing->table[at]) >= PM_FIRST_SET)
				pm_heaviest_put(top, capacity, top_count, heavy);
			counted++;
		}
		if (got < 0)
			return got;
		slot += block.count;
	}
	return (int64_t)counted;
}
