/* Pages drawn at random, joined in calls cut anywhere, against a naive walk over all of them. */
#include "scene.h"
#include "analyses/segments.cdef.h"

enum { PAGES = 4096, SHIFT = 12 };

static uint64_t entries[PAGES];
static struct pm_range runs[PAGES];

/* Runs of neighbouring frames, of one frame again and again, of frames anywhere, hidden ones. */
static void draw_entries(void)
{
	for (uint64_t at = 0; at < PAGES;) {
		const unsigned what = (unsigned)below(6);
		uint64_t pfn = 1 + below(1 << 20), count = 1 + below(50);

		for (; count && at < PAGES; count--, at++) {
			entries[at] = SCENE_PRESENT | pfn | (below(2) ? SCENE_FILE : 0);
			if (what == 0)
				entries[at] = SCENE_SWAPPED | pfn;
			if (what == 1)
				entries[at] = SCENE_PRESENT;
			pfn += what == 2 ? 0 : what == 3 ? below(3) : 1;
		}
	}
}

static struct pm_segment_columns make_columns(uint64_t capacity)
{
	return (struct pm_segment_columns){
		.start = exactly(capacity * 8),
		.end = exactly(capacity * 8),
		.size = exactly(capacity * 8),
		.physical = exactly(capacity * 8),
		.transfers = exactly(capacity * 8),
		.capacity = capacity,
	};
}

static void free_columns(const struct pm_segment_columns *columns)
{
	free(columns->start);
	free(columns->end);
	free(columns->size);
	free(columns->physical);
	free(columns->transfers);
}

/* The next segment of a naive walk from page *at on, 0 where there is none. */
static int naive(uint64_t *at, struct pm_joined *out)
{
	while (*at < PAGES && !(entries[*at] & SCENE_PRESENT && entries[*at] & 0xffffffff))
		++*at;
	if (*at == PAGES)
		return 0;
	*out = (struct pm_joined){ *at, entries[*at] & 0xffffffff, 0 };
	while (*at < PAGES && entries[*at] & SCENE_PRESENT &&
	       (entries[*at] & 0xffffffff) == out->pfn + out->pages) {
		out->pages++;
		++*at;
	}
	return 1;
}

static void check_rows(const struct pm_segment_columns *got, uint64_t rows, uint64_t *at)
{
	for (uint64_t row = 0; row < rows; row++) {
		struct pm_joined wanted;

		CHECK(naive(at, &wanted));
		CHECK_EQUAL(got->start[row], wanted.vpn << SHIFT);
		CHECK_EQUAL(got->size[row], wanted.pages << SHIFT);
		CHECK_EQUAL(got->end[row], (wanted.vpn + wanted.pages) << SHIFT);
		CHECK_EQUAL(got->physical[row], wanted.pfn << SHIFT);
		if (got->most) {
			CHECK(got->transfers[row] * got->most >= got->size[row]);
			CHECK((got->transfers[row] - 1) * got->most < got->size[row]);
		} else {
			CHECK_EQUAL(got->transfers[row], 1);
		}
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(200); round++) {
		struct pm_segment_columns columns = make_columns(PAGES / 2 + 1);
		struct pm_joined open = { 0 }, none;
		uint64_t at = 0;
		int64_t got;

		draw_entries();
		columns.most = below(2) ? 0 : 1 + below(100000);
		for (uint64_t page = 0; page < PAGES;) {
			uint64_t count = 0, from = page;

			for (; page < PAGES && count < 20 && page - from < PAGES / 2 - 300;
			     count++) {
				const uint64_t run = 1 + below(below(2) ? 3 : 300);

				runs[count].vpn = page;
				runs[count].count = run < PAGES - page ? run : PAGES - page;
				page += runs[count].count;
			}
			got = pm_segments(entries + from, runs, count, SHIFT, &open, &columns);
			CHECK(got >= 0);
			check_rows(&columns, (uint64_t)got, &at);
		}
		got = pm_segments(NULL, NULL, 0, SHIFT, &open, &columns);
		CHECK(got == 0 || got == 1);
		check_rows(&columns, (uint64_t)got, &at);
		CHECK(!naive(&at, &none));
		CHECK_EQUAL(pm_segments(NULL, NULL, 0, SHIFT, &open, &columns), 0);
		runs[0] = (struct pm_range){ 0, PAGES / 2 + 1 };
		CHECK_EQUAL(pm_segments(entries, runs, 1, SHIFT, &open, &columns), -ENOSPC);
		free_columns(&columns);
	}
	return 0;
}
