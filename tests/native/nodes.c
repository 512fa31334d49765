/* Pages drawn at random, counted in calls cut anywhere, against a naive count of each page. */
#include "scene.h"
#include "analyses/nodes.cdef.h"

enum { PAGES = 2048, FRAMES = 1000, PARTS = 30, COLUMNS = 4, MAPPINGS = 40 };

static uint64_t entries[PAGES];
static struct pm_node_part parts[PARTS];
static struct pm_range mappings[MAPPINGS];

static void draw_entries(void)
{
	for (uint64_t at = 0; at < PAGES;) {
		const unsigned what = (unsigned)below(5);
		uint64_t pfn = 1 + below(FRAMES), count = 1 + below(40);

		for (; count && at < PAGES; count--, at++) {
			entries[at] = SCENE_PRESENT | pfn | (below(2) ? SCENE_FILE : 0);
			if (what == 0)
				entries[at] = SCENE_SWAPPED | pfn;
			if (what == 1)
				entries[at] = SCENE_PRESENT;
			pfn = what == 2 ? 1 + below(FRAMES) : pfn + 1;
		}
	}
}

/* Parts and mappings in order, some of them next to each other. */
static uint64_t draw_parts(void)
{
	uint64_t count = 0, at = below(20);

	while (count < PARTS && at < FRAMES) {
		const uint64_t size = 1 + below(60);

		parts[count++] = (struct pm_node_part){ at, at + size, below(COLUMNS) };
		at += size + (below(2) ? 0 : below(30));
	}
	return count;
}

static uint64_t draw_mappings(void)
{
	uint64_t count = 0, at = below(20);

	while (count < MAPPINGS && at < PAGES) {
		const uint64_t pages = 1 + below(100);

		mappings[count++] = (struct pm_range){ at, pages };
		at += pages + (below(2) ? 0 : below(10));
	}
	return count;
}

static uint64_t column_of(uint64_t pfn, uint64_t parts_count)
{
	for (uint64_t i = 0; i < parts_count; i++) {
		if (parts[i].start <= pfn && pfn < parts[i].end)
			return parts[i].column;
	}
	return COLUMNS - 1;
}

/* Count page by page; returns how many there are. */
static uint64_t naive(uint64_t *counts, uint64_t mappings_count, uint64_t parts_count)
{
	uint64_t counted = 0;

	for (uint64_t row = 0; row < mappings_count; row++) {
		for (uint64_t i = 0; i < mappings[row].count; i++) {
			const uint64_t vpn = mappings[row].vpn + i;
			const uint64_t pfn = vpn < PAGES ? entries[vpn] & 0xffffffff : 0;

			if (!pfn || !(entries[vpn] & SCENE_PRESENT))
				continue;
			counts[row * COLUMNS + column_of(pfn, parts_count)]++;
			counted++;
		}
	}
	return counted;
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(200); round++) {
		const uint64_t parts_count = draw_parts(), mappings_count = draw_mappings();
		uint64_t *counts = exactly(mappings_count * COLUMNS * 8);
		uint64_t *wanted = exactly(mappings_count * COLUMNS * 8);
		const struct pm_node_table table = {
			.parts = parts,
			.parts_count = parts_count,
			.mappings = mappings,
			.mappings_count = mappings_count,
			.columns = COLUMNS,
			.counts = counts,
		};
		uint64_t counted = 0;

		memset(counts, 0, mappings_count * COLUMNS * 8);
		memset(wanted, 0, mappings_count * COLUMNS * 8);
		draw_entries();
		for (uint64_t page = 0; page < PAGES;) {
			struct pm_range runs[20];
			uint64_t count = 0, from = page;
			int64_t got;

			for (; page < PAGES && count < 20; count++) {
				const uint64_t run = 1 + below(below(2) ? 3 : 300);

				runs[count].vpn = page;
				runs[count].count = run < PAGES - page ? run : PAGES - page;
				page += runs[count].count;
			}
			got = pm_nodes(entries + from, runs, count, &table);
			CHECK(got >= 0);
			counted += (uint64_t)got;
		}
		CHECK_EQUAL(counted, naive(wanted, mappings_count, parts_count));
		CHECK(!memcmp(counts, wanted, mappings_count * COLUMNS * 8));
		if (parts_count) {
			parts[parts_count - 1].column = COLUMNS;
			CHECK_EQUAL(pm_nodes(NULL, NULL, 0, &table), -EINVAL);
		}
		free(counts);
		free(wanted);
	}
	return 0;
}
