/*
 * Two looks drawn at random, compared block by block as pm_diff_step does, and page by page:
 * the same sums and the same regions, wherever blocks, runs, regions and results end. What one
 * page is called, tests/property/test_diff.py knows.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "kernel/scan.cdef.h"
#include "kernel/uapi.h"
#include "history/diff.h"

enum { HUGE = 512, PAGES = 6000, SPANS = 24, SHIFT = 12, ROUNDS = 150 };

#define TOLD (~(SCENE_ZERO | SCENE_HUGE))

/* A look: the words of a scene, and how it is read. */
struct pm_saved {
	uint64_t words[SCENE];
	uint64_t limit; /* regions of a scan, at most */
	int error;
};

static struct pm_saved looks[2];

static int64_t read_look(struct pm_saved *saved, uint64_t vpn, uint64_t count, uint64_t *out)
{
	if (saved->error)
		return -saved->error;
	if (vpn >= PAGES)
		return 0;
	if (count > PAGES - vpn)
		count = PAGES - vpn;
	for (uint64_t i = 0; i < count; i++)
		out[i] = saved->words[vpn + i] & TOLD;
	return (int64_t)count;
}

static uint64_t categories_of(uint64_t word)
{
	return lie_categories(word);
}

static int64_t scan_look(struct pm_saved *saved, const struct pm_query *query, uint64_t start,
			 uint64_t end, struct pm_region *out, uint64_t capacity, uint64_t *next)
{
	uint64_t stored = 0, pages = 0;

	if (saved->error)
		return -saved->error;
	if (end >> SHIFT > PAGES)
		return -EFAULT;
	if (capacity > saved->limit)
		capacity = saved->limit;
	*next = end;
	for (uint64_t vpn = start >> SHIFT; vpn < end >> SHIFT; vpn++) {
		const uint64_t categories = categories_of(saved->words[vpn]);
		const struct pm_region one = { vpn << SHIFT, (vpn + 1) << SHIFT,
					       categories & query->returned };

		if (!(categories & query->any_of))
			continue;
		if (stored && out[stored - 1].end == one.start &&
		    out[stored - 1].categories == one.categories) {
			out[stored - 1].end = one.end;
		} else if (stored == capacity) {
			*next = one.start;
			break;
		} else {
			out[stored++] = one;
		}
		if (query->max_pages && ++pages == query->max_pages) {
			*next = one.end;
			break;
		}
	}
	return (int64_t)stored;
}

static const struct pm_reader readers[2] = {
	{ .read = read_look, .scan = scan_look, .saved = looks },
	{ .read = read_look, .scan = scan_look, .saved = looks + 1 },
};

/* Spans of both looks: cut at random, some in one of them only, and shuffled in the first. */
struct spans {
	uint64_t count;
	struct pm_range of[2][SPANS];
	uint8_t hugetlb[2][SPANS];
};

static void draw_spans(struct spans *spans)
{
	uint64_t at[2] = { below(50), below(50) };

	memset(spans, 0, sizeof(*spans));
	spans->count = 1 + below(SPANS);
	for (uint64_t i = 0; i < spans->count; i++) {
		const uint64_t count = 1 + below(below(4) ? 30 : 1200), in = below(8);
		const uint8_t hugetlb = !below(10);

		for (unsigned side = 0; side < 2; side++) {
			struct pm_range *span = spans->of[side] + i;

			if (in == side) { /* nothing there */
				span->vpn = below(PAGES);
				continue;
			}
			at[side] += below(2) ? 0 : below(80);
			if (at[side] + count > PAGES - 20)
				continue;
			*span = (struct pm_range){ at[side], count };
			spans->hugetlb[side][i] = hugetlb;
			at[side] += count;
		}
	}
	/* what has no place in one look is all the other's */
	for (uint64_t i = 0; i < spans->count && below(3); i++) {
		const uint64_t j = below(spans->count);
		struct pm_range *one = spans->of[0] + i, *other = spans->of[0] + j;

		if (one->count == other->count && spans->hugetlb[0][i] == spans->hugetlb[0][j]) {
			const struct pm_range kept = *one;

			*one = *other;
			*other = kept;
		}
	}
	/* the first look in another order, where lengths allow it, is mremap's */
}

/*
 * As hardware has it: what a huge entry maps is 512 pages in their place, whose frames lie in
 * a row, and nothing else is; zero pages are not exclusive, small ones not a file's either.
 */
static void make_real(uint64_t *words)
{
	for (uint64_t first = 0; first < PAGES; first += HUGE) {
		const uint64_t like = words[first];
		const int huge = like & SCENE_PRESENT && like & SCENE_HUGE && first + HUGE < PAGES;

		for (uint64_t i = first; i < first + HUGE && i < PAGES; i++) {
			if (huge)
				words[i] = (like & ~PM_PLACE_MASK) | (i + 8 * HUGE);
			else if (words[i] & SCENE_PRESENT)
				words[i] &= ~SCENE_HUGE;
			if (words[i] & SCENE_ZERO)
				words[i] &= ~PM_BIT(PM_EXCLUSIVE_BIT);
			if (words[i] & SCENE_ZERO && !huge)
				words[i] &= ~SCENE_FILE;
		}
	}
}

static void draw_look(struct pm_saved *saved, const struct pm_saved *other)
{
	draw_scene(PAGES, 1 + below(400), (unsigned)below(9));
	memcpy(saved->words, scene, sizeof(scene));
	saved->limit = 1 + below(below(2) ? 3 : 1000);
	saved->error = 0;
	if (other) { /* mostly the same */
		for (uint64_t i = 0; i < PAGES; i++)
			if (below(10) || (i / 700) % 2)
				saved->words[i] = other->words[i];
	}
	make_real(saved->words);
}

static struct pm_seen seen_naively(const struct pm_look *look, const struct pm_saved *saved,
				   const struct spans *spans, unsigned side, uint64_t span,
				   uint64_t page)
{
	const struct pm_range *range = spans->of[side] + span;
	uint64_t word, entry, categories;

	if (page >= range->count)
		return pm_seen_as(look, 0, 0, 0);
	word = saved->words[range->vpn + page];
	entry = word & TOLD;
	categories = categories_of(word) & look->any_of;
	/* of what is not populated a scan alone tells */
	if (!(entry >> 62) && !spans->hugetlb[side][span])
		entry = categories & PM_UAPI_IS_SOFT_DIRTY ? SCENE_DIRTY : 0;
	return pm_seen_as(look, entry, categories, spans->hugetlb[side][span]);
}

struct answer {
	struct pm_change_sum sums[SPANS][PM_CHANGES];
	struct pm_change_region regions[PAGES * 4];
	uint64_t regions_count;
};

static void add_region(struct answer *answer, struct pm_change_region one)
{
	struct pm_change_region *last = answer->regions + answer->regions_count - 1;

	if (answer->regions_count && last->span == one.span && last->kind == one.kind &&
	    last->before == one.before && last->after == one.after &&
	    last->page + last->pages == one.page) {
		last->pages += one.pages;
		return;
	}
	answer->regions[answer->regions_count++] = one;
}

static void compare_naively(const struct pm_diff_job *job, const struct spans *spans,
			    const struct pm_place *to, struct answer *answer)
{
	for (uint64_t i = 0; i < spans->count; i++) {
		uint64_t pages = spans->of[0][i].count;

		if (spans->of[1][i].count > pages)
			pages = spans->of[1][i].count;
		for (uint64_t page = 0; page < pages; page++) {
			const struct pm_seen before =
				seen_naively(&job->before, looks, spans, 0, i, page);
			const struct pm_seen after =
				seen_naively(&job->after, looks + 1, spans, 1, i, page);
			const uint32_t kind = pm_kind_of_change(job, &before, &after);

			if (i > to->span || (i == to->span && page >= to->page))
				return;
			if (kind == PM_UNCHANGED)
				continue;
			pm_change_add(&answer->sums[i][kind], &before, &after, 1);
			add_region(answer, (struct pm_change_region){ i, page, 1, kind,
								      before.state, after.state });
		}
	}
}

static void add_sums(struct answer *answer, const struct pm_change_sum *sums, int64_t count)
{
	for (int64_t i = 0; i < count; i++) {
		int64_t *to = (int64_t *)&answer->sums[sums[i].span][sums[i].kind];
		const int64_t *from = (const int64_t *)(sums + i);

		for (size_t field = 2; field < sizeof(*sums) / sizeof(int64_t); field++)
			to[field] += from[field];
	}
}

static void compare_by_steps(const struct pm_diff_job *job, const struct pm_place *from,
			     const struct pm_place *to, struct answer *answer)
{
	const uint64_t sums_capacity = PM_CHANGES + below(3) * PM_CHANGES;
	const uint64_t regions_capacity = below(2) ? 1 + below(4) : 5000;
	struct pm_diff_walk *walk = exactly(sizeof(*walk));
	struct pm_change_sum *sums = exactly(sums_capacity * sizeof(*sums));
	struct pm_change_region *regions = exactly(regions_capacity * sizeof(*regions));

	pm_diff_begin(walk, from, to);
	for (unsigned steps = 0;
	     walk->at.span < to->span || (walk->at.span == to->span && walk->at.page < to->page);
	     steps++) {
		uint64_t stored;
		int64_t got = pm_diff_step(job, walk, sums, sums_capacity, regions,
					   regions_capacity, &stored);

		CHECK(got >= 0);
		CHECK((uint64_t)got <= sums_capacity && stored <= regions_capacity);
		add_sums(answer, sums, got);
		for (uint64_t i = 0; i < stored; i++)
			add_region(answer, regions[i]);
		CHECK(steps < 4 * PAGES);
	}
	free(regions);
	free(sums);
	free(walk);
}

static struct pm_look look_at(const struct spans *spans, unsigned side, uint64_t any_of,
			      const uint8_t *kinds)
{
	return (struct pm_look){
		.source = { spans->of[side], spans->count, LIE_FRAMES, SHIFT, (uint32_t)below(2),
			    readers + side },
		.hugetlb = spans->hugetlb[side],
		.kinds = kinds,
		.end = PAGES,
		.any_of = any_of,
		.mapcounts = -1,
		.tells_zero = !!(any_of & PM_UAPI_IS_PFNZERO),
	};
}

static void compare(void)
{
	static const uint8_t kinds[PM_TYPES_OF_SWAP] = {
		[0 ... 25] = PM_ENTRY_SWAP,	  [26] = PM_ENTRY_POISONED,
		[27 ... 28] = PM_ENTRY_MIGRATING, [29 ... 30] = PM_ENTRY_DEVICE,
		[31] = PM_ENTRY_MARKER,
	};
	static struct answer got, wanted;
	struct spans spans;
	struct pm_diff_job job;
	uint64_t any_of = below(3) ? PM_UAPI_IS_HUGE | PM_UAPI_IS_PFNZERO : 0;
	struct pm_place at = { 0, 0 }, end, middle;

	any_of |= below(2) ? PM_UAPI_IS_SOFT_DIRTY : 0;
	draw_look(looks, NULL);
	draw_look(looks + 1, looks);
	draw_spans(&spans);
	job = (struct pm_diff_job){
		.before = look_at(&spans, 0, any_of, kinds),
		.after = look_at(&spans, 1, any_of, kinds),
		.compared = below(2) ? UINT64_MAX : ~PM_PLACE_MASK,
	};
	memset(&got, 0, sizeof(got));
	memset(&wanted, 0, sizeof(wanted));
	end = (struct pm_place){ spans.count, 0 };
	compare_naively(&job, &spans, &end, &wanted);
	middle = (struct pm_place){ below(spans.count), below(300) };
	if (middle.page >= spans.of[0][middle.span].count &&
	    middle.page >= spans.of[1][middle.span].count)
		middle.page = 0;
	compare_by_steps(&job, &at, &middle, &got);
	compare_by_steps(&job, &middle, &end, &got);
	CHECK_EQUAL(got.regions_count, wanted.regions_count);
	for (uint64_t i = 0; i < got.regions_count; i++)
		CHECK(!memcmp(got.regions + i, wanted.regions + i, sizeof(*got.regions)));
	for (uint64_t i = 0; i < spans.count; i++)
		for (unsigned kind = 0; kind < PM_CHANGES; kind++)
			CHECK(!memcmp(&got.sums[i][kind].pages, &wanted.sums[i][kind].pages,
				      sizeof(got.sums[i][kind]) - 2 * sizeof(uint64_t)));
}

/* Where a scan of one look alone tells the marks of untouched pages, they are not compared. */
static void marks_of_untouched(void)
{
	const struct pm_seen clean = { .state = PM_STATE_NONE };
	const struct pm_seen marked = { .state = PM_STATE_NONE, .entry = SCENE_DIRTY };

	for (unsigned told = 0; told < 4; told++) {
		const struct pm_diff_job job = {
			.before.any_of = told & 1 ? PM_UAPI_IS_SOFT_DIRTY : 0,
			.after.any_of = told & 2 ? PM_UAPI_IS_SOFT_DIRTY : 0,
			.compared = UINT64_MAX,
		};
		const uint32_t wanted = told == 3 ? PM_MARKS_CHANGED : PM_UNCHANGED;

		CHECK_EQUAL(pm_kind_of_change(&job, &clean, &marked), wanted);
		CHECK_EQUAL(pm_kind_of_change(&job, &marked, &clean), wanted);
	}
}

/* What cannot be read is an error, and so is a place for results that is too small. */
static void errors(void)
{
	static const uint8_t kinds[PM_TYPES_OF_SWAP];
	static struct pm_diff_walk walk;
	struct spans spans = { .count = 1, .of = { { { 0, 100 } }, { { 0, 100 } } } };
	struct pm_change_sum sums[PM_CHANGES];
	const struct pm_place from = { 0, 0 }, to = { 1, 0 };
	uint64_t stored;

	for (unsigned side = 0; side < 2; side++) {
		const struct pm_diff_job job = {
			.before = look_at(&spans, 0, 8, kinds),
			.after = look_at(&spans, 1, 8, kinds),
			.compared = UINT64_MAX,
		};

		draw_look(looks, NULL);
		draw_look(looks + 1, NULL);
		looks[side].error = EBADMSG;
		pm_diff_begin(&walk, &from, &to);
		CHECK_EQUAL(pm_diff_step(&job, &walk, sums, PM_CHANGES, NULL, 0, &stored),
			    -EBADMSG);
		CHECK_EQUAL(pm_diff_step(&job, &walk, sums, PM_CHANGES - 1, NULL, 0, &stored),
			    -EINVAL);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned i = round_from(); i < round_to(ROUNDS); i++)
		compare();
	if (!PM_FUZZED) {
		marks_of_untouched();
		errors();
	}
	return 0;
}
