/*
 * Any words as entries, judged one by one with plain divisions: columns, kinds, counts, and
 * rows of every format as printf would write them; within buffers of exactly their size. The
 * first bytes of an input choose a filter and whether the kernel hides PFNs.
 */
#include "../native/check.h"
#include "kernel/decode.cdef.h"
#include "kernel/entry_kinds.cdef.h"
#include "analyses/footprint.cdef.h"
#include "analyses/tally.cdef.h"
#include "rows/rows.cdef.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 64 };

static unsigned bit(uint64_t entry, unsigned number)
{
	return (unsigned)(entry / (UINT64_C(1) << number) % 2);
}

static uint64_t place(uint64_t entry)
{
	return entry % (UINT64_C(1) << 55);
}

static void check_columns(const uint64_t *entries, uint64_t count, uint32_t hidden)
{
	uint64_t *words = exactly(count * 8);
	uint8_t *bytes = exactly(count);

	pm_pfns(entries, count, words);
	for (uint64_t i = 0; i < count; i++)
		CHECK(words[i] ==
		      (bit(entries[i], 63) && place(entries[i]) ? place(entries[i]) : UINT64_MAX));
	pm_swap_offsets(entries, count, hidden, words);
	for (uint64_t i = 0; i < count; i++)
		CHECK(words[i] ==
		      (bit(entries[i], 62) && !hidden ? place(entries[i]) / 32 : UINT64_MAX));
	pm_swap_types(entries, count, hidden, bytes);
	for (uint64_t i = 0; i < count; i++)
		CHECK(bytes[i] ==
		      (bit(entries[i], 62) && !hidden ? entries[i] % 32 : PM_NO_SWAP_TYPE));
	for (unsigned number = 0; number < 64; number++) {
		pm_bits(entries, count, number, bytes);
		for (uint64_t i = 0; i < count; i++)
			CHECK_EQUAL(bytes[i], bit(entries[i], number));
	}
	free(words);
	free(bytes);
}

static void check_kinds(const uint64_t *entries, uint64_t count, const uint8_t *drawn)
{
	uint8_t *kinds = exactly(PM_TYPES_OF_SWAP), *out = exactly(count);
	uint64_t *counts = exactly(PM_ENTRY_KINDS * 8), summed[PM_ENTRY_KINDS] = { 0 };

	for (unsigned i = 0; i < PM_TYPES_OF_SWAP; i++) {
		static const uint8_t all[] = { PM_ENTRY_SWAP, PM_ENTRY_MARKER, PM_ENTRY_MIGRATING,
					       PM_ENTRY_POISONED, PM_ENTRY_DEVICE };

		kinds[i] = all[(drawn[i % 2] + i) % 5];
	}
	memset(counts, 0, PM_ENTRY_KINDS * 8);
	pm_entry_kinds_of(entries, count, kinds, out);
	pm_entry_kinds_count(entries, count, kinds, counts);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t entry = entries[i];

		CHECK(out[i] < PM_ENTRY_KINDS);
		summed[out[i]]++;
		CHECK_EQUAL(out[i] == PM_ENTRY_PRESENT, bit(entry, 63));
		if (bit(entry, 63))
			continue;
		if (!bit(entry, 62))
			CHECK_EQUAL(out[i], bit(entry, 57) ? PM_ENTRY_MARKER : PM_ENTRY_NONE);
		else if (bit(entry, 58))
			CHECK_EQUAL(out[i], PM_ENTRY_GUARD);
		else
			CHECK_EQUAL(out[i] == PM_ENTRY_HIDDEN, !place(entry));
	}
	for (unsigned i = 0; i < PM_ENTRY_KINDS; i++)
		CHECK_EQUAL(counts[i], summed[i]);
	free(kinds);
	free(out);
	free(counts);
}

/* Counts of all are those of the first and those of the rest, wherever they are parted. */
static void check_sums(const uint64_t *entries, uint64_t count, uint64_t cut)
{
	struct pm_tally whole = { 0 }, first = { 0 }, rest = { 0 };
	struct pm_footprint page = { 0 };
	static const uint8_t kinds[PM_TYPES_OF_SWAP] = { PM_ENTRY_SWAP, PM_ENTRY_MARKER };

	pm_tally_add(entries, count, &whole);
	pm_tally_add(entries, cut, &first);
	pm_tally_add(entries + cut, count - cut, &rest);
	for (unsigned i = 0; i < sizeof(whole) / 8; i++)
		CHECK_EQUAL(((uint64_t *)&first)[i] + ((uint64_t *)&rest)[i],
			    ((uint64_t *)&whole)[i]);
	CHECK_EQUAL(whole.pages, count);
	for (uint64_t i = 0; i + 6 < count; i++) {
		const struct pm_footprint before = page;
		const struct pm_footprint_pages pages = {
			.entries = entries + i,
			.vpns = entries + i + 1,
			.counts = entries + i + 2,
			.flags = entries + i + 3,
			.count = 4,
			.kinds = kinds,
			.page_shift = 12,
			.shared = i % 2,
		};

		pm_footprint_add(&pages, &page);
		CHECK(page.rss - before.rss <= 4 && page.swap - before.swap <= 4);
		CHECK_EQUAL(page.rss, page.shared_clean + page.shared_dirty + page.shared_untold +
					      page.private_clean + page.private_dirty +
					      page.private_untold);
		CHECK(page.anon + page.shmem <= page.rss);
		CHECK(page.pss - before.pss <= UINT64_C(4 * 4096) * 4096);
	}
}

static int put_text(char *out, size_t room, uint64_t entry, uint64_t address, int hidden)
{
	char pfn[32] = "-";

	if (!hidden || !(entry >> 62))
		snprintf(pfn, sizeof(pfn), "%" PRIx64, place(entry));
	return snprintf(out, room, "%" PRIx64 " %s %u %u %u %u label\n", address, pfn,
			bit(entry, 55), bit(entry, 61), bit(entry, 62), bit(entry, 63));
}

/* The rows that pass the filter, all of them within the bound that is promised. */
static void check_rows(const uint64_t *entries, uint64_t count, struct pm_rows *rows)
{
	static const char source[] = " label\n"; /* as of text: with the space before it */
	const size_t label_size = sizeof(source) - 1;
	const uint64_t vpn = rows->all_of ? UINT64_C(1) << 51 : 7;
	char *label = exactly(label_size + PM_ROW_SLACK);

	memcpy(label, source, label_size);
	for (rows->format = 0; rows->format < 3; rows->format++) {
		const uint64_t bound = pm_row_bound(rows->format);
		const size_t room = count * (bound + label_size) + PM_ROW_SLACK;
		char *out = exactly(room), *at = out;
		const int64_t got =
			pm_rows_format(rows, entries, count, vpn, label, label_size, out);

		CHECK(got >= 0 && (uint64_t)got <= room - PM_ROW_SLACK);
		for (uint64_t i = 0; i < count; i++) {
			const int passes = (entries[i] & rows->all_of) == rows->all_of &&
					   !(entries[i] & rows->none_of);
			char row[128];
			int size;

			if (!passes)
				continue;
			if (rows->format != PM_TEXT) {
				at = memchr(at, '\n', (size_t)(out + got - at));
				CHECK(at != NULL);
				at++;
				continue;
			}
			size = put_text(row, sizeof(row), entries[i], (vpn + i) << 12,
					(int)rows->hidden);
			CHECK(size <= out + got - at && !memcmp(at, row, (size_t)size));
			at += size;
		}
		CHECK(at == out + got);
		free(out);
	}
	free(label);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t head[2] = { 0 }, count, *entries;
	struct pm_rows rows = { .source.page_shift = 12 };

	if (size < sizeof(head))
		return 0;
	memcpy(head, data, sizeof(head));
	count = (size - sizeof(head)) / 8;
	if (count > MOST)
		count = MOST;
	entries = exactly(count * 8);
	memcpy(entries, data + sizeof(head), count * 8);
	rows.hidden = bit(head[0], 0);
	rows.all_of = head[0] >> 55 << 55 & head[1];
	rows.none_of = head[0] >> 55 << 55 & ~head[1];
	/* where the kernel hides them, they are 0 */
	for (uint64_t i = 0; rows.hidden && i < count; i++)
		entries[i] = entries[i] >> 55 << 55;
	check_columns(entries, count, rows.hidden);
	check_kinds(entries, count, data);
	check_sums(entries, count, count ? head[1] % (count + 1) : 0);
	check_rows(entries, count, &rows);
	free(entries);
	return 0;
}
