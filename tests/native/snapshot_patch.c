/*
 * A page table that changes at random between looks: each moment is read as it was, from patches
 * that have no more in them than what changed, in steps of whatever fits.
 */
#include "scene.h"
#include "snapshot/patch.cdef.h"

enum { MOST_FILE = 1 << 22, MOST_BLOCKS = 4096, MOMENTS = 5, WINDOWS = SCENE / PM_WINDOW_PAGES };

static uint8_t file[MOST_FILE];
static uint64_t file_size;
static struct pm_saved_block blocks[MOMENTS][MOST_BLOCKS];
static struct pm_layer layers[MOMENTS];
static struct pm_range mappings[MOMENTS];
static struct pm_window windows[2][WINDOWS];
static uint64_t windows_count;
static uint64_t then[MOMENTS][SCENE];

static void *aligned(size_t size)
{
	void *memory = calloc(1, size);

	CHECK(memory != NULL);
	return memory;
}

static struct pm_saved opened(uint64_t count)
{
	lie.bytes = file;
	lie.bytes_size = file_size;
	return (struct pm_saved){
		.fd = LIE_BYTES,
		.page_shift = 12,
		.layers = layers,
		.layers_count = count,
		.end_page = SCENE,
		.scratch = aligned(pm_saved_scratch(count)),
	};
}

/* Look at the scene; what changed since the last moment is layer `moment`. */
static void look(unsigned moment, const struct pm_range *span, int use_scan)
{
	const struct pm_taking take = {
		.spans = span,
		.spans_count = 1,
		.fd = 3,
		.page_shift = 12,
		.use_scan = (uint32_t)use_scan,
		.categories = 32 | 64,
		.places = 1,
	};
	struct pm_saved saved = opened(moment);
	struct pm_window *found = exactly(PM_PATCH_WINDOWS * sizeof(*found));
	struct pm_patch patch = {
		.saved = moment ? &saved : NULL,
		.before = windows[0],
		.before_count = moment ? windows_count : 0,
		.windows = found,
	};
	uint8_t *scratch = aligned(pm_patch_scratch()), *out = exactly(PM_TAKE_BYTES);
	struct pm_saved_block *made = exactly(PM_TAKE_BLOCKS * sizeof(*made));
	struct pm_place at = { 0, 0 };
	const struct pm_place to = { 1, 0 };
	uint64_t count = 0, seen = 0;
	uint32_t done = 0;

	while (!done) {
		uint64_t stored, ended = 0;
		const int64_t got = pm_patch_step(&take, &patch, &at, &to, scratch, out, made,
						  &stored, &ended, &done);

		CHECK(got >= 0 && (uint64_t)got + file_size <= MOST_FILE && !ended);
		CHECK(count + stored <= MOST_BLOCKS && seen + patch.windows_count <= WINDOWS);
		memcpy(file + file_size, out, (size_t)got);
		memcpy(windows[1] + seen, found, patch.windows_count * sizeof(*found));
		seen += patch.windows_count;
		for (uint64_t i = 0; i < stored; i++) {
			blocks[moment][count] = made[i];
			blocks[moment][count++].offset += file_size;
		}
		file_size += (uint64_t)got;
	}
	memcpy(windows[0], windows[1], sizeof(windows[0]));
	windows_count = seen;
	mappings[moment] = *span;
	layers[moment] = (struct pm_layer){
		.blocks = blocks[moment],
		.blocks_count = count,
		.spans = mappings + moment,
		.spans_count = 1,
	};
	CHECK_EQUAL(pm_saved_check(blocks[moment], count, file_size), 0);
	for (uint64_t vpn = 0; vpn < SCENE; vpn++)
		then[moment][vpn] = vpn - span->vpn < span->count ? scene_entry(vpn) : 0;
	free(saved.scratch);
	free(scratch);
	free(found);
	free(made);
	free(out);
}

/* Change some pages, a stretch, or all. */
static void change(uint64_t pages)
{
	const uint64_t first = below(pages), most = below(2) ? 5 : pages - first;
	uint64_t count = below(most + 1);

	if (count > pages - first)
		count = pages - first;
	for (uint64_t vpn = first; vpn < first + count; vpn++)
		scene[vpn] = below(3) ? SCENE_PRESENT | (1 + below(1 << 20)) : 0;
}

static void check_moment(unsigned moment)
{
	struct pm_saved saved = opened(moment + 1);

	for (unsigned i = 0; i < 8; i++) {
		const uint64_t first = i ? below(SCENE) : 0;
		const uint64_t count = i ? below(SCENE - first + 1) : SCENE;
		uint64_t *out = exactly(count * 8);

		CHECK_EQUAL(pm_saved_read(&saved, first, count, out), count);
		for (uint64_t page = 0; page < count; page++)
			CHECK(out[page] == then[moment][first + page]);
		free(out);
	}
	free(saved.scratch);
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(25); round++) {
		const uint64_t pages = 1 + below(PM_FUZZED ? 900 : SCENE);
		struct pm_range span = { 0, pages };

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		/* bit 55 alone is of no interest to a record */
		for (uint64_t vpn = 0; vpn < pages; vpn++)
			scene[vpn] = scene[vpn] == SCENE_DIRTY ? 0 : scene[vpn];
		lie.end = SCENE;
		file_size = windows_count = 0;
		for (unsigned moment = 0; moment < MOMENTS; moment++) {
			look(moment, &span, below(3) > 0);
			for (uint64_t deeds = below(4); deeds; deeds--)
				change(pages);
			span.vpn = below(4) ? 0 : below(pages);
			span.count = pages - span.vpn;
		}
		for (unsigned moment = 0; moment < MOMENTS; moment++)
			check_moment(moment);
	}
}

/* Nothing changed: nothing is read of what was saved, and nothing written. */
static void nothing_changed(void)
{
	const struct pm_range span = { 0, SCENE };

	draw_scene(SCENE, 3, 2);
	for (uint64_t vpn = 0; vpn < SCENE; vpn++)
		scene[vpn] = scene[vpn] == SCENE_DIRTY ? 0 : scene[vpn];
	file_size = 0;
	look(0, &span, 1);
	lie.bytes_asked = 0;
	look(1, &span, 1);
	CHECK_EQUAL(lie.bytes_asked, 0);
	CHECK_EQUAL(layers[1].blocks_count, 0);
	scene[SCENE / 2] ^= SCENE_PRESENT | 12345;
	look(2, &span, 1);
	CHECK_EQUAL(layers[2].blocks_count, 1);
	CHECK_EQUAL(blocks[2][0].vpn, SCENE / 2);
	CHECK_EQUAL(blocks[2][0].end, SCENE / 2 + 1);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	nothing_changed();
	return 0;
}
