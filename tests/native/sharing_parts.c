/*
 * What sharing is told from on both sides: stretches of frames out of entries, and
 * the rows that weigh most.
 */
#include "scene.h"
#include "walk/spans.cdef.h"
#include "analyses/owners.cdef.h"
#include "analyses/sharing.cdef.h"

/*
 * Stretches out of entries: the frames that are present and not exclusive, in order, and
 * those that a PMD may map. Those left out are counted; or none are.
 */
static void collected(void)
{
	for (unsigned round = round_from(); round < round_to(100); round++) {
		const uint64_t pages = 1 + below(9000);
		const struct pm_range spans[] = { { below(20), pages / 2 },
						  { 20 + pages / 2, pages / 2 + 1 } };
		const struct pm_source source = { spans, 2, 3, 12, (uint32_t)below(2), NULL };
		const struct pm_place to = { 2, 0 };
		struct pm_place at = { 0, 0 };
		struct pm_stretch *out = exactly(PM_READ_BLOCK * sizeof(*out));
		uint64_t *scratch = exactly(PM_READ_BLOCK * 8), span = 0, page = 0, seen;
		uint64_t left = 0, wanted = 0;
		const int all = !below(4);

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		for (uint64_t i = 0; i < pages; i++)
			if (scene[i] & SCENE_PRESENT && !below(3))
				scene[i] = (scene[i] >> 55 << 55) | below(5); /* 0: hidden */
		lie.interrupt = (unsigned)below(2);
		while (at.span < to.span) {
			int64_t got = pm_sharing_collect(&source, &at, &to, scratch, out,
							 PM_READ_BLOCK, all ? NULL : &left, &seen);

			CHECK(got >= 0);
			for (int64_t i = 0; i < got; i++) {
				for (uint64_t frame = 0; frame < out[i].count; page++) {
					uint64_t entry;

					if (page == spans[span].count) {
						span++;
						page = UINT64_MAX;
						CHECK(span < 2);
						continue;
					}
					entry = scene_entry(spans[span].vpn + page);
					if (!(entry & SCENE_PRESENT) || !(entry << 9))
						continue;
					/* what lies in its place may be mapped by a PMD */
					if (!all && entry >> 56 & 1 &&
					    (entry ^ (spans[span].vpn + page)) % 512)
						continue;
					CHECK_EQUAL(out[i].span, span);
					CHECK_EQUAL(entry << 9 >> 9, out[i].pfn + frame);
					frame++;
				}
			}
		}
		for (unsigned i = 0; i < 2 && !all; i++)
			for (uint64_t vpn = spans[i].vpn; vpn < spans[i].vpn + spans[i].count;
			     vpn++) {
				const uint64_t entry = scene_entry(vpn);

				wanted += entry & SCENE_PRESENT && entry << 9 && entry >> 56 & 1 &&
					  (entry ^ vpn) % 512;
			}
		CHECK_EQUAL(left, wanted);
		free(scratch);
		free(out);
	}
}

/* Rows of counts: the heaviest, the page of zeros weighing nothing. */
static void heaviest(void)
{
	for (unsigned round = round_from(); round < round_to(200); round++) {
		const uint64_t count = below(60), stride = 6 + below(3), capacity = 1 + below(20);
		uint64_t *rows = exactly(count * stride * 8), heavy = 0, found;
		struct pm_heavy *top = exactly(capacity * sizeof(*top));

		for (uint64_t i = 0; i < count * stride; i++)
			rows[i] = below(3) ? 0 : below(5);
		found = pm_heaviest(rows, count, stride, top, capacity);
		for (uint64_t i = 0; i < count; i++) {
			uint64_t weight = 0, before = 0;

			for (unsigned kind = 0; kind < PM_KINDS; kind++)
				weight += kind == PM_KIND_ZERO ? 0 : rows[i * stride + kind];
			heavy += weight > 0;
			for (uint64_t at = 0; at < found; at++)
				before += top[at].weight > weight ||
					  (top[at].weight == weight && top[at].index < i);
			/* its place is after those that go before it; beyond the last, it is out */
			if (weight && before < found) {
				CHECK_EQUAL(top[before].index, i);
				CHECK_EQUAL(top[before].weight, weight);
			}
		}
		CHECK_EQUAL(found, heavy < capacity ? heavy : capacity);
		free(top);
		free(rows);
	}
}

static void failing(void)
{
	const struct pm_range span = { 0, 100 };
	const struct pm_source source = { &span, 1, 3, 12, 0, NULL };
	const struct pm_place to = { 1, 0 };
	struct pm_place at = { 0, 0 };
	struct pm_stretch *out = exactly(PM_READ_BLOCK * sizeof(*out));
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8), left = 0, seen;

	draw_scene(100, 1, 0);
	lie.error = EIO;
	CHECK_EQUAL(
		pm_sharing_collect(&source, &at, &to, scratch, out, PM_READ_BLOCK, &left, &seen),
		-EIO);
	CHECK_EQUAL(pm_sharing_collect(&source, &at, &to, scratch, out, 1, &left, &seen), -EINVAL);
	free(scratch);
	free(out);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	collected();
	failing();
	heaviest();
	return 0;
}
