/*
 * Frames and the processes that map them: what the tree of sets tells, added up by
 * plain loops over a matrix of processes and frames.
 */
#include "scene.h"
#include "walk/spans.cdef.h"
#include "analyses/owners.cdef.h"
#include "analyses/sharing.h"

enum { FRAMES = 5000, MOST_MEMBERS = 12, LABELS = 3, FIRST = 1000, KSM = 21, ANON = 12 };

/* maps[member][frame]: the label that it maps the frame as, and 1; 0: it does not. */
static uint8_t maps[MOST_MEMBERS][FRAMES];
static uint32_t members;
static uint8_t doubled[FRAMES]; /* 1 + the member that maps it twice, the last one */
static uint64_t alone[MOST_MEMBERS];

static struct pm_sharing sharing;

static void make(uint32_t capacity)
{
	sharing = (struct pm_sharing){ .first = FIRST,
				       .count = FRAMES,
				       .sets_capacity = capacity,
				       .sets_count = PM_FIRST_SET,
				       .labels = LABELS,
				       .end = FIRST + FRAMES,
				       .buckets_mask = 1,
				       .ignored = below(2) ? UINT64_C(1) << KSM : 0 };
	while (sharing.buckets_mask + 1 < 2 * capacity)
		sharing.buckets_mask = 2 * sharing.buckets_mask + 1;
	sharing.table = exactly(FRAMES * 4);
	sharing.touched = exactly(FRAMES / PM_TOUCHED + 1);
	sharing.sets = exactly(capacity * sizeof(struct pm_set));
	sharing.buckets = exactly((sharing.buckets_mask + 1) * 4);
	memset(sharing.table, 0, FRAMES * 4);
	memset(sharing.touched, 0, FRAMES / PM_TOUCHED + 1);
	memset(sharing.sets, 0, PM_FIRST_SET * sizeof(struct pm_set));
	sharing.sets[PM_UNTOLD_ONE].size = 1;
	sharing.sets[PM_UNTOLD_SEVERAL].size = 2;
	sharing.alone = below(3) ? alone : NULL;
	memset(alone, 0, sizeof(alone));
	sharing.merged = exactly(LABELS * 8);
	memset(sharing.merged, 0, LABELS * 8);
	memset(doubled, 0, sizeof(doubled));
	memset(sharing.buckets, 0, (sharing.buckets_mask + 1) * 4);
}

static void unmake(void)
{
	free(sharing.table);
	free(sharing.touched);
	free(sharing.sets);
	free(sharing.buckets);
	free(sharing.merged);
}

/* Twice the room for sets, as its caller must make it. */
static void grow(void)
{
	const struct pm_sharing old = sharing;

	sharing.sets_capacity *= 2;
	sharing.buckets_mask = 2 * old.buckets_mask + 1;
	sharing.sets = exactly(sharing.sets_capacity * sizeof(struct pm_set));
	memcpy(sharing.sets, old.sets, old.sets_count * sizeof(struct pm_set));
	sharing.buckets = exactly((sharing.buckets_mask + 1) * 4);
	memset(sharing.buckets, 0, (sharing.buckets_mask + 1) * 4);
	pm_sharing_rehash(&sharing);
	free(old.sets);
	free(old.buckets);
}

/* Add a member, in stretches of any length, some of them twice, and frames that are none. */
static void add(uint32_t member, uint32_t join)
{
	static struct pm_stretch stretches[2 * FRAMES + 4];
	static uint32_t labels[LABELS] = { 0, 1, 2 };
	struct pm_place at = { 0, 0 };
	uint64_t count = 0;

	stretches[count++] = (struct pm_stretch){ FIRST - 9, 9, 0 };
	for (uint64_t frame = 0; frame < FRAMES;) {
		uint8_t label = maps[member][frame];
		uint64_t end = frame + 1;

		while (end < FRAMES && maps[member][end] == label && below(50))
			end++;
		if (label)
			stretches[count++] = (struct pm_stretch){ FIRST + frame,
								  (uint32_t)(end - frame),
								  label - 1u };
		if (label && !below(20)) {
			stretches[count] = stretches[count - 1];
			count++;
			memset(doubled + frame, (int)member + 1, end - frame);
		}
		frame = end;
	}
	stretches[count++] = (struct pm_stretch){ FIRST + FRAMES, 5, 0 };
	while (pm_sharing_add(&sharing, stretches, count, labels, member, join, &at))
		grow();
}

static int is_in(uint32_t member, uint64_t frame, uint32_t targets)
{
	/* with targets, a frame counts where one of them has it */
	if (!maps[member][frame])
		return 0;
	for (uint32_t i = 0; i < targets; i++)
		if (maps[i][frame])
			return 1;
	return !targets;
}

static uint32_t size_of(uint64_t frame, uint32_t targets)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < members; i++)
		size += (uint32_t)is_in(i, frame, targets);
	return size;
}

/* Folios, as older kernels show them: of a tail only that it is one, and mapped. */
enum {
	SHMEM = 1536, /* 512 frames of a tmpfs */
	SMALL = 2048, /* 4 frames of a file */
	SPLIT = 2097, /* a tail whose head became a page of its own meanwhile */
	NEWER = 2112, /* 16 frames; each tells what its folio is */
	VALID = 3,
	MAPPED = 11,
	SWAPBACKED = 14,
	HEAD = 15,
	TAIL = 16,
	SLAB = 7,
	HUGE = 17,
	RESERVED = 32,
};

static uint64_t bits(unsigned one, unsigned two, unsigned three)
{
	return UINT64_C(1) << MAPPED | UINT64_C(1) << one | UINT64_C(1) << two |
	       UINT64_C(1) << three;
}

/*
 * What the file of flags says: every third frame is anonymous, every seventh of KSM, and
 * every eleventh is of nobody any more: free, in the page cache alone, of the pool of
 * hugetlb, or of the slab allocator, which may look as if it were merged.
 */
static int is_left(uint64_t pfn)
{
	return pfn % 11 == 0 && (pfn < SHMEM || pfn > NEWER + 16);
}

/* The kernel's own, which is mapped without being counted. */
static int is_kernels(uint64_t pfn)
{
	return pfn % 13 == 0 && !is_left(pfn) && (pfn < SHMEM || pfn > NEWER + 16);
}

static uint64_t flags_of(uint64_t pfn)
{
	static const uint64_t left[] = { 0, UINT64_C(1) << VALID | UINT64_C(1) << SWAPBACKED,
					 UINT64_C(1) << HUGE,
					 UINT64_C(1) << SLAB | UINT64_C(1) << MAPPED |
						 UINT64_C(1) << ANON | UINT64_C(1) << KSM };

	if (is_left(pfn))
		return left[pfn / 11 % 4];
	if (is_kernels(pfn))
		return UINT64_C(1) << RESERVED;
	if (pfn == SHMEM)
		return bits(VALID, HEAD, SWAPBACKED);
	if (pfn == SMALL)
		return bits(VALID, HEAD, HEAD);
	if (pfn == NEWER)
		return bits(VALID, HEAD, SWAPBACKED);
	if (pfn > NEWER && pfn < NEWER + 16)
		return bits(VALID, TAIL, TAIL); /* a contradiction: it is to be believed */
	if ((pfn > SHMEM && pfn < SHMEM + 512) || (pfn > SMALL && pfn < SMALL + 4) || pfn == SPLIT)
		return bits(TAIL, TAIL, TAIL);
	return UINT64_C(1) << MAPPED | (pfn % 3 ? 0 : UINT64_C(1) << ANON) |
	       (pfn % 7 ? 0 : UINT64_C(1) << KSM);
}

static unsigned kind_of(uint64_t pfn)
{
	if ((pfn >= SHMEM && pfn < SHMEM + 512) || pfn == NEWER)
		return PM_KIND_SHMEM;
	if ((pfn >= SMALL && pfn < SMALL + 4) || (pfn > NEWER && pfn < NEWER + 16) || pfn == SPLIT)
		return PM_KIND_FILE;
	if (is_kernels(pfn))
		return PM_KIND_OTHER;
	if (pfn % 7 == 0 && !sharing.ignored)
		return PM_KIND_KSM;
	return pfn % 3 ? PM_KIND_FILE : PM_KIND_ANONYMOUS;
}

/* Whether it counts: several map it, or KSM merged what one has twice. */
static int is_told(uint64_t frame, uint32_t targets)
{
	const uint32_t size = size_of(frame, targets);

	if (is_left(FIRST + frame))
		return 0;
	return size > 1 ||
	       (size == 1 && doubled[frame] && is_in(doubled[frame] - 1u, frame, targets) &&
		kind_of(FIRST + frame) == PM_KIND_KSM);
}

static void check_sets(uint32_t targets)
{
	for (uint64_t frame = 0; frame < FRAMES; frame++) {
		const uint32_t whole = pm_set_of(sharing.table[frame]);
		uint32_t set = whole, last = UINT32_MAX, first = UINT32_MAX;

		CHECK_EQUAL(sharing.sets[set].size, size_of(frame, targets));
		for (; set; set = sharing.sets[set].parent) {
			CHECK(sharing.sets[set].member < last);
			last = sharing.sets[set].member;
			CHECK(is_in(last, frame, targets));
			first = sharing.sets[set].label;
			CHECK_EQUAL(first, sharing.sets[whole].label);
		}
		if (last != UINT32_MAX)
			CHECK_EQUAL(first + 1, maps[last][frame]);
	}
	/* equal sets are one */
	for (uint32_t i = PM_FIRST_SET; i < sharing.sets_count && i < 200; i++)
		for (uint32_t j = PM_FIRST_SET; j < i; j++)
			CHECK(sharing.sets[i].parent != sharing.sets[j].parent ||
			      sharing.sets[i].member != sharing.sets[j].member ||
			      sharing.sets[i].label != sharing.sets[j].label);
}

static void check_sums(uint32_t targets)
{
	static uint64_t got_labels[LABELS][PM_KINDS], labels[LABELS][PM_KINDS];
	static uint64_t got_saved[LABELS], saved[LABELS];
	static uint64_t got_members[MOST_MEMBERS][PM_KINDS], own[MOST_MEMBERS][PM_KINDS];
	uint64_t *got_pairs = exactly(MOST_MEMBERS * MOST_MEMBERS / 2 * PM_KINDS * 8);
	uint64_t *pairs = exactly(MOST_MEMBERS * MOST_MEMBERS / 2 * PM_KINDS * 8);
	uint32_t ranks[MOST_MEMBERS], *scratch;

	memset(got_labels, 0, sizeof(got_labels));
	memset(labels, 0, sizeof(labels));
	memset(got_saved, 0, sizeof(got_saved));
	memset(saved, 0, sizeof(saved));
	memset(got_members, 0, sizeof(got_members));
	memset(own, 0, sizeof(own));
	memset(got_pairs, 0, MOST_MEMBERS * MOST_MEMBERS / 2 * PM_KINDS * 8);
	memset(pairs, 0, MOST_MEMBERS * MOST_MEMBERS / 2 * PM_KINDS * 8);
	for (uint32_t i = 0; i < members; i++)
		ranks[i] = i;
	for (uint64_t frame = 0; frame < FRAMES; frame++) {
		const uint32_t size = size_of(frame, targets);
		const unsigned kind = kind_of(FIRST + frame);
		int begun = 0;

		if (!is_told(frame, targets))
			continue;
		for (uint32_t j = 0; j < members; j++) {
			if (!is_in(j, frame, targets))
				continue;
			if (!begun) {
				labels[maps[j][frame] - 1][kind]++;
				saved[maps[j][frame] - 1] += size - 1;
				/* the file of counts says the same as that of flags */
				if (kind == PM_KIND_KSM)
					saved[maps[j][frame] - 1] += flags_of(FIRST + frame) - size;
				begun = 1;
			}
			own[j][kind]++;
			for (uint32_t i = 0; i < j && i < (targets ? targets : members); i++)
				if (is_in(i, frame, targets))
					pairs[(j * (j - 1) / 2 + i) * PM_KINDS + kind]++;
		}
	}
	pm_sharing_labels(&sharing, got_labels[0], got_saved);
	pm_sharing_accumulate(&sharing);
	pm_sharing_members(&sharing, got_members[0]);
	scratch = exactly(2 * sharing.sets_count * 4);
	pm_sharing_pairs(&sharing, ranks, targets ? targets : UINT32_MAX, scratch, got_pairs);
	free(scratch);
	CHECK(!memcmp(got_labels, labels, sizeof(labels)));
	CHECK(!memcmp(got_saved, saved, sizeof(saved)));
	CHECK(!memcmp(got_members, own, sizeof(own)));
	CHECK(!memcmp(got_pairs, pairs, members * (members - 1) / 2 * PM_KINDS * 8));
	free(got_pairs);
	free(pairs);
}

/* The frames of one alone, but for those that are free by now. */
static void check_alone(uint32_t targets)
{
	for (uint32_t i = 0; i < members; i++) {
		uint64_t own = 0;

		for (uint64_t frame = 0; frame < FRAMES && sharing.alone; frame++)
			own += size_of(frame, targets) == 1 && is_in(i, frame, targets) &&
			       !is_left(FIRST + frame) && !is_told(frame, targets);
		CHECK_EQUAL(alone[i], own);
	}
}

/* The frames that most have: none is left out that has more than one told. */
static void check_top(const struct pm_heavy *top, uint64_t count, uint64_t capacity,
		      uint32_t targets)
{
	uint64_t shared = 0, above = 0;

	for (uint64_t frame = 0; frame < FRAMES; frame++) {
		const uint32_t size = size_of(frame, targets);

		shared += (uint64_t)is_told(frame, targets);
		above += count && is_told(frame, targets) && size > top[count - 1].weight;
	}
	CHECK_EQUAL(count, shared < capacity ? shared : capacity);
	CHECK(above < count || !count);
	for (uint64_t i = 0; i < count; i++) {
		CHECK_EQUAL(top[i].weight, size_of(top[i].index - FIRST, targets));
		CHECK_EQUAL(top[i].extra >> 32, kind_of(top[i].index));
		CHECK_EQUAL((uint32_t)top[i].extra, pm_set_of(sharing.table[top[i].index - FIRST]));
		CHECK(!i || top[i].weight < top[i - 1].weight ||
		      (top[i].weight == top[i - 1].weight && top[i].index > top[i - 1].index));
	}
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(25); round++) {
		const uint32_t targets = below(2) ? 0 : 1 + (uint32_t)below(2);
		const uint64_t capacity = 1 + below(30);
		struct pm_heavy *top = exactly(capacity * sizeof(*top));
		uint64_t *scratch = exactly(2 * PM_READ_BLOCK * 8), count = 0;
		int64_t settled = 0;

		memset(maps, 0, sizeof(maps));
		members = 2 + (uint32_t)below(MOST_MEMBERS - 1);
		for (uint32_t i = 0; i < members; i++)
			for (uint64_t frame = 0; frame < FRAMES;) {
				uint64_t run = 1 + below(round % 2 ? 700 : 5);
				uint8_t label = (uint8_t)(below(3) ? 0 : 1 + below(LABELS));

				for (; run && frame < FRAMES; run--)
					maps[i][frame++] = label;
			}
		make(PM_FIRST_SET + 1 + (uint32_t)below(10));
		for (uint32_t i = 0; i < members; i++)
			add(i, targets && i >= targets);
		check_sets(targets);
		tell_truth(FIRST + FRAMES);
		lie.entry = flags_of;
		lie.interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		for (uint64_t from = 0; from < FRAMES; from += 2 * PM_TOUCHED) {
			uint64_t to = from + 2 * PM_TOUCHED < FRAMES ? from + 2 * PM_TOUCHED
								     : FRAMES;
			int64_t got = pm_sharing_settle(&sharing, 3, 4, from, to, scratch, top,
							capacity, &count);

			CHECK(got >= 0);
			settled += got;
		}
		pm_heaviest_sort(top, count);
		check_top(top, count, capacity, targets);
		for (uint64_t frame = 0; frame < FRAMES; frame++)
			settled -= is_told(frame, targets);
		CHECK_EQUAL(settled, 0);
		check_sums(targets);
		check_alone(targets);
		lie.error = EIO;
		lie.error_at = FIRST;
		maps[0][0] = maps[1][0] = 1;
		add(members - 1, 0);
		CHECK(pm_sharing_settle(&sharing, 3, 4, 0, FRAMES, scratch, top, capacity,
					&count) >= -EIO);
		unmake();
		free(scratch);
		free(top);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	return 0;
}
