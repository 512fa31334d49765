/*
 * What comes back when holders end: the table against plain loops over a matrix of
 * holders and frames, and what is collected of a process against each of its entries.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "walk/spans.cdef.h"
#include "analyses/freed.h"

enum {
	FRAMES = 4096,
	HOLDERS = 5,
	PROCESSES = 3, /* of a holder */
	ORDER = 6,     /* of what a PMD maps, here */
	SLOTS = 700,
	ZERO = 1 << ORDER, /* the first frame of the huge page of zeros */
	ANON = 12,
	HEAD = 15,
	TAIL = 16,
	ZEROS = 24,
};

static uint8_t maps[HOLDERS][FRAMES]; /* how often a holder maps the frame */
static uint8_t others[FRAMES];	      /* and processes that were not looked at */
static uint8_t kinds[FRAMES];
static uint8_t orders[FRAMES]; /* of the folio that the frame is of */
static uint8_t slots[HOLDERS][SLOTS];

static uint64_t head_of(uint64_t frame)
{
	return frame >> orders[frame] << orders[frame];
}

static int is_zero(uint64_t frame)
{
	return frame >= ZERO && frame < 2 * ZERO;
}

static uint64_t mapcount_of(uint64_t frame)
{
	uint64_t count = others[frame];

	for (unsigned i = 0; i < HOLDERS; i++)
		count += maps[i][frame];
	return is_zero(frame) ? 0 : count;
}

static uint64_t word_of(int fd, uint64_t frame)
{
	uint64_t word = kinds[frame] == PM_HOLDING_ANON ? UINT64_C(1) << ANON : 0;

	if (fd != LIE_FRAMES)
		return mapcount_of(frame);
	if (is_zero(frame))
		return UINT64_C(1) << ZEROS;
	if (orders[frame])
		word |= UINT64_C(1) << (head_of(frame) == frame ? HEAD : TAIL);
	return word;
}

static void draw_frames(void)
{
	for (uint64_t frame = 0; frame < FRAMES;) {
		unsigned order = below(3) ? 0 : (unsigned)below(ORDER + 1);
		uint8_t kind = (uint8_t)below(4);

		while (frame & ((UINT64_C(1) << order) - 1))
			order--;
		for (uint64_t end = frame + (UINT64_C(1) << order); frame < end; frame++) {
			kinds[frame] = is_zero(frame) ? PM_HOLDING_ANON : kind;
			orders[frame] = (uint8_t)order;
			others[frame] = !below(40);
		}
	}
	memset(maps, 0, sizeof(maps));
	memset(slots, 0, sizeof(slots));
	for (unsigned i = 0; i < HOLDERS; i++) {
		for (uint64_t frame = 0; frame < FRAMES;) {
			uint64_t run = 1 + below(100), mapped = !below(HOLDERS);

			for (; run && frame < FRAMES; run--, frame++)
				maps[i][frame] = mapped && below(20) ? 1 : 0;
		}
		for (uint64_t slot = 1; slot < SLOTS; slot++)
			slots[i][slot] = !below(4);
	}
}

/* The holdings of one process, of frames that it maps: of the first all, else some. */
static uint64_t holdings_of(unsigned holder, unsigned process, struct pm_holding *out)
{
	uint64_t count = 0;

	for (uint64_t frame = 0; frame < FRAMES; frame++) {
		struct pm_holding one = { frame, 1, kinds[frame], 0, (uint8_t)is_zero(frame) };

		if (!maps[holder][frame] || (process && below(3)))
			continue;
		if (process)
			maps[holder][frame]++;
		if (count && below(9) && out[count - 1].kind == one.kind &&
		    out[count - 1].aligned == one.aligned &&
		    out[count - 1].at + out[count - 1].count == frame)
			out[count - 1].count++;
		else
			out[count++] = one;
	}
	/* slots of both areas, the second of which has the odd ones; and one past its end */
	for (uint64_t slot = 1; slot < SLOTS; slot++)
		if (slots[holder][slot])
			out[count++] = (struct pm_holding){ slot / 2 << 5 | (slot & 1), 1,
							    PM_HOLDING_SLOT, 0, 0 };
	out[count++] = (struct pm_holding){ SLOTS << 5 | 1, 1, PM_HOLDING_SLOT, 0, 0 };
	out[count++] = (struct pm_holding){ 0, 7, PM_HOLDING_FILE, 1, 0 };
	return count;
}

static int is_alone(unsigned holder, uint64_t frame)
{
	return maps[holder][frame] && mapcount_of(frame) == maps[holder][frame];
}

static struct pm_holder wanted_of(unsigned holder, unsigned processes)
{
	struct pm_holder wanted = { { 0 }, { 0 }, 0, 0, 0 };

	for (uint64_t frame = 0; frame < FRAMES; frame++) {
		const uint64_t size = UINT64_C(1) << orders[frame];
		uint64_t mapped = 0, alone = 0;

		if (is_zero(frame))
			continue;
		wanted.mapped[kinds[frame]] += maps[holder][frame] != 0;
		if (kinds[frame] != PM_HOLDING_ANON) {
			wanted.sole[kinds[frame]] += kinds[frame] != PM_HOLDING_OTHER &&
						     is_alone(holder, frame);
			continue;
		}
		if (head_of(frame) != frame)
			continue;
		for (uint64_t each = frame; each < frame + size; each++) {
			mapped += mapcount_of(each) != 0;
			alone += (uint64_t)is_alone(holder, each);
		}
		if (mapped && alone == mapped) {
			wanted.sole[PM_HOLDING_ANON] += mapped;
			wanted.unmapped += size - mapped;
		}
	}
	wanted.mapped[PM_HOLDING_FILE] += UINT64_C(7) * processes;
	wanted.sole[PM_HOLDING_FILE] += UINT64_C(7) * processes;
	for (uint64_t slot = 1; slot < SLOTS; slot++) {
		unsigned users = 0;

		for (unsigned i = 0; i < HOLDERS; i++)
			users += slots[i][slot];
		wanted.slots += slots[holder][slot];
		wanted.sole_slots += slots[holder][slot] && users == 1;
	}
	return wanted;
}

static void drawn(void)
{
	static struct pm_holding held[HOLDERS][PROCESSES][FRAMES + SLOTS + 2];
	uint64_t counts[HOLDERS][PROCESSES];
	const uint64_t window = below(2) ? FRAMES : FRAMES / 2;
	struct pm_freed freed = { .end = FRAMES, .pmd_order = ORDER };
	uint64_t *scratch = exactly(4 * PM_READ_BLOCK * 8);

	draw_frames();
	for (unsigned i = 0; i < HOLDERS; i++)
		for (unsigned j = 0; j < PROCESSES; j++)
			counts[i][j] = holdings_of(i, j, held[i][j]);
	tell_truth(0);
	lie.frames_end = FRAMES;
	lie.word = word_of;
	lie.interrupt = (unsigned)below(2);
	freed.holders = exactly(HOLDERS * sizeof(struct pm_holder));
	memset(freed.holders, 0, HOLDERS * sizeof(struct pm_holder));
	freed.slots = exactly(SLOTS * 4);
	memset(freed.slots, 0, SLOTS * 4);
	freed.slots_touched = exactly(SLOTS / PM_FREED_TOUCHED + 1);
	memset(freed.slots_touched, 0, SLOTS / PM_FREED_TOUCHED + 1);
	freed.areas[1] = SLOTS / 2;
	for (unsigned i = 2; i <= PM_FREED_AREAS; i++)
		freed.areas[i] = SLOTS;
	for (freed.first = 0; freed.first < FRAMES; freed.first += window) {
		freed.again = freed.first != 0;
		freed.count = window;
		freed.table = exactly(window * 8);
		memset(freed.table, 0, window * 8);
		freed.touched = exactly(window / PM_FREED_TOUCHED + 1);
		memset(freed.touched, 0, window / PM_FREED_TOUCHED + 1);
		for (unsigned i = 0; i < HOLDERS; i++)
			for (unsigned j = 0; j < PROCESSES; j++)
				CHECK_EQUAL(pm_freed_add(&freed, held[i][j], counts[i][j], i,
							 LIE_FRAMES),
					    0);
		for (uint64_t from = 0; from < window; from += 1024)
			CHECK(pm_freed_settle(&freed, LIE_FRAMES, LIE_FRAMES + 1, from,
					      from + 1024 < window ? from + 1024 : window,
					      scratch) >= 0);
		free(freed.table);
		free(freed.touched);
	}
	pm_freed_slots(&freed);
	CHECK_EQUAL(freed.beyond, HOLDERS * PROCESSES);
	for (unsigned i = 0; i < HOLDERS; i++) {
		const struct pm_holder wanted = wanted_of(i, PROCESSES);
		const struct pm_holder *got = freed.holders + i;

		for (unsigned kind = 0; kind < PM_HOLDING_KINDS; kind++) {
			CHECK_EQUAL(got->mapped[kind], wanted.mapped[kind]);
			CHECK_EQUAL(got->sole[kind], wanted.sole[kind]);
		}
		CHECK_EQUAL(got->unmapped, wanted.unmapped);
		CHECK_EQUAL(got->slots, wanted.slots);
		CHECK_EQUAL(got->sole_slots, wanted.sole_slots);
	}
	free(freed.holders);
	free(freed.slots);
	free(freed.slots_touched);
	free(scratch);
}

/* Files about frames that fail, or end too early. */
static void failing(void)
{
	struct pm_holder holder = { { 0 }, { 0 }, 0, 0, 0 };
	uint64_t *scratch = exactly(4 * PM_READ_BLOCK * 8), table[512] = { 0 };
	uint8_t touched[2] = { 0 };
	struct pm_freed freed = { .table = table,
				  .touched = touched,
				  .count = 512,
				  .end = 512,
				  .holders = &holder,
				  .pmd_order = ORDER };
	const struct pm_holding one = { 300, 9, PM_HOLDING_ANON, 0, 1 };

	draw_frames();
	tell_truth(0);
	lie.word = word_of;
	lie.frames_end = 305;
	CHECK_EQUAL(pm_freed_add(&freed, &one, 1, 0, LIE_FRAMES), 0);
	CHECK_EQUAL(pm_freed_settle(&freed, LIE_FRAMES, LIE_FRAMES + 1, 0, 512, scratch), -ENODATA);
	lie.frames_end = 512;
	lie.word_error = EIO;
	for (int fd = LIE_FRAMES; fd < LIE_FRAMES + 2; fd++) {
		lie.word_error_of = fd;
		CHECK_EQUAL(pm_freed_settle(&freed, LIE_FRAMES, LIE_FRAMES + 1, 0, 512, scratch),
			    -EIO);
	}
	lie.word_error_of = LIE_FRAMES;
	CHECK_EQUAL(pm_freed_add(&freed, &one, 1, 0, LIE_FRAMES), -EIO);
	freed.pmd_order = 13;
	CHECK_EQUAL(pm_freed_settle(&freed, LIE_FRAMES, LIE_FRAMES + 1, 0, 512, scratch), -EINVAL);
	free(scratch);
}

enum { PAGES = 3000, SPANS = 3, PLAIN = PM_HOLDING_FILE, ZEROS_FROM = 50, ZEROS_COUNT = 2 };

static uint64_t entries[PAGES];

static uint64_t drawn_entry(uint64_t vpn)
{
	return vpn < PAGES ? entries[vpn] : 0;
}

static void draw_entries(void)
{
	for (uint64_t vpn = 0; vpn < PAGES;) {
		const uint64_t run = 1 + below(40), kind = below(6);
		const uint64_t bits = below(2) << 61 | below(2) << 56;
		/* some where a PMD may map them, and the pages of zeros */
		const uint64_t pfn = below(4) ? 1 + below(1 << 20) : below(2) ? vpn + 4096 : 49;

		for (uint64_t i = 0; i < run && vpn < PAGES; i++, vpn++)
			entries[vpn] = kind == 0   ? 0
				       : kind == 1 ? UINT64_C(1) << 62 |
							     (1000 + i) << PM_SWAP_OFF_FROM |
							     below(2) * 31
						   : UINT64_C(1) << 63 | bits | (pfn + i);
	}
	lie.entry = drawn_entry;
	lie.scan = 1;
}

/* What one page holds, as the contract has it. */
static struct pm_holding naive(uint64_t vpn, unsigned span_kind, uint32_t no_small, uint32_t alone)
{
	const uint64_t entry = entries[vpn], place = entry & PM_PLACE_MASK;
	const unsigned file = pm_flag(entry, 61), once = pm_flag(entry, 56);
	const unsigned aligned = place % 512 == vpn % 512;
	struct pm_holding page = { place, 1, 0, 0, (uint8_t)aligned };

	if (pm_flag(entry, 62)) {
		page.kind = PM_HOLDING_SLOT;
		page.aligned = 0;
		page.count = entry % 32 == 0;
		return page;
	}
	page.count = pm_flag(entry, 63) && !alone && place != ZEROS_FROM &&
		     place != ZEROS_FROM + 1 && !(file && span_kind & PM_HOLDING_ELSEWHERE);
	page.kind = (uint16_t)(span_kind & 7);
	if (page.kind != PM_HOLDING_HUGETLB && !file)
		page.kind = PM_HOLDING_ANON;
	if (once && !aligned && (page.kind || no_small))
		page = (struct pm_holding){ 0, page.count, page.kind, 1, 0 };
	return page;
}

static void collected(void)
{
	static const uint8_t span_kinds[][SPANS] = {
		{ PLAIN, PM_HOLDING_OTHER, PM_HOLDING_HUGETLB },
		{ PM_HOLDING_HUGETLB | PM_HOLDING_ELSEWHERE, PLAIN,
		  PM_HOLDING_OTHER | PM_HOLDING_ELSEWHERE },
	};
	const struct pm_range spans[SPANS] = { { 0, 1000 }, { 1000, 1100 }, { 2200, 800 } };
	uint8_t swap_kinds[32];
	const uint8_t *kinds_here = span_kinds[below(2)];
	const struct pm_holding_search search = {
		kinds_here, swap_kinds, ZEROS_FROM, ZEROS_COUNT, (uint32_t)below(2), !below(4),
	};
	const struct pm_source source = { spans, SPANS, 3, 12, 1, NULL };
	const struct pm_place to = { SPANS, 0 };
	struct pm_place at = { 0, 0 };
	struct pm_holding *out = exactly(PM_READ_BLOCK * sizeof(*out));
	uint64_t *scratch = exactly(PM_READ_BLOCK * 8), seen, vpn = 0;

	memset(swap_kinds, PM_ENTRY_MARKER, sizeof(swap_kinds));
	swap_kinds[0] = PM_ENTRY_SWAP;
	tell_truth(PAGES);
	draw_entries();
	while (at.span < SPANS) {
		int64_t got = pm_freed_collect(&source, &search, &at, &to, scratch, out,
					       PM_READ_BLOCK, &seen);

		CHECK(got >= 0);
		for (int64_t i = 0; i < got; i++)
			for (uint64_t j = 0; j < out[i].count; j++, vpn++) {
				struct pm_holding page = { 0 };
				unsigned span = 0;

				for (; vpn < PAGES; vpn++) {
					span = vpn < 1000 ? 0 : vpn < 2100 ? 1 : 2;
					if (vpn >= 2100 && vpn < 2200)
						continue;
					page = naive(vpn, kinds_here[span], search.no_small_folios,
						     search.slots_alone);
					if (page.count)
						break;
				}
				CHECK(vpn < PAGES);
				CHECK_EQUAL(out[i].kind, page.kind);
				CHECK_EQUAL(out[i].sole, page.sole);
				CHECK_EQUAL(out[i].aligned, page.aligned);
				CHECK_EQUAL(page.sole
						    ? 0
						    : out[i].at + j * (page.kind == PM_HOLDING_SLOT
									       ? 32
									       : 1),
					    page.at);
			}
	}
	for (; vpn < PAGES; vpn++)
		if (vpn < 2100 || vpn >= 2200)
			CHECK(!naive(vpn,
				     kinds_here[vpn < 1000   ? 0
						: vpn < 2100 ? 1
							     : 2],
				     search.no_small_folios, search.slots_alone)
				       .count);
	lie.error = EIO;
	at = (struct pm_place){ 0, 0 };
	CHECK_EQUAL(pm_freed_collect(&source, &search, &at, &to, scratch, out, 1, &seen), -EINVAL);
	free(scratch);
	free(out);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = 0; round < 20; round++) {
		drawn();
		collected();
	}
	failing();
	return 0;
}
