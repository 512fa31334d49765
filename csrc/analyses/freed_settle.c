/*
 * Which frames come back: those of which all mappings that the kernel counts are of one
 * holder. An anonymous folio comes back whole or not at all: while any page of it is
 * mapped the kernel keeps the others, until memory is short and it splits the folio.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "analyses/freed.h"

enum {
	BRIDGED = 4, /* words between two frames that are read rather than left out */
};

/* What is told of some frames: words of both files, from `slot` on. */
struct words {
	int files[2];
	uint64_t slot, count;
	uint64_t *flags, *counts;
};

/* Read what is told of `count` frames from `slot` on. Returns 0 or -errno. */
static int64_t read_words(const struct pm_freed *freed, struct words *words, uint64_t slot,
			  uint64_t count)
{
	uint64_t *const out[2] = { words->flags, words->counts };

	for (unsigned i = 0; i < 2; i++) {
		const int64_t got = pm_read(words->files[i], freed->first + slot, count, out[i]);

		if (got < 0)
			return got;
		if ((uint64_t)got < count)
			return -ENODATA;
	}
	words->slot = slot;
	words->count = count;
	return 0;
}

/* Whether it may come back, or be dropped: one holder alone was met that maps it. */
static int is_open(uint64_t item)
{
	return item && !pm_item_has_several(item) && pm_item_kind(item) != PM_HOLDING_OTHER;
}

static uint64_t next_open(const struct pm_freed *freed, uint64_t slot, uint64_t to)
{
	for (; slot < to; slot++) {
		/* what was never touched is not even looked at: the kernel would have to give it */
		if (slot % PM_FREED_TOUCHED == 0 && !freed->touched[slot / PM_FREED_TOUCHED])
			slot += PM_FREED_TOUCHED - 1;
		else if (is_open(freed->table[slot]))
			return slot;
	}
	return to;
}

/* The slot after those that are read along with the one at `slot`. */
static uint64_t end_of_read(const struct pm_freed *freed, uint64_t slot, uint64_t to)
{
	uint64_t end = slot + 1;

	if (to > slot + PM_READ_BLOCK)
		to = slot + PM_READ_BLOCK;
	for (uint64_t at = end; at < to && at <= end + BRIDGED; at++)
		if (is_open(freed->table[at]))
			end = at + 1;
	return end;
}

static int all_mappings_met(uint64_t item, uint64_t mapcount)
{
	const uint64_t met = item & PM_ITEM_COUNT;

	/* 0: unmapped since it was met */
	return mapcount && (mapcount <= met || met == PM_ITEM_COUNT);
}

static int is_of_folio(uint64_t flags)
{
	return pm_flag(flags, PM_KPF_COMPOUND_HEAD) || pm_flag(flags, PM_KPF_COMPOUND_TAIL);
}

/* The slot of the first frame of the folio that the one at `slot` is of: it lies at a
 * multiple of the folio's size. `slot` itself where the folio was split meanwhile, or -errno. */
static int64_t head_of(const struct pm_freed *freed, int flags, uint64_t slot, uint64_t word)
{
	for (unsigned order = 1; pm_flag(word, PM_KPF_COMPOUND_TAIL); order++) {
		const uint64_t pfn = (freed->first + slot) >> order << order;
		int64_t got;

		if (order > freed->pmd_order || pfn < freed->first)
			return (int64_t)slot;
		got = pm_read(flags, pfn, 1, &word);
		if (got < 0)
			return got;
		if (!got || !is_of_folio(word))
			return (int64_t)slot;
		if (pm_flag(word, PM_KPF_COMPOUND_HEAD))
			return (int64_t)(pfn - freed->first);
	}
	return (int64_t)slot;
}

/*
 * Count the frames of the folio that the one at `slot` is of, if all of it comes back.
 * `words` is room for the words of one. Returns the slot after the folio, or -errno.
 */
static int64_t settle_folio(const struct pm_freed *freed, struct words *words, uint64_t slot,
			    uint64_t word)
{
	const uint64_t most = PM_BIT(freed->pmd_order);
	const int64_t head = head_of(freed, words->files[0], slot, word);
	struct pm_holder *sums = freed->holders + pm_item_holder(freed->table[slot]);
	uint64_t mapped = 0, size = 0;
	int comes_back = 1;
	int64_t error;

	if (head < 0)
		return head;
	error = read_words(freed, words, (uint64_t)head,
			   most < freed->count - (uint64_t)head ? most
								: freed->count - (uint64_t)head);
	if (error)
		return error;
	for (; size < words->count; size++) {
		const uint64_t item = freed->table[(uint64_t)head + size];
		const uint64_t mapcount = words->counts[size];

		if (size && !pm_flag(words->flags[size], PM_KPF_COMPOUND_TAIL))
			break;
		if (!mapcount)
			continue;
		mapped++;
		if (!is_open(item) || !all_mappings_met(item, mapcount) ||
		    freed->holders + pm_item_holder(item) != sums)
			comes_back = 0;
	}
	if (comes_back && mapped) {
		sums->sole[PM_HOLDING_ANON] += mapped;
		sums->unmapped += size - mapped;
	}
	return (int64_t)((uint64_t)head + size > slot ? (uint64_t)head + size : slot + 1);
}

/* Count the frame at `slot`, with its folio. Returns the slot to go on at, or -errno. */
static int64_t settle_one(const struct pm_freed *freed, const struct words *words,
			  struct words *folio, uint64_t slot)
{
	const uint64_t item = freed->table[slot];
	const uint64_t flags = pm_known_flags(words->flags[slot - words->slot]);
	const unsigned kind = pm_item_kind(item);

	if (kind == PM_HOLDING_ANON && pm_flag(flags, PM_KPF_ZERO_PAGE))
		return (int64_t)slot + 1;
	if (kind == PM_HOLDING_ANON && is_of_folio(flags))
		return settle_folio(freed, folio, slot, flags);
	if (all_mappings_met(item, words->counts[slot - words->slot]))
		freed->holders[pm_item_holder(item)].sole[kind]++;
	return (int64_t)slot + 1;
}

int64_t pm_freed_settle(const struct pm_freed *freed, int flags, int counts, uint64_t from,
			uint64_t to, uint64_t *scratch)
{
	uint64_t *const more = scratch + UINT64_C(2) * PM_READ_BLOCK;
	struct words words = { { flags, counts }, 0, 0, scratch, scratch + PM_READ_BLOCK };
	struct words folio = { { flags, counts }, 0, 0, more, more + PM_READ_BLOCK };
	uint64_t looked = 0, slot = from;

	if (PM_BIT(freed->pmd_order) > PM_READ_BLOCK)
		return -EINVAL;
	while ((slot = next_open(freed, slot, to)) < to) {
		const uint64_t end = end_of_read(freed, slot, to);
		int64_t next = read_words(freed, &words, slot, end - slot);

		while (next >= 0 && slot < end) {
			looked++;
			next = is_open(freed->table[slot]) ? settle_one(freed, &words, &folio, slot)
							   : (int64_t)slot + 1;
			slot = next < 0 ? slot : (uint64_t)next;
		}
		if (next < 0)
			return next;
	}
	return (int64_t)looked;
}
