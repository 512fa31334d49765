/*
 * Pages by their flags. A page's word comes from /proc/kpageflags, and its entry
 * adds what only the page table knows.
 *
 * There are seldom more than some dozen different words, and neighbours are alike,
 * so a page costs a comparison, now and then a look into a small table.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/entry_kinds.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "analyses/types.h"

static const uint64_t INTERNAL = UINT64_C(0xffff) << 32;
static const uint64_t COMPOUND = PM_BIT(PM_KPF_COMPOUND_HEAD) | PM_BIT(PM_KPF_COMPOUND_TAIL);

/* `word` with what stands at bit `from` at bit `to` instead. */
static inline uint64_t moved(uint64_t word, unsigned from, unsigned to)
{
	return (word & ~PM_BIT(from)) | (uint64_t)pm_flag(word, from) << to;
}

static uint64_t expanded(uint64_t word, uint64_t entry)
{
	if (pm_flag(word, PM_KPF_ANONYMOUS))
		word = moved(word, PM_KPF_OWNER_2, PM_KPF_ANON_EXCLUSIVE);
	if (pm_flag(word, PM_KPF_SLAB))
		word = moved(moved(word, PM_KPF_ACTIVE, PM_KPF_SLUB_FROZEN), PM_KPF_ERROR,
			     PM_KPF_SLUB_DEBUG);
	if (!pm_flag(word, PM_KPF_WRITEBACK))
		word = moved(word, PM_KPF_RECLAIM, PM_KPF_READAHEAD);
	return word | (uint64_t)pm_flag(entry, PM_SOFT_DIRTY_BIT) << PM_KPF_SOFTDIRTY |
	       (uint64_t)pm_flag(entry, PM_FILE_BIT) << PM_KPF_FILE |
	       (uint64_t)pm_flag(entry, PM_SWAPPED_BIT) << PM_KPF_SWAP |
	       (uint64_t)pm_flag(entry, PM_EXCLUSIVE_BIT) << PM_KPF_MMAP_EXCLUSIVE;
}

uint64_t pm_types_word(uint64_t word, uint64_t entry, uint32_t raw)
{
	if (raw)
		return expanded(word, entry);
	word = pm_known_flags(word) & ~INTERNAL;
	return pm_flag(word, PM_KPF_HUGE) ? word : word & ~COMPOUND;
}

/* The same, where the entry's kind stands in place of `swap` if it is in no swap area. */
static inline uint64_t word_of_kind(const struct pm_types_job *job, uint64_t word, uint64_t entry)
{
	uint32_t kind;

	word = pm_types_word(word, entry, job->raw);
	if (!job->kinds || pm_flag(entry, PM_PRESENT_BIT))
		return word;
	kind = pm_kind_of_absent(entry, job->kinds);
	if (kind < PM_ENTRY_GUARD || kind > PM_ENTRY_DEVICE)
		return word;
	return (word & ~PM_BIT(PM_KPF_SWAP)) | PM_BIT(PM_KPF_GUARD + (kind - PM_ENTRY_GUARD));
}

static int kept(const struct pm_types_job *job, uint64_t flags)
{
	for (uint64_t i = 0; i < job->filters_count; i++) {
		const struct pm_types_filter *filter = job->filters + i;
		const uint64_t found = flags & filter->mask;

		if (filter->any ? !found : found != filter->bits)
			return 0;
	}
	return 1;
}

/* Whether no page in the frame of this entry was counted before. */
static inline int first_sight(const struct pm_types_job *job, uint64_t entry)
{
	const uint64_t pfn = entry & PM_PLACE_MASK;
	uint64_t before;

	if (!job->seen || pfn >= job->seen_count || !pm_flag(entry, PM_PRESENT_BIT))
		return 1;
	/* the bit alone matters: nothing else is published with it */
	before = __atomic_fetch_or(job->seen + pfn / 64, PM_BIT(pfn % 64), __ATOMIC_RELAXED);
	return !(before >> pfn % 64 & 1);
}

/* Where the flags are in block->types, which gets them if it has them not. */
static struct pm_type *type_of(const struct pm_types_job *job, struct pm_types_block *block,
			       uint64_t flags)
{
	/* the top bits of a product depend on all bits of its factors */
	uint64_t slot = flags * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (;; slot++) {
		uint32_t *here = block->slots + (slot & (block->slots_count - 1));

		if (!*here) {
			block->types[block->found] =
				(struct pm_type){ flags, 0, 0, (uint64_t)kept(job, flags) };
			*here = (uint32_t)++block->found;
		}
		if (block->types[*here - 1].flags == flags)
			return block->types + (*here - 1);
	}
}

/* Count one page more of this type. */
static inline void count_page(const struct pm_types_job *job, struct pm_type *type, uint64_t entry)
{
	const int first = type->kept && first_sight(job, entry);

	if (job->once && !first)
		return;
	type->pages++;
	type->frames += first && pm_flag(entry, PM_PRESENT_BIT);
}

/* Drop the types that do not pass: there are few, so this is not done for each page. */
static void filter_types(struct pm_types_block *block)
{
	uint64_t passed = 0;

	for (uint64_t i = 0; i < block->found; i++)
		if (block->types[i].kept && block->types[i].pages)
			block->types[passed++] = block->types[i];
	block->found = passed;
}

/* The last row goes on with this page, or another begins. */
static void add_row(const struct pm_types_job *job, struct pm_types_block *block,
		    const struct pm_types_run *page)
{
	struct pm_types_run *last = block->rows + block->found - 1;

	if (job->list == PM_TYPES_ALIKE && block->found && last->flags == page->flags &&
	    last->swapped == page->swapped && last->cgroup == page->cgroup &&
	    last->mapcount == page->mapcount && last->pfn + last->count == page->pfn &&
	    last->place + last->count == page->place)
		last->count++;
	else
		block->rows[block->found++] = *page;
}

/* The row of page `i` of the block, which lies at `place`. */
static struct pm_types_run row_of(const struct pm_types_job *job,
				  const struct pm_types_block *block, uint64_t i, uint64_t place,
				  uint64_t flags)
{
	struct pm_types_run row = { .place = place, .count = 1, .flags = flags };

	if (!pm_flag(block->entries[i], PM_PRESENT_BIT)) {
		row.swapped = 1;
		row.pfn = (block->entries[i] & PM_PLACE_MASK) >> PM_SWAP_OFF_FROM;
		if (job->kinds &&
		    pm_kind_of_entry(block->entries[i], job->kinds) != PM_ENTRY_SWAP) {
			row.swapped = 2;
			row.pfn = place; /* it has none; so neighbours are alike */
		}
		return row;
	}
	row.pfn = block->pfns[i];
	row.mapcount = block->mapcounts ? block->mapcounts[i] : 0;
	row.cgroup = block->cgroups ? block->cgroups[i] : 0;
	return row;
}

/* Whether an entry is one that is asked for. */
static inline int is_asked_for(const struct pm_types_job *job, uint64_t entry)
{
	if ((entry & (job->all_of | job->none_of)) != job->all_of)
		return 0;
	return !job->kinds_wanted || (job->kinds_wanted >> pm_kind_of_entry(entry, job->kinds) & 1);
}

/* Whether page `i` of the block counts, -1: it is not known; *word becomes its word, 0 of a page in
 * swap. */
static inline int counts(const struct pm_types_job *job, struct pm_types_block *block, uint64_t i,
			 uint64_t *word)
{
	*word = 0;
	if (!is_asked_for(job, block->entries[i]))
		return 0;
	if (!pm_flag(block->entries[i], PM_PRESENT_BIT)) /* of no frame, so of no cgroup */
		return pm_flag(block->entries[i], PM_SWAPPED_BIT) && !job->by_cgroup;
	*word = block->flags[i];
	if (*word == PM_NO_VALUE || (job->by_cgroup && block->cgroups[i] == PM_NO_VALUE))
		return -1;
	return !job->by_cgroup || block->cgroups[i] == job->cgroup;
}

/* Count page `i`, of which the kernel tells nothing, or put it in a row. */
static void add_unknown(const struct pm_types_job *job, struct pm_types_block *block, uint64_t i,
			uint64_t place)
{
	const int first = !(job->list && !job->once) && first_sight(job, block->entries[i]);

	if (job->once && !first)
		return;
	block->unknown++;
	block->unknown_frames += (uint64_t)first;
	if (job->list) {
		struct pm_types_run row = row_of(job, block, i, place, PM_NO_VALUE);

		add_row(job, block, &row);
	}
}

/* Forget the types of the step before, as far as this step may look for them. */
static void clear_slots(struct pm_types_block *block, uint64_t pages)
{
	uint64_t slots = 2;

	while (slots <= pages && slots < block->slots_count)
		slots *= 2; /* a power of two above `pages`, as there are for the capacity */
	block->slots_count = slots;
	memset(block->slots, 0, slots * sizeof(*block->slots));
}

int64_t pm_types_settle(const struct pm_types_job *job, uint64_t runs_count,
			struct pm_types_block *block)
{
	const uint64_t slots = block->slots_count;
	struct pm_type *type = NULL;
	uint64_t i = 0, pages = 0, word;

	for (uint64_t run = 0; run < runs_count; run++)
		pages += block->runs[run].count;
	clear_slots(block, pages);
	block->found = block->unknown = block->unknown_frames = 0;
	for (uint64_t run = 0; run < runs_count; run++) {
		const struct pm_range *here = block->runs + run;

		for (uint64_t page = 0; page < here->count; page++, i++) {
			const uint64_t entry = block->entries[i];

			const int is = counts(job, block, i, &word);

			if (is < 0)
				add_unknown(job, block, i, here->vpn + page);
			if (is <= 0)
				continue;
			word = word_of_kind(job, word, entry);
			if (!job->list) {
				if (!type || type->flags != word)
					type = type_of(job, block, word);
				count_page(job, type, entry);
			} else if (kept(job, word) && (!job->once || first_sight(job, entry))) {
				struct pm_types_run row =
					row_of(job, block, i, here->vpn + page, word);

				add_row(job, block, &row);
			}
		}
	}
	block->looked = i;
	block->slots_count = slots;
	if (!job->list)
		filter_types(block);
	return (int64_t)block->found;
}
