/*
 * All frames of the machine, by what they are for: one pass over /proc/kpageflags.
 *
 * The kernel takes 70-140 ns for a word, a cache miss of the frame's struct page. Neighbours
 * are mostly alike, so what is done for a run of equal words costs next to nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "analyses/memory.h"
#include "kernel/core.h"
#include "kernel/kpage_flags.h"

#define COMPOUND (PM_BIT(PM_KPF_COMPOUND_HEAD) | PM_BIT(PM_KPF_COMPOUND_TAIL))

/*
 * What the first frame of a folio says of all of it. Since 6.10 the kernel gives a tail
 * the flags of its folio; before, it looked for most of them in the tail itself, where
 * they are never set (stable_page_flags in fs/proc/page.c).
 */
#define OF_FOLIO                                                                       \
	(PM_BIT(PM_KPF_UPTODATE) | PM_BIT(PM_KPF_DIRTY) | PM_BIT(PM_KPF_LRU) |         \
	 PM_BIT(PM_KPF_ACTIVE) | PM_BIT(PM_KPF_WRITEBACK) | PM_BIT(PM_KPF_SWAPCACHE) | \
	 PM_BIT(PM_KPF_SWAPBACKED) | PM_BIT(PM_KPF_UNEVICTABLE) | PM_BIT(PM_KPF_MLOCKED))

/* A walk: the run of equal words that it is in, and the compound page. */
struct walk {
	const struct pm_memory_job *job;
	struct pm_memory_scratch *scratch;
	struct pm_memory_sums *out;
	struct pm_memory_place place;
	uint64_t word; /* of the run; without COMPOUND */
	uint64_t cgroup;
	uint64_t run_from;
	uint64_t folio_from;
	uint64_t folio_flags; /* OF_FOLIO of its first frame */
	enum pm_memory_kind folio_kind;
	int in_folio;
};

/* Whether frames are counted by cgroup, or by group. */
static inline int has_keys(const struct pm_memory_job *job)
{
	return job->cgroup_fd >= 0 || job->groups;
}

static inline int has(uint64_t word, enum pm_kpf bit)
{
	return (int)(word >> bit & 1);
}

/* What a frame is for that reclaim knows, or that is mapped. */
static enum pm_memory_kind kind_of_user(const struct pm_memory_job *job, uint64_t word)
{
	if (has(word, PM_KPF_SWAPCACHE) && !has(word, PM_KPF_MMAP))
		return PM_MEMORY_SWAPCACHE;
	if (has(word, PM_KPF_ANONYMOUS))
		return has(word, PM_KPF_KSM) && job->ksm_told ? PM_MEMORY_KSM : PM_MEMORY_ANON;
	if (!has(word, PM_KPF_LRU) && !has(word, PM_KPF_UNEVICTABLE))
		return PM_MEMORY_UNNAMED; /* mapped or not: the vDSO, buffers of drivers */
	return has(word, PM_KPF_SWAPBACKED) ? PM_MEMORY_SHMEM : PM_MEMORY_FILE;
}

/* `word` is without the flags that mean nothing in it. */
static enum pm_memory_kind kind_of(const struct pm_memory_job *job, uint64_t word)
{
	if (has(word, PM_KPF_NOPAGE))
		return PM_MEMORY_MISSING;
	if (has(word, PM_KPF_RESERVED))
		return PM_MEMORY_RESERVED;
	if (word & (PM_BIT(PM_KPF_HWPOISON) | PM_BIT(PM_KPF_OFFLINE)))
		return has(word, PM_KPF_HWPOISON) ? PM_MEMORY_POISONED : PM_MEMORY_OFFLINE;
	if (has(word, PM_KPF_BUDDY))
		return PM_MEMORY_FREE;
	if (has(word, PM_KPF_SLAB))
		return PM_MEMORY_SLAB;
	if (has(word, PM_KPF_PGTABLE))
		return PM_MEMORY_PAGETABLES;
	if (has(word, PM_KPF_HUGE))
		return has(word, PM_KPF_MMAP) ? PM_MEMORY_HUGETLB : PM_MEMORY_HUGETLB_IDLE;
	if (has(word, PM_KPF_ZERO_PAGE))
		return PM_MEMORY_ZERO;
	return kind_of_user(job, word);
}

enum pm_memory_kind pm_memory_kind_of(uint64_t word, uint32_t ksm_told)
{
	const struct pm_memory_job job = { .ksm_told = ksm_told };

	return kind_of(&job, pm_known_flags(word & ~COMPOUND));
}

static void add_marks(enum pm_memory_kind kind, uint64_t word, uint64_t count, uint64_t *marks)
{
	const int lru = has(word, PM_KPF_LRU), active = has(word, PM_KPF_ACTIVE);
	const int unevictable = has(word, PM_KPF_UNEVICTABLE);

	marks[PM_MEMORY_MAPPED] += has(word, PM_KPF_MMAP) ? count : 0;
	if (!pm_memory_is_movable(kind)) /* what is left of its last use */
		return;
	marks[PM_MEMORY_ACTIVE] += lru && active && !unevictable ? count : 0;
	marks[PM_MEMORY_INACTIVE] += lru && !active && !unevictable ? count : 0;
	marks[PM_MEMORY_UNEVICTABLE] += unevictable ? count : 0;
	marks[PM_MEMORY_LOCKED] += word & PM_BIT(PM_KPF_MLOCKED) ? count : 0;
	marks[PM_MEMORY_DIRTY] += has(word, PM_KPF_DIRTY) ? count : 0;
	marks[PM_MEMORY_WRITEBACK] += has(word, PM_KPF_WRITEBACK) ? count : 0;
	marks[PM_MEMORY_SWAP] += has(word, PM_KPF_SWAPCACHE) ? count : 0;
}

/* Add to the frames of a cgroup; its slot is found by its number, or taken. */
static int add_to_cgroup(struct pm_memory_scratch *scratch, uint64_t inode,
			 enum pm_memory_kind kind, uint64_t count)
{
	const uint64_t mask = scratch->slots_count - 1, key = inode + 1;
	/* the top bits of a product depend on all bits of its factors */
	uint64_t slot = key * UINT64_C(0x9e3779b97f4a7c15) >> 32 & mask;

	while (scratch->slots[slot].key && scratch->slots[slot].key != key)
		slot = (slot + 1) & mask;
	if (!scratch->slots[slot].key) {
		if (scratch->slots_used >= scratch->slots_count / 4 * 3)
			return -ENOSPC;
		scratch->slots_used++;
		scratch->slots[slot].key = key;
	}
	scratch->slots[slot].frames[kind] += count;
	return 0;
}

/* The run of equal words ends before frame `to`. */
static int end_run(struct walk *walk, uint64_t to)
{
	const uint64_t count = to - walk->run_from, word = pm_known_flags(walk->word);
	const enum pm_memory_kind kind = kind_of(walk->job, word);
	int failed = 0;

	if (!count)
		return 0;
	walk->out->frames[kind] += count;
	add_marks(kind, word, count, walk->out->marks[kind]);
	if (has_keys(walk->job) && kind != PM_MEMORY_MISSING)
		failed = add_to_cgroup(walk->scratch, walk->cgroup, kind, count);
	if (!failed)
		failed = pm_memory_blocks_add(walk->job, &walk->place, kind, walk->run_from, to,
					      walk->scratch, walk->out);
	walk->run_from = to;
	return failed;
}

/* The compound page ends before frame `to`. */
static void end_folio(struct walk *walk, uint64_t to)
{
	const uint64_t count = to - walk->folio_from;
	unsigned order = 63 - (unsigned)__builtin_clzll(count);

	if (order >= PM_MEMORY_ORDERS)
		order = PM_MEMORY_ORDERS - 1;
	if (order) {
		walk->out->folios[walk->folio_kind][order] += count;
		if (pm_memory_is_movable(walk->folio_kind))
			walk->out->marks[walk->folio_kind][PM_MEMORY_THP] += count;
	}
	walk->in_folio = 0;
	walk->folio_flags = 0;
}

/* The word of frame `pfn`, with what is known of the compound page that it is in. */
static inline uint64_t in_compound(struct walk *walk, uint64_t pfn, uint64_t word)
{
	if (walk->in_folio && !has(word, PM_KPF_COMPOUND_TAIL))
		end_folio(walk, pfn);
	if (has(word, PM_KPF_COMPOUND_HEAD)) {
		walk->in_folio = 1;
		walk->folio_from = pfn;
		walk->folio_flags = word & OF_FOLIO;
		walk->folio_kind = kind_of(walk->job, pm_known_flags(word));
	}
	return (word | walk->folio_flags) & ~COMPOUND;
}

static int add_words(struct walk *walk, uint64_t pfn, uint64_t count)
{
	const uint64_t *words = walk->scratch->words;
	const uint64_t *cgroups = has_keys(walk->job) ? walk->scratch->cgroups : NULL;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t cgroup = cgroups ? cgroups[i] : 0;
		uint64_t word = words[i];
		int failed;

		if (word & COMPOUND || walk->in_folio)
			word = in_compound(walk, pfn + i, word);
		if (word == walk->word && cgroup == walk->cgroup)
			continue;
		failed = end_run(walk, pfn + i);
		if (failed)
			return failed;
		walk->word = word;
		walk->cgroup = cgroup;
	}
	return 0;
}

static void read_groups(const struct walk *walk, uint64_t pfn, uint64_t count)
{
	const struct pm_memory_job *job = walk->job;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t at = pfn + i - job->groups_from;

		walk->scratch->cgroups[i] = at < job->groups_count ? job->groups[at] : 0;
	}
}

/* Read the words of `count` frames; those that there are not become NOPAGE. */
static int read_words(const struct walk *walk, uint64_t pfn, uint64_t count)
{
	struct pm_memory_scratch *scratch = walk->scratch;
	int64_t got = pm_read(walk->job->flags_fd, pfn, count, scratch->words);

	if (got < 0)
		return (int)got;
	for (uint64_t i = (uint64_t)got; i < count; i++)
		scratch->words[i] = PM_BIT(PM_KPF_NOPAGE);
	if (walk->job->groups)
		read_groups(walk, pfn, count);
	if (walk->job->cgroup_fd < 0 || walk->job->groups)
		return 0;
	got = pm_read(walk->job->cgroup_fd, pfn, count, scratch->cgroups);
	if (got < 0)
		return (int)got;
	memset(scratch->cgroups + got, 0, (count - (uint64_t)got) * sizeof(*scratch->cgroups));
	return 0;
}

int64_t pm_memory_walk(const struct pm_memory_job *job, uint64_t start, uint64_t end,
		       struct pm_memory_scratch *scratch, struct pm_memory_sums *out)
{
	struct walk walk = {
		.job = job,
		.scratch = scratch,
		.out = out,
		.run_from = start,
		.place = { start, end, start, start, { 0 }, { 0 } },
	};
	int failed = 0;

	if (start >= end)
		return 0;
	memset(walk.place.last_of_kind, 0xff, sizeof(walk.place.last_of_kind));
	for (uint64_t pfn = start; pfn < end && !failed;) {
		const uint64_t rest = end - pfn;
		const uint64_t count = rest < PM_READ_BLOCK ? rest : PM_READ_BLOCK;

		failed = read_words(&walk, pfn, count);
		if (!failed)
			failed = add_words(&walk, pfn, count);
		pfn += count;
	}
	if (!failed)
		failed = end_run(&walk, end);
	if (walk.in_folio)
		end_folio(&walk, end);
	if (!failed)
		failed = pm_memory_blocks_end(job, &walk.place, scratch, out);
	return failed ? failed : (int64_t)(end - start);
}
