/*
 * Frames drawn at random against a count frame by frame: what each is for, folios,
 * the allocator's blocks, aligned blocks and what is in them, cgroups; for steps
 * cut anywhere, on kernels that tell of a tail what they tell of its folio, and on
 * those that do not; with a file that is shorter than memory.
 */
#include "scene.h"
#include "analyses/memory.cdef.h"

enum { MEMORY = 1 << 14, MOST_ORDER = 6, LIST_ORDER = 4, LEAST_RUN = 16, SLOTS = 16 };

#define BIT(bit) (UINT64_C(1) << (bit))
#define HEAD	 BIT(15)
#define TAIL	 BIT(16)
#define FREE	 BIT(10)

struct what {
	uint64_t word;
	enum pm_memory_kind kind;
	enum pm_memory_kind without_ksm; /* where the flag KSM says nothing */
};

static const struct what what[] = {
	{ 0, PM_MEMORY_UNNAMED, PM_MEMORY_UNNAMED },
	{ BIT(11) | BIT(2), PM_MEMORY_UNNAMED, PM_MEMORY_UNNAMED },
	{ FREE, PM_MEMORY_FREE, PM_MEMORY_FREE },
	{ FREE | BIT(3) | BIT(12) | BIT(5), PM_MEMORY_FREE, PM_MEMORY_FREE },
	{ 0x5868, PM_MEMORY_ANON, PM_MEMORY_ANON },
	{ BIT(12), PM_MEMORY_ANON, PM_MEMORY_ANON }, /* taken off its list for a moment */
	{ 0x5868 | BIT(21), PM_MEMORY_KSM, PM_MEMORY_ANON },
	{ 0x5028 | BIT(13), PM_MEMORY_SWAPCACHE, PM_MEMORY_SWAPCACHE },
	{ 0x5828 | BIT(13), PM_MEMORY_ANON, PM_MEMORY_ANON },
	{ 0x4028 | BIT(13), PM_MEMORY_SWAPCACHE, PM_MEMORY_SWAPCACHE },
	{ 0x4038, PM_MEMORY_SHMEM, PM_MEMORY_SHMEM },
	{ 0x4838 | BIT(18) | BIT(33), PM_MEMORY_SHMEM, PM_MEMORY_SHMEM },
	{ 0x28, PM_MEMORY_FILE, PM_MEMORY_FILE },
	{ 0x87c, PM_MEMORY_FILE, PM_MEMORY_FILE },
	{ 0x128, PM_MEMORY_FILE, PM_MEMORY_FILE },
	{ BIT(17) | BIT(11), PM_MEMORY_HUGETLB, PM_MEMORY_HUGETLB },
	{ BIT(17) | BIT(3), PM_MEMORY_HUGETLB_IDLE, PM_MEMORY_HUGETLB_IDLE },
	{ BIT(24) | BIT(22), PM_MEMORY_ZERO, PM_MEMORY_ZERO },
	{ BIT(7), PM_MEMORY_SLAB, PM_MEMORY_SLAB },
	{ BIT(7) | BIT(12) | BIT(21) | BIT(5), PM_MEMORY_SLAB, PM_MEMORY_SLAB },
	{ BIT(26) | BIT(11), PM_MEMORY_PAGETABLES, PM_MEMORY_PAGETABLES },
	{ BIT(23), PM_MEMORY_OFFLINE, PM_MEMORY_OFFLINE },
	{ BIT(19) | BIT(4) | BIT(5), PM_MEMORY_POISONED, PM_MEMORY_POISONED },
	{ BIT(32), PM_MEMORY_RESERVED, PM_MEMORY_RESERVED },
	{ BIT(32) | BIT(24), PM_MEMORY_RESERVED, PM_MEMORY_RESERVED },
	{ BIT(20), PM_MEMORY_MISSING, PM_MEMORY_MISSING },
};
enum { WHAT = sizeof(what) / sizeof(*what) };

static uint64_t words[MEMORY], told[MEMORY]; /* as they are, and as the kernel has them */
static unsigned numbers[MEMORY];	     /* which of `what` a frame is */
static unsigned folio_orders[MEMORY];	     /* 0: it is in none */
static int ksm_told;

static uint64_t word_of(int fd, uint64_t pfn)
{
	return fd == LIE_FRAMES ? told[pfn] : pfn / 37 % 9 * 1000;
}

static enum pm_memory_kind kind_of(uint64_t pfn)
{
	const struct what *here = what + numbers[pfn];

	if (pfn >= lie.frames_end)
		return PM_MEMORY_MISSING;
	return ksm_told ? here->kind : here->without_ksm;
}

static int is_folio(enum pm_memory_kind kind)
{
	return kind != PM_MEMORY_FREE && kind != PM_MEMORY_RESERVED && kind != PM_MEMORY_MISSING;
}

static int cuts(uint64_t at, uint64_t count, uint64_t end)
{
	return at < end && at + count > end;
}

/*
 * Runs of frames that are alike, some in folios, of which none is cut by the end of the step
 * or of the file; `bare_tails`: their tails have few flags.
 */
static void draw_frames(uint64_t longest, uint64_t end, int bare_tails)
{
	const uint64_t of_tail = ~(uint64_t)(BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(13) |
					     BIT(14) | BIT(18) | BIT(33));

	tell_truth(MEMORY);
	lie.word = word_of;
	lie.frames_end = below(3) ? MEMORY : MEMORY - below(300);
	lie.interrupt = (unsigned)below(2);
	lie.most = below(2) ? 0 : 8 + below(9000);
	for (uint64_t at = 0; at < MEMORY;) {
		const unsigned number = below(3) ? 2 : (unsigned)below(WHAT);
		unsigned order = is_folio(what[number].kind) ? (unsigned)below(8) : 0;
		uint64_t count = 1 + below(longest);

		while (order && (at & (BIT(order) - 1) || cuts(at, BIT(order), end) ||
				 cuts(at, BIT(order), lie.frames_end)))
			order--;
		if (order)
			count = BIT(order);
		for (uint64_t i = 0; i < count && at < MEMORY; i++, at++) {
			numbers[at] = number;
			folio_orders[at] = order;
			words[at] = what[number].word;
			told[at] = words[at];
			if (order && i && bare_tails)
				told[at] &= of_tail;
			if (order)
				told[at] |= i ? TAIL : HEAD;
		}
	}
}

static void check_kinds(const struct pm_memory_sums *got, uint64_t start, uint64_t end)
{
	struct pm_memory_sums wanted = { 0 };

	for (uint64_t pfn = start; pfn < end; pfn++) {
		const enum pm_memory_kind kind = kind_of(pfn);
		const uint64_t word = words[pfn], user = kind <= PM_MEMORY_SHMEM;
		const uint64_t mapped = word & BIT(11) && !(word & (BIT(10) | BIT(7) | BIT(26)));
		const uint64_t lru = word & BIT(5) && !(word & BIT(18));
		uint64_t *marks = wanted.marks[kind];

		wanted.frames[kind]++;
		if (pfn >= lie.frames_end)
			continue;
		marks[PM_MEMORY_MAPPED] += mapped;
		marks[PM_MEMORY_ACTIVE] += user && lru && word & BIT(6);
		marks[PM_MEMORY_INACTIVE] += user && lru && !(word & BIT(6));
		marks[PM_MEMORY_UNEVICTABLE] += user && word & BIT(18);
		marks[PM_MEMORY_LOCKED] += user && word & BIT(33);
		marks[PM_MEMORY_DIRTY] += user && word & BIT(4);
		marks[PM_MEMORY_WRITEBACK] += user && word & BIT(8);
		marks[PM_MEMORY_SWAP] += user && word & BIT(13);
		marks[PM_MEMORY_THP] += user && folio_orders[pfn];
		if (folio_orders[pfn])
			wanted.folios[kind][folio_orders[pfn]]++;
	}
	for (unsigned kind = 0; kind < PM_MEMORY_KINDS; kind++) {
		CHECK_EQUAL(got->frames[kind], wanted.frames[kind]);
		for (unsigned mark = 0; mark < PM_MEMORY_MARKS; mark++)
			CHECK_EQUAL(got->marks[kind][mark], wanted.marks[kind][mark]);
		for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++)
			CHECK_EQUAL(got->folios[kind][order], wanted.folios[kind][order]);
	}
}

/* The allocator, played: every free frame is freed, and joined with its buddy while that is free. */
static void check_buddies(const struct pm_memory_sums *got, uint64_t start, uint64_t end)
{
	static int8_t free_orders[MEMORY];
	uint64_t wanted[PM_MEMORY_ORDERS] = { 0 };

	memset(free_orders, -1, sizeof(free_orders));
	for (uint64_t pfn = start; pfn < end; pfn++) {
		uint64_t at = pfn;
		int8_t order = 0;

		if (kind_of(pfn) != PM_MEMORY_FREE)
			continue;
		for (; order < MOST_ORDER; order++) {
			const uint64_t buddy = at ^ BIT(order);

			if (buddy < start || buddy >= end || free_orders[buddy] != order)
				break;
			free_orders[buddy] = -1;
			at &= buddy;
		}
		free_orders[at] = order;
	}
	for (uint64_t pfn = start; pfn < end; pfn++)
		if (free_orders[pfn] >= 0)
			wanted[free_orders[pfn]]++;
	for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++)
		CHECK_EQUAL(got->buddies[order], wanted[order]);
}

static void check_blocks(const struct pm_memory_sums *got, const struct pm_memory_scratch *lists,
			 uint64_t start, uint64_t end)
{
	uint64_t listed = 0;

	for (unsigned order = 0; order < PM_MEMORY_ORDERS; order++) {
		uint64_t all = 0, are_free = 0, are_open = 0, with[PM_MEMORY_KINDS] = { 0 };

		for (uint64_t at = 0; at + BIT(order) <= end; at += BIT(order)) {
			uint32_t frames[PM_MEMORY_KINDS] = { 0 };
			uint64_t stay = 0;

			if (at < start)
				continue;
			for (uint64_t pfn = at; pfn < at + BIT(order); pfn++)
				frames[kind_of(pfn)]++;
			for (unsigned kind = 0; kind < PM_MEMORY_KINDS; kind++) {
				const uint64_t stays = kind > PM_MEMORY_SHMEM &&
						       kind != PM_MEMORY_FREE;

				stay += stays && frames[kind];
				with[kind] += stays && frames[kind];
			}
			all++;
			are_open += !stay;
			are_free += frames[PM_MEMORY_FREE] == BIT(order);
			if (order != LIST_ORDER || frames[PM_MEMORY_FREE] == BIT(order))
				continue;
			CHECK(listed < lists->blocks_count);
			CHECK_EQUAL(lists->blocks[listed].pfn, at);
			CHECK(!memcmp(lists->blocks[listed].frames, frames, sizeof(frames)));
			listed++;
		}
		CHECK_EQUAL(got->blocks[order], all);
		CHECK_EQUAL(got->free_blocks[order], are_free);
		CHECK_EQUAL(got->open_blocks[order], are_open);
		for (unsigned kind = 0; kind < PM_MEMORY_KINDS; kind++)
			CHECK_EQUAL(got->blocks_with[order][kind], with[kind]);
	}
	CHECK_EQUAL(lists->blocks_count, listed);
}

static void check_runs(const struct pm_memory_scratch *lists, uint64_t start, uint64_t end)
{
	uint64_t listed = 0;

	for (uint64_t pfn = start; pfn < end;) {
		const uint64_t from = pfn;

		while (pfn < end && kind_of(pfn) == PM_MEMORY_FREE)
			pfn++;
		if (pfn - from >= LEAST_RUN || (pfn > from && (from == start || pfn == end))) {
			CHECK(listed < lists->runs_count);
			CHECK_EQUAL(lists->runs[listed].vpn, from);
			CHECK_EQUAL(lists->runs[listed++].count, pfn - from);
		}
		pfn += pfn == from;
	}
	CHECK_EQUAL(lists->runs_count, listed);
}

static void check_cgroups(const struct pm_memory_scratch *lists, uint64_t start, uint64_t end)
{
	uint64_t used = 0;

	for (uint64_t slot = 0; slot < lists->slots_count; slot++) {
		uint64_t wanted[PM_MEMORY_KINDS] = { 0 };

		if (!lists->slots[slot].key)
			continue;
		used++;
		for (uint64_t pfn = start; pfn < end; pfn++)
			if (kind_of(pfn) != PM_MEMORY_MISSING &&
			    word_of(0, pfn) + 1 == lists->slots[slot].key)
				wanted[kind_of(pfn)]++;
		for (unsigned kind = 0; kind < PM_MEMORY_KINDS; kind++)
			CHECK_EQUAL(lists->slots[slot].frames[kind], wanted[kind]);
	}
	CHECK_EQUAL(used, lists->slots_used);
}

static struct pm_memory_scratch make_scratch(uint64_t frames)
{
	struct pm_memory_scratch scratch = {
		.words = exactly(PM_READ_BLOCK * sizeof(uint64_t)),
		.cgroups = exactly(PM_READ_BLOCK * sizeof(uint64_t)),
		.slots = exactly(SLOTS * sizeof(struct pm_memory_cgroup)),
		.slots_count = SLOTS,
		.blocks_capacity = (frames >> LIST_ORDER) + 1,
		.runs_capacity = frames / (LEAST_RUN + 1) + 2,
	};

	memset(scratch.slots, 0, SLOTS * sizeof(struct pm_memory_cgroup));
	scratch.blocks = exactly(scratch.blocks_capacity * sizeof(struct pm_memory_block));
	scratch.runs = exactly(scratch.runs_capacity * sizeof(struct pm_range));
	return scratch;
}

static void free_scratch(const struct pm_memory_scratch *scratch)
{
	free(scratch->words);
	free(scratch->cgroups);
	free(scratch->slots);
	free(scratch->blocks);
	free(scratch->runs);
}

static struct pm_memory_job make_job(void)
{
	return (struct pm_memory_job){
		.flags_fd = LIE_FRAMES,
		.cgroup_fd = LIE_FRAMES + 2,
		.ksm_told = (uint32_t)ksm_told,
		.buddy_order = MOST_ORDER,
		.block_order = LIST_ORDER,
		.least_run = LEAST_RUN,
	};
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(120); round++) {
		const uint64_t start = below(MEMORY / 128) * 128;
		const uint64_t end = start + 1 + below(MEMORY - start);
		struct pm_memory_scratch scratch = make_scratch(end - start);
		struct pm_memory_job job;
		struct pm_memory_sums got = { 0 }, twice = { 0 };

		ksm_told = (int)below(2);
		job = make_job();
		draw_frames(1 + below(below(2) ? 8 : 700), end, (int)below(2));
		CHECK_EQUAL(pm_memory_walk(&job, start, end, &scratch, &got), end - start);
		check_kinds(&got, start, end);
		check_buddies(&got, start, end);
		check_blocks(&got, &scratch, start, end);
		check_runs(&scratch, start, end);
		check_cgroups(&scratch, start, end);
		pm_memory_add(&got, &twice);
		pm_memory_add(&got, &twice);
		CHECK_EQUAL(twice.frames[PM_MEMORY_FREE], 2 * got.frames[PM_MEMORY_FREE]);
		CHECK_EQUAL(twice.blocks_with[PM_MEMORY_ORDERS - 1][PM_MEMORY_MISSING],
			    2 * got.blocks_with[PM_MEMORY_ORDERS - 1][PM_MEMORY_MISSING]);
		free_scratch(&scratch);
	}
}

static void fails(void)
{
	struct pm_memory_job job = make_job();
	struct pm_memory_scratch scratch = make_scratch(MEMORY);
	struct pm_memory_sums got = { 0 };

	draw_frames(3, MEMORY, 0);
	lie.frames_end = MEMORY;
	CHECK_EQUAL(pm_memory_walk(&job, 7, 7, &scratch, &got), 0);
	scratch.slots_count = 8; /* nine cgroups */
	CHECK_EQUAL(pm_memory_walk(&job, 0, MEMORY, &scratch, &got), -ENOSPC);
	job.cgroup_fd = -1;
	scratch.blocks_count = scratch.runs_count = 0;
	scratch.blocks_capacity = 3;
	CHECK_EQUAL(pm_memory_walk(&job, 0, MEMORY, &scratch, &got), -ENOSPC);
	scratch.blocks = NULL; /* none are asked for */
	scratch.runs_count = 0;
	scratch.runs_capacity = 0;
	for (uint64_t pfn = 0; pfn < MEMORY; pfn++)
		told[pfn] = FREE;
	CHECK_EQUAL(pm_memory_walk(&job, 0, MEMORY, &scratch, &got), -ENOSPC);
	lie.word_error = EPERM;
	lie.word_error_of = LIE_FRAMES;
	CHECK_EQUAL(pm_memory_walk(&job, 0, MEMORY, &scratch, &got), -EPERM);
	lie.word_error_of = LIE_FRAMES + 2;
	job.cgroup_fd = LIE_FRAMES + 2;
	CHECK_EQUAL(pm_memory_walk(&job, 0, MEMORY, &scratch, &got), -EPERM);
	scratch.blocks = NULL;
	free_scratch(&scratch);
}

/* A frame by itself: what its word says, whatever it is a part of. */
static void one_frame(void)
{
	for (unsigned i = 0; i < WHAT; i++) {
		CHECK_EQUAL(pm_memory_kind_of(what[i].word, 1), what[i].kind);
		CHECK_EQUAL(pm_memory_kind_of(what[i].word | HEAD, 0), what[i].without_ksm);
		CHECK_EQUAL(pm_memory_kind_of(what[i].word | TAIL, 0), what[i].without_ksm);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (!PM_FUZZED)
		fails();
	one_frame();
	return 0;
}
