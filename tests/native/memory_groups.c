/*
 * Frames by the group that maps them: claimed by stretches, and counted by kind, against
 * plain loops over each frame.
 */
#include "scene.h"
#include "analyses/memory.cdef.h"

enum { FRAMES = 3000, FIRST = 500, GROUPS = 5, SLOTS = 16, ANON = 12, MAPPED = 11, BUDDY = 10 };

static uint32_t wanted[FRAMES];

static void claim(uint32_t *groups, uint32_t group)
{
	static struct pm_stretch stretches[FRAMES + 2];
	uint64_t count = 0;

	stretches[count++] = (struct pm_stretch){ FIRST - 7, 7, 0 };
	for (uint64_t frame = below(30); frame < FRAMES; frame += below(60)) {
		uint64_t run = 1 + below(40);

		if (run > FRAMES - frame)
			run = FRAMES - frame;
		stretches[count++] = (struct pm_stretch){ FIRST + frame, (uint32_t)run, 0 };
		for (; run; run--, frame++)
			wanted[frame] = !wanted[frame] || wanted[frame] == group
						? group
						: PM_MEMORY_SEVERAL;
	}
	stretches[count++] = (struct pm_stretch){ FIRST + FRAMES, 9, 0 };
	pm_memory_claim(groups, FIRST, FRAMES, stretches, count, group);
	pm_memory_claim(groups, FIRST, FRAMES, stretches, below(2) ? count : 0, group); /* twice */
}

/* Every third frame is free, every second of the others anonymous, the rest of files. */
static uint64_t flags_of(uint64_t pfn)
{
	const uint64_t lru = UINT64_C(1) << 5 | UINT64_C(1) << MAPPED;

	if (pfn % 3 == 0)
		return UINT64_C(1) << BUDDY;
	return pfn % 2 ? lru | UINT64_C(1) << ANON : lru;
}

static void check_frames(const struct pm_memory_scratch *scratch, uint64_t start, uint64_t end)
{
	uint64_t frames[PM_MEMORY_FIRST_GROUP + GROUPS][PM_MEMORY_KINDS] = { 0 };

	for (uint64_t pfn = start; pfn < end; pfn++) {
		const uint32_t group = pfn >= FIRST && pfn - FIRST < FRAMES ? wanted[pfn - FIRST]
									    : 0;

		frames[group][pm_memory_kind_of(flags_of(pfn), 1)]++;
	}
	for (uint64_t i = 0; i < scratch->slots_count; i++) {
		const struct pm_memory_cgroup *slot = scratch->slots + i;

		for (unsigned kind = 0; slot->key && kind < PM_MEMORY_KINDS; kind++) {
			CHECK_EQUAL(slot->frames[kind], frames[slot->key - 1][kind]);
			frames[slot->key - 1][kind] = 0;
		}
	}
	for (unsigned group = 0; group < PM_MEMORY_FIRST_GROUP + GROUPS; group++)
		for (unsigned kind = 0; kind < PM_MEMORY_KINDS; kind++)
			CHECK_EQUAL(frames[group][kind], 0);
}

static void drawn(void)
{
	const uint64_t start = below(FIRST + 200), end = FIRST + FRAMES - 100 + below(200);
	uint32_t *groups = exactly(FRAMES * 4);
	struct pm_memory_scratch scratch = { .words = exactly(PM_READ_BLOCK * 8),
					     .cgroups = exactly(PM_READ_BLOCK * 8),
					     .slots = exactly(SLOTS * sizeof(*scratch.slots)),
					     .slots_count = SLOTS };
	const struct pm_memory_job job = { .flags_fd = 3,
					   .cgroup_fd = -1,
					   .ksm_told = 1,
					   .buddy_order = 10,
					   .groups = groups,
					   .groups_from = FIRST,
					   .groups_count = FRAMES };
	struct pm_memory_sums got = { 0 };

	memset(groups, 0, FRAMES * 4);
	memset(wanted, 0, sizeof(wanted));
	memset(scratch.slots, 0, SLOTS * sizeof(*scratch.slots));
	for (uint32_t group = 0; group < GROUPS; group++)
		claim(groups, PM_MEMORY_FIRST_GROUP + group);
	for (uint64_t frame = 0; frame < FRAMES; frame++)
		CHECK_EQUAL(groups[frame], wanted[frame]);
	tell_truth(FIRST + FRAMES + 200);
	lie.entry = flags_of;
	CHECK_EQUAL(pm_memory_walk(&job, start, end, &scratch, &got), end - start);
	check_frames(&scratch, start, end);
	free(scratch.words);
	free(scratch.cgroups);
	free(scratch.slots);
	free(groups);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(100); round++)
		drawn();
	return 0;
}
