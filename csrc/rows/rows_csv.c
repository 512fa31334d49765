/*
 * Rows of CSV: address and pfn (0x hex), soft_dirty, file_or_shared, swapped,
 * present, exclusive, uffd_wp, guard, swap_type, swap_offset, label. What is
 * unknown stays empty.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "rows/digits.h"
#include "rows/rows.h"

/* `untold` is a constant for most kernels, which saves a twentieth of the time. */
static inline __attribute__((always_inline)) char *
put_rows(const struct pm_rows *rows, const uint64_t *entries, uint64_t count, uint64_t vpn,
	 const char *label, uint64_t label_size, char *out, uint64_t untold)
{
	static const unsigned char columns[] = {
		PM_SOFT_DIRTY_BIT, PM_FILE_BIT,	   PM_SWAPPED_BIT, PM_PRESENT_BIT,
		PM_EXCLUSIVE_BIT,  PM_UFFD_WP_BIT, PM_GUARD_BIT,
	};

	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = entries[i], place = entry & PM_PLACE_MASK;

		out = PM_PUT(out, "0x");
		out = pm_put_hex(out, (vpn + i) << rows->source.page_shift);
		*out++ = ',';
		if (pm_flag(entry, PM_PRESENT_BIT) && place)
			out = pm_put_hex(PM_PUT(out, "0x"), place);
		*out++ = ',';
		for (unsigned c = 0; c < sizeof(columns); c++) {
			if (!pm_flag(untold, columns[c]))
				*out++ = (char)('0' + pm_flag(entry, columns[c]));
			*out++ = ',';
		}
		if (pm_flag(entry, PM_SWAPPED_BIT) && !rows->hidden) {
			out = pm_put_decimal(out, place & PM_SWAP_TYPES);
			*out++ = ',';
			out = pm_put_decimal(out, place >> PM_SWAP_OFF_FROM);
			*out++ = ',';
		} else {
			out = PM_PUT(out, ",,");
		}
		out = pm_put_label(out, label, label_size);
	}
	return out;
}

char *pm_rows_csv(const struct pm_rows *rows, const uint64_t *entries, uint64_t count, uint64_t vpn,
		  const char *label, uint64_t label_size, char *out)
{
	if (!rows->untold)
		return put_rows(rows, entries, count, vpn, label, label_size, out, 0);
	return put_rows(rows, entries, count, vpn, label, label_size, out, rows->untold);
}
