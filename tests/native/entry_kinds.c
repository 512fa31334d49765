/*
 * The kind of an entry, of words computed by hand; kinds and counts write no
 * more than they may. All other words are checked against Python in
 * tests/property.
 */
#include "check.h"
#include "kernel/entry_kinds.h"

/* 32 types of a kernel with everything: 0..22 swap, 23 poison, 24..26, 27..30 and 31 */
static const uint8_t all_kinds[PM_TYPES_OF_SWAP] = {
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 6, 5, 5, 5, 7, 7, 7, 7, 4
};

static void by_hand(void)
{
	static const struct {
		uint64_t entry;
		uint32_t kind;
	} known[] = {
		{ 0, PM_ENTRY_NONE },
		{ UINT64_C(0x0080000000000000), PM_ENTRY_NONE },    /* untouched, soft-dirty */
		{ UINT64_C(0x8100000000012345), PM_ENTRY_PRESENT }, /* exclusive */
		{ UINT64_C(0x8000000000000000), PM_ENTRY_PRESENT }, /* its PFN hidden */
		{ UINT64_C(0xc00000000000003f), PM_ENTRY_PRESENT }, /* never seen: both bits */
		{ UINT64_C(0x4000000000000020), PM_ENTRY_SWAP },    /* type 0, page 1 */
		{ UINT64_C(0x4000000000000016), PM_ENTRY_SWAP },    /* type 22 */
		{ UINT64_C(0x4000000000000017), PM_ENTRY_POISONED },
		{ UINT64_C(0x4000000000000038), PM_ENTRY_MIGRATING },
		{ UINT64_C(0x400000000000003e), PM_ENTRY_DEVICE },
		{ UINT64_C(0x420000000000003f), PM_ENTRY_MARKER },   /* userfaultfd's, type 31 */
		{ UINT64_C(0x400000000000005f), PM_ENTRY_POISONED }, /* UFFDIO_POISON */
		{ UINT64_C(0x440000000000009f), PM_ENTRY_GUARD },
		{ UINT64_C(0x400000000000009f), PM_ENTRY_GUARD },  /* without bit 58: 6.13 */
		{ UINT64_C(0x4400000000000000), PM_ENTRY_GUARD },  /* its type hidden */
		{ UINT64_C(0x0400000000000000), PM_ENTRY_NONE },   /* never seen: 58 alone */
		{ UINT64_C(0x0200000000000000), PM_ENTRY_MARKER }, /* hugetlb's */
		{ UINT64_C(0x4200000000000000), PM_ENTRY_HIDDEN }, /* in swap, or a marker */
		{ UINT64_C(0x4080000000000000), PM_ENTRY_HIDDEN },
		{ UINT64_C(0x40000000000000df), PM_ENTRY_GUARD }, /* both bits of a marker */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		CHECK_EQUAL(pm_kind_of_entry(known[i].entry, all_kinds), known[i].kind);
}

static void check_count(uint64_t count)
{
	uint64_t *entries = exactly(count * 8), *counts = exactly(PM_ENTRY_KINDS * 8), sum = 0;
	uint8_t *kinds = exactly(PM_TYPES_OF_SWAP), *out = exactly(count);

	memcpy(kinds, all_kinds, sizeof(all_kinds));
	memset(counts, 0, PM_ENTRY_KINDS * 8);
	for (uint64_t i = 0; i < count; i++)
		entries[i] = lie_entry(i);
	pm_entry_kinds_of(entries, count, kinds, out);
	pm_entry_kinds_count(entries, count, kinds, counts);
	for (uint64_t i = 0; i < count; i++) {
		CHECK_EQUAL(out[i], pm_kind_of_entry(entries[i], kinds));
		CHECK(counts[out[i]]-- > 0);
	}
	for (unsigned kind = 0; kind < PM_ENTRY_KINDS; kind++)
		sum += counts[kind];
	CHECK_EQUAL(sum, 0);
	free(entries);
	free(counts);
	free(kinds);
	free(out);
}

int main(void)
{
	static const uint64_t counts[] = { 0, 1, 7, 8, 9, 63, 64, 65, 1000 };

	by_hand();
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		check_count(counts[i]);
	return 0;
}
