/* Rows that two threads read are those that one reads, batch by batch, whatever lies where. */
#include "scene.h"

#include "columns/columns.cdef.h"
#include "walk/halves.h"

enum { SPANS = 16, LIMIT = PM_HALVES_LEAST + 5000 };

struct all {
	uint64_t count;
	uint64_t vpns[SCENE], entries[SCENE], spans[SCENE];
};

static struct all one, two;

/* Spans with and without holes between them, over all of the scene. */
static uint64_t draw_spans(struct pm_range *spans)
{
	uint64_t at = 0, count = 0;

	while (count < SPANS && at < SCENE) {
		uint64_t size = 1 + below(below(3) ? SCENE / 2 : 600);

		if (size > SCENE - at)
			size = SCENE - at;
		spans[count++] = (struct pm_range){ at, size };
		at += size + (below(2) ? below(700) : 0);
	}
	return count;
}

static void read_all(const struct pm_pages_job *job, uint64_t capacity, struct all *all)
{
	struct pm_page_rows rows = {
		.entries = exactly(capacity * 8),
		.runs = exactly(capacity * sizeof(struct pm_range)),
		.spans = exactly(capacity * 8),
		.capacity = capacity,
	};
	struct pm_place at = { 0, 0 };
	int64_t got;

	all->count = 0;
	while ((got = pm_pages_read(job, &at, &rows)) > 0) {
		uint64_t of = 0;

		CHECK_EQUAL(got, rows.count);
		CHECK(rows.count == capacity || at.span >= job->source.spans_count);
		for (uint64_t run = 0; run < rows.runs_count; run++)
			for (uint64_t page = 0; page < rows.runs[run].count; page++) {
				all->vpns[all->count] = rows.runs[run].vpn + page;
				all->spans[all->count] = rows.spans[run];
				all->entries[all->count++] = rows.entries[of++];
			}
		CHECK_EQUAL(of, rows.count);
	}
	CHECK_EQUAL(got, 0);
	free(rows.entries);
	free(rows.runs);
	free(rows.spans);
}

static void check_round(unsigned round)
{
	static const uint8_t kinds[32];
	static const uint64_t longest[] = { 1, 3, 100, 3000 };
	struct pm_range spans[SPANS];
	struct pm_pages_job job = {
		.source = { .spans = spans, .fd = 3, .page_shift = 12, .use_scan = round % 3 != 0 },
		.words = { -1, -1, -1 },
		.populated = 1,
		.kinds = kinds,
		.kinds_wanted = UINT32_MAX,
	};
	uint64_t capacity = below(2) ? LIMIT - below(6000) : SCENE;

	draw_scene(SCENE, longest[round % 4], (unsigned)below(10));
	job.source.spans_count = draw_spans(spans);
	if (below(4) == 0)
		job.none_of = SCENE_DIRTY;
	read_all(&job, capacity, &one);
	job.threads = 2;
	read_all(&job, capacity, &two);
	CHECK_EQUAL(one.count, two.count);
	CHECK(!memcmp(one.vpns, two.vpns, one.count * 8));
	CHECK(!memcmp(one.spans, two.spans, one.count * 8));
	CHECK(!memcmp(one.entries, two.entries, one.count * 8));
}

/* What fails in either half is what the call gives. */
static void check_errors(void)
{
	static const uint8_t kinds[32];
	const struct pm_range span = { 0, SCENE };
	const struct pm_pages_job job = {
		.source = { .spans = &span, .spans_count = 1, .fd = 3, .page_shift = 12 },
		.words = { -1, -1, -1 },
		.populated = 1,
		.kinds = kinds,
		.kinds_wanted = UINT32_MAX,
		.threads = 2,
	};
	struct pm_page_rows rows = {
		.entries = exactly(SCENE * 8),
		.runs = exactly(SCENE * sizeof(struct pm_range)),
		.spans = exactly(SCENE * 8),
		.capacity = SCENE,
	};
	static const uint64_t places[] = { 0, PM_HALVES_LEAST / 2 };

	for (unsigned i = 0; i < 2; i++) {
		struct pm_place at = { 0, 0 };

		tell_truth(SCENE);
		lie.error = EIO;
		lie.error_at = places[i];
		CHECK_EQUAL(pm_pages_read(&job, &at, &rows), -EIO);
	}
	free(rows.entries);
	free(rows.runs);
	free(rows.spans);
}

int main(int count, char **arguments)
{
	srand(count > 1 ? (unsigned)atoi(arguments[1]) : 1);
	for (unsigned round = round_from(); round < round_to(60); round++)
		check_round(round);
	check_errors();
	return 0;
}
