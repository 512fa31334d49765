/* Rows of text are what printf would have written: the table that everybody knows. */
#include "check.h"
#include "rows/rows.cdef.h"

enum { SHIFT = 12 };

static unsigned bit(uint64_t entry, int number)
{
	return (unsigned)(entry >> number & 1);
}

static void check_row(uint64_t entry, uint64_t vpn, int hidden)
{
	struct pm_rows rows = { .format = PM_TEXT,
				.source.page_shift = SHIFT,
				.hidden = (uint32_t)hidden };
	char wanted[200], pfn[32], got[200], label[16 + PM_ROW_SLACK] = " /bin/bash\n";
	int size;

	snprintf(pfn, sizeof(pfn), "%" PRIx64, entry & ((UINT64_C(1) << 55) - 1));
	size = snprintf(wanted, sizeof(wanted), "%" PRIx64 " %s %u %u %u %u%s", vpn << SHIFT,
			hidden && (bit(entry, 63) || bit(entry, 62)) ? "-" : pfn, bit(entry, 55),
			bit(entry, 61), bit(entry, 62), bit(entry, 63), label);
	CHECK_EQUAL(pm_rows_format(&rows, &entry, 1, vpn, label, strlen(label), got), size);
	CHECK_EQUAL(memcmp(got, wanted, (size_t)size), 0);
}

int main(void)
{
	for (int shift = 0; shift < 64; shift++)
		for (int hidden = 0; hidden < 2; hidden++) {
			uint64_t one = UINT64_C(1) << shift;

			check_row(one, 0x400, hidden);
			check_row(one - 1, 0, hidden);
			check_row(~one, UINT64_MAX >> SHIFT, hidden);
			check_row(~(one - 1), one >> SHIFT, hidden);
			check_row(lie_entry(one), (one - 1) >> SHIFT, hidden);
		}
	return 0;
}
