/*
 * Whatever page table is taken, in steps and spans of any size: from the blocks it is read again
 * as it was, each entry and each region; and where a byte of them changed, nothing is.
 */
#include "scene.h"
#include "snapshot/saved.cdef.h"
#include "snapshot/take.cdef.h"

enum { DRAWN_SPANS = 20, MOST_SPANS = SCENE / 2, MOST_FILE = 1 << 23, MOST_BLOCKS = SCENE };

static struct pm_range spans[MOST_SPANS];
static uint64_t spans_count, whose;
static struct pm_range within[MOST_SPANS]; /* as a reader joins them */
static uint64_t within_count;
static uint8_t file[MOST_FILE];
static uint64_t file_size;
static struct pm_saved_block blocks[MOST_BLOCKS];
static uint64_t blocks_count;
static int scanned, with_places;
/* Mappings of drivers, of which a scan says nothing; and those with a mark. */
static struct pm_range hidden[MOST_SPANS], skipped[MOST_SPANS];
static uint64_t hidden_count, skipped_count;

/* What the file has to say of a page. */
static uint64_t saved_entry(uint64_t vpn)
{
	for (uint64_t i = 0; i < spans_count; i++) {
		if (vpn - spans[i].vpn < spans[i].count)
			return scene_entry(vpn) &
			       (with_places ? UINT64_MAX : ~((UINT64_C(1) << 55) - 1));
	}
	return 0;
}

/* Bits 59 and 60 of the scene stand for what only a scan tells. */
static uint64_t saved_categories(uint64_t entry)
{
	const uint64_t found = lie_categories(entry) & ~(scanned ? UINT64_C(0) : UINT64_C(96));

	/* the kernel's own scan says of no page of zeros that it is a file's */
	return found & 32 ? found & ~UINT64_C(4) : found;
}

static void *aligned(size_t size)
{
	void *memory = NULL;

	CHECK(!posix_memalign(&memory, 16, size));
	memset(memory, 0, size);
	return memory;
}

static void take_all(uint64_t step)
{
	struct pm_taking take = {
		.spans = spans,
		.spans_count = spans_count,
		.fd = 3,
		.page_shift = 12,
		.use_scan = (uint32_t)scanned,
		.categories = 32 | 64 | 128,
		.places = (uint32_t)with_places,
		.whose = (uint32_t)whose,
		.skipped = skipped,
		.skipped_count = skipped_count,
	};
	uint8_t *scratch = aligned(pm_take_scratch()), *out = exactly(PM_TAKE_BYTES);
	struct pm_saved_block *found = exactly(PM_TAKE_BLOCKS * sizeof(*found));
	struct pm_place at = { 0, 0 }, to = { 0, 0 };

	file_size = blocks_count = 0;
	memcpy(within, spans, sizeof(within));
	within_count = pm_take_join(within, spans_count);
	while (pm_spans_advance(spans, spans_count, &at, step, &to)) {
		while (at.span < to.span || (at.span == to.span && at.page < to.page)) {
			uint64_t stored, looked, ended = 0;
			int64_t got = pm_take_step(&take, &at, &to, scratch, out, found, &stored,
						   &looked, &ended);

			CHECK(got >= 0 && (uint64_t)got + file_size <= MOST_FILE);
			CHECK(blocks_count + stored <= MOST_BLOCKS);
			CHECK(!ended);
			memcpy(file + file_size, out, (size_t)got);
			for (uint64_t i = 0; i < stored; i++) {
				blocks[blocks_count] = found[i];
				blocks[blocks_count++].offset += file_size;
			}
			file_size += (uint64_t)got;
		}
	}
	free(scratch);
	free(out);
	free(found);
}

static struct pm_saved opened(struct pm_layer *layer)
{
	*layer = (struct pm_layer){
		.blocks = blocks,
		.blocks_count = blocks_count,
		.spans = within,
		.spans_count = within_count,
	};
	CHECK_EQUAL(pm_saved_check(blocks, blocks_count, file_size), 0);
	lie.bytes = file;
	lie.bytes_size = file_size;
	return (struct pm_saved){
		.fd = LIE_BYTES,
		.page_shift = 12,
		.layers = layer,
		.layers_count = 1,
		.end_page = lie.end,
		.scratch = aligned(pm_saved_scratch(1)),
	};
}

static void check_reads(struct pm_saved *saved)
{
	for (unsigned i = 0; i < 20; i++) {
		const uint64_t first = below(lie.end + 10), count = below(i ? 3000 : SCENE);
		const uint64_t there = first < lie.end ? lie.end - first : 0;
		const uint64_t wanted = count < there ? count : there;
		uint64_t *out = exactly(count * 8);

		CHECK_EQUAL(pm_saved_read(saved, first, count, out), wanted);
		for (uint64_t page = 0; page < wanted; page++)
			CHECK(out[page] == saved_entry(first + page));
		check_untouched(out + wanted, (count - wanted) * 8);
		free(out);
	}
}

/* With all pages in spans: those of the scene are those of the file. */
static void check_scans(struct pm_saved *saved)
{
	static struct pm_region got[SCENE], wanted[SCENE];
	const uint64_t capacity = 1 + below(100);

	for (unsigned i = 0; i < 10; i++) {
		const uint64_t first = below(lie.end), last = first + below(lie.end - first + 1);
		struct pm_query query = draw_query();
		uint64_t count = 0, next = first << 12, wanted_count;

		query.returned |= below(2) ? 96 : 0;
		wanted_count = scene_regions(&query, first, last, wanted);
		while (next < last << 12) {
			struct pm_region *out = exactly(capacity * sizeof(*out));
			int64_t found = pm_saved_scan(saved, &query, next, last << 12, out,
						      capacity, &next);

			CHECK(found >= 0 && (uint64_t)found <= capacity);
			for (int64_t region = 0; region < found; region++)
				count = join_region(got, count, out[region]);
			free(out);
		}
		check_regions(got, count, wanted, wanted_count);
	}
}

/* One byte of a block is another one: what it holds is not given out. */
static void check_damage(struct pm_saved *saved)
{
	const struct pm_saved_block *block = blocks + below(blocks_count);
	uint8_t *byte = file + block->offset + below(block->size);
	uint64_t entry;

	memset(saved->scratch, 0, pm_saved_scratch(1));
	*byte ^= (uint8_t)(1 + below(255));
	CHECK_EQUAL(pm_saved_read(saved, block->vpn, 1, &entry), -EBADMSG);
	lie.bytes_size = block->offset + below(block->size);
	CHECK_EQUAL(pm_saved_read(saved, block->vpn, 1, &entry), -EIO);
}

/* What is said to be empty reads as nothing, and is told without a gap. */
static void check_empty(struct pm_saved *saved)
{
	uint64_t vpn = 0;

	while (vpn < lie.end) {
		const int64_t empty = pm_saved_empty(saved, vpn, lie.end);
		uint64_t entry;

		CHECK(empty >= 0 && (uint64_t)empty <= lie.end - vpn);
		for (int64_t i = 0; i < empty; i++, vpn++) {
			CHECK_EQUAL(pm_saved_read(saved, vpn, 1, &entry), 1);
			CHECK_EQUAL(entry, 0);
		}
		vpn++; /* one that has something, or a flag of its frame alone */
	}
}

static void check_copy(const struct pm_saved *saved)
{
	struct pm_saved *copy = pm_saved_copy(saved);

	CHECK(copy != NULL);
	check_reads(copy);
	pm_saved_drop(copy);
}

/* What a scan sees. */
static uint64_t seen(uint64_t vpn)
{
	for (uint64_t i = 0; i < hidden_count; i++) {
		if (vpn - hidden[i].vpn < hidden[i].count)
			return 0;
	}
	return scene_entry(vpn);
}

/* Some of the mappings are a driver's, and some of those soft-dirty: exactly these are found. */
static void draw_hidden(void)
{
	static struct pm_range marked[MOST_SPANS];
	uint64_t count = 0;

	hidden_count = skipped_count = 0;
	lie.scanned = seen;
	if (!scanned)
		return;
	for (uint64_t i = 0; i < spans_count; i++) {
		const uint64_t mark = below(2) ? SCENE_DIRTY : 0;

		if (below(3))
			continue;
		hidden[hidden_count++] = spans[i];
		for (uint64_t page = 0; page < spans[i].count; page++)
			scene[spans[i].vpn + page] = mark;
		if (mark)
			marked[count++] = spans[i];
	}
	memcpy(skipped, spans, spans_count * sizeof(*spans));
	skipped_count = (uint64_t)pm_take_skipped(3, 12, skipped, spans_count);
	CHECK_EQUAL(skipped_count, count);
	CHECK(!memcmp(skipped, marked, count * sizeof(*marked)));
}

static void draw_spans(uint64_t pages, int all)
{
	uint64_t at = 0;

	for (spans_count = 0; at < pages && spans_count < DRAWN_SPANS; spans_count++) {
		uint64_t count = 1 + below(pages);

		at += all ? 0 : below(100);
		if (all && spans_count == DRAWN_SPANS - 1)
			count = pages;
		if (at >= pages)
			break;
		spans[spans_count] =
			(struct pm_range){ at, count < pages - at ? count : pages - at };
		at += spans[spans_count].count;
	}
	draw_hidden();
	if (below(2))
		spans_count = pm_take_join(spans, spans_count);
}

/* Places that lie in rows, backwards, all over, or all in one. */
static void draw_places(uint64_t pages)
{
	const uint64_t most = UINT64_C(1) << (1 + below(55));

	for (uint64_t vpn = 0; vpn < pages; vpn++) {
		const uint64_t place = scene[vpn] << 9 >> 9;

		if (!(scene[vpn] >> 62))
			continue;
		scene[vpn] ^= place;
		switch (below(100) ? (vpn / 500) % 5 : 4) {
		case 0:
			scene[vpn] |= place;
			break;
		case 1:
			scene[vpn] |= 2 * pages - vpn;
			break;
		case 2:
			scene[vpn] |= 77;
			break;
		case 3:
			scene[vpn] |= vpn << 5 | 3;
			break;
		default:
			scene[vpn] |= ((uint64_t)rand() << 25 ^ (uint64_t)rand()) % most;
		}
	}
}

static void drawn(void)
{
	for (unsigned round = round_from(); round < round_to(60); round++) {
		const uint64_t pages = 1 + below(PM_FUZZED ? 900 : below(2) ? 3000 : SCENE);
		struct pm_layer layer;
		struct pm_saved saved;
		int all = below(2) > 0;

		draw_scene(pages, 1 + below(below(2) ? 10 : 900), (unsigned)below(11));
		draw_places(pages);
		scanned = below(3) > 0;
		with_places = below(3) > 0;
		whose = below(3);
		draw_spans(pages, all);
		lie.scan_interrupt = (unsigned)below(2);
		lie.most = below(3) ? 0 : 8 + below(900);
		lie.short_by = below(4) ? 0 : below(20);
		take_all(below(2) ? SCENE : 1 + below(700));
		saved = opened(&layer);
		check_reads(&saved);
		scene_categories = saved_categories;
		if (all)
			check_scans(&saved);
		check_empty(&saved);
		check_copy(&saved);
		if (blocks_count)
			check_damage(&saved);
		free(saved.scratch);
	}
}

/* A range is read from its block, and from no other. */
static void little_is_read(void)
{
	struct pm_layer layer;
	struct pm_saved saved;
	uint64_t entry;

	draw_scene(SCENE, 1, 0);
	for (uint64_t vpn = 0; vpn < SCENE; vpn++)
		scene[vpn] = SCENE_PRESENT | (vpn * 7919 % 999983);
	scanned = with_places = 1;
	skipped_count = 0;
	spans[0] = (struct pm_range){ 0, SCENE };
	spans_count = 1;
	take_all(SCENE);
	CHECK_EQUAL(blocks_count, SCENE / PM_BLOCK_TOKENS);
	saved = opened(&layer);
	CHECK_EQUAL(pm_saved_read(&saved, 20000, 1, &entry), 1);
	CHECK(entry == scene[20000]);
	CHECK_EQUAL(lie.bytes_asked, blocks[20000 / PM_BLOCK_TOKENS].size);
	free(saved.scratch);
}

/* Runs go on from mapping to mapping; a block in which they do so too often ends. */
static void many_mappings(void)
{
	struct pm_layer layer;
	struct pm_saved saved;

	draw_scene(SCENE, 1, 0);
	for (uint64_t vpn = 0; vpn < SCENE; vpn++)
		scene[vpn] = vpn % 3 ? SCENE_PRESENT : 0;
	scanned = with_places = 1;
	skipped_count = 0;
	spans_count = SCENE / 3;
	for (uint64_t i = 0; i < spans_count; i++)
		spans[i] = (struct pm_range){ 3 * i + 1, 2 };
	lie.end = SCENE;
	take_all(SCENE);
	CHECK_EQUAL(blocks_count, SCENE / 3 / PM_BLOCK_SPLITS + 1);
	CHECK(blocks[0].size < 100);
	CHECK_EQUAL(blocks[0].vpn, 1);
	saved = opened(&layer);
	check_reads(&saved);
	memset(saved.scratch, 0, pm_saved_scratch(1));
	layer.spans_count =
		PM_BLOCK_SPLITS; /* the last pages of the block are in no mapping then */
	CHECK_EQUAL(pm_saved_read(&saved, 1, 1, scene), -EBADMSG);
	layer.spans_count = 0;
	CHECK_EQUAL(pm_saved_read(&saved, 1, 1, scene), -EBADMSG);
	free(saved.scratch);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	drawn();
	if (PM_FUZZED)
		return 0;
	little_is_read();
	many_mappings();
	return 0;
}
