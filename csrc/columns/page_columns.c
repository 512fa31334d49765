/*
 * Rows of pages that were read, decoded into columns.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/decode.cdef.h"
#include "kernel/entry_kinds.h"
#include "kernel/kpage.cdef.h"
#include "columns/columns.cdef.h"

static void addresses(const struct pm_pages_job *job, const struct pm_page_rows *rows, int64_t *out)
{
	for (uint64_t i = 0; i < rows->runs_count; i++) {
		const uint64_t count = rows->runs[i].count;

		pm_addresses(rows->runs[i].vpn << job->source.page_shift,
			     UINT64_C(1) << job->source.page_shift, count, (uint64_t *)out);
		out += count;
	}
}

static void mappings(const struct pm_pages_job *job, const struct pm_page_rows *rows, int64_t *out)
{
	for (uint64_t i = 0; i < rows->runs_count; i++) {
		const int64_t start = (int64_t)job->starts[rows->spans[i]];

		for (uint64_t page = 0; page < rows->runs[i].count; page++)
			*out++ = start;
	}
}

static void paths(const struct pm_pages_job *job, const struct pm_page_rows *rows, int32_t *out)
{
	for (uint64_t i = 0; i < rows->runs_count; i++) {
		const int32_t path = job->paths[rows->spans[i]];

		for (uint64_t page = 0; page < rows->runs[i].count; page++)
			*out++ = path;
	}
}

/* One bit of each entry, eight to a byte. */
static void packed_bits(const uint64_t *entries, uint64_t count, uint32_t bit, uint8_t *out)
{
	uint64_t i = 0;

	for (; count - i >= 8; i += 8) {
		unsigned byte = 0;

		for (unsigned j = 0; j < 8; j++)
			byte |= pm_flag(entries[i + j], bit) << j;
		*out++ = (uint8_t)byte;
	}
	if (i < count)
		*out = 0;
	for (unsigned j = 0; i + j < count; j++)
		*out |= (uint8_t)(pm_flag(entries[i + j], bit) << j);
}

/*
 * Where no value is known, that is all ones: make it 0, and take note of it in `valid`.
 * Returns how many there are.
 */
static int64_t part_unknown(int64_t *values, uint64_t count, uint32_t packed, uint8_t *valid)
{
	int64_t unknown = 0;

	if (packed)
		memset(valid, 0, (count + 7) / 8);
	for (uint64_t i = 0; i < count; i++) {
		const unsigned known = values[i] != -1;

		unknown += !known;
		values[i] = known ? values[i] : 0;
		if (packed)
			valid[i / 8] |= (uint8_t)(known << (i % 8));
		else
			valid[i] = (uint8_t)known;
	}
	return unknown;
}

/* Numbers of kinds, and what is hidden; as part_unknown. */
static int64_t entry_kinds(const struct pm_pages_job *job, const struct pm_page_rows *rows,
			   uint32_t packed, int32_t *out, uint8_t *valid)
{
	int64_t unknown = 0;

	if (packed)
		memset(valid, 0, (rows->count + 7) / 8);
	for (uint64_t i = 0; i < rows->count; i++) {
		const uint32_t kind = pm_kind_of_entry(rows->entries[i], job->kinds);
		const unsigned known = kind != PM_ENTRY_HIDDEN;

		unknown += !known;
		out[i] = known ? (int32_t)kind : 0;
		if (packed)
			valid[i / 8] |= (uint8_t)(known << (i % 8));
		else
			valid[i] = (uint8_t)known;
	}
	return unknown;
}

static void swap_types(const struct pm_pages_job *job, const struct pm_page_rows *rows,
		       uint64_t *out)
{
	for (uint64_t i = 0; i < rows->count; i++) {
		const uint64_t entry = rows->entries[i];
		const int known = pm_flag(entry, PM_SWAPPED_BIT) && !job->hidden;

		out[i] = known ? entry & PM_SWAP_TYPES : PM_NO_VALUE;
	}
}

static int64_t words(const struct pm_page_rows *rows, int32_t fd, uint64_t *out, uint64_t *scratch)
{
	struct pm_wish *wishes = (struct pm_wish *)scratch;
	struct pm_wish *spare = wishes + rows->count;
	uint64_t *pfns = (uint64_t *)(spare + rows->count), *block = pfns + rows->count;
	int64_t count;

	pm_pfns(rows->entries, rows->count, pfns);
	count = pm_kpage_sort(pfns, rows->count, wishes, spare, out);
	return count < 0 ? count : pm_kpage_gather(fd, wishes, (uint64_t)count, block, out);
}

int64_t pm_pages_column(const struct pm_pages_job *job, const struct pm_page_rows *rows,
			uint32_t column, uint32_t packed, void *values, uint8_t *valid,
			uint64_t *scratch)
{
	int64_t got = 0;

	if (column < 64) {
		const int told = !(job->untold >> column & 1), all = packed ? 0xff : 1;

		if (valid)
			memset(valid, told ? all : 0, packed ? (rows->count + 7) / 8 : rows->count);
		if (!told) {
			memset(values, 0, packed ? (rows->count + 7) / 8 : rows->count);
			return (int64_t)rows->count;
		}
		if (packed)
			packed_bits(rows->entries, rows->count, column, values);
		else
			pm_bits(rows->entries, rows->count, column, values);
		return 0;
	}
	switch (column) {
	case PM_COLUMN_ADDRESS:
		addresses(job, rows, values);
		return 0;
	case PM_COLUMN_MAPPING:
		mappings(job, rows, values);
		return 0;
	case PM_COLUMN_PATH:
		paths(job, rows, values);
		return 0;
	case PM_COLUMN_KIND:
		return entry_kinds(job, rows, packed, values, valid);
	case PM_COLUMN_PFN:
		pm_pfns(rows->entries, rows->count, values);
		break;
	case PM_COLUMN_SWAP_TYPE:
		swap_types(job, rows, values);
		break;
	case PM_COLUMN_SWAP_OFFSET:
		pm_swap_offsets(rows->entries, rows->count, job->hidden, values);
		break;
	case PM_COLUMN_WORDS:
	case PM_COLUMN_WORDS + 1:
	case PM_COLUMN_WORDS + 2:
		got = words(rows, job->words[column - PM_COLUMN_WORDS], values, scratch);
		break;
	default:
		return -EINVAL;
	}
	return got < 0 ? got : part_unknown(values, rows->count, packed, valid);
}
