/*
 * Rows of text: `address pfn soft-dirty file/shared swapped present label`,
 * numbers in hex. The label begins with the space before it.
 */
#include <stdint.h>

#include "core.h"
#include "digits.h"

/* " D F S P", each 0 or 1: the flags of a row, as one word. */
static inline uint64_t four_flags(uint64_t entry)
{
	const uint64_t zeros = UINT64_C(0x3020302030203020);

	return zeros | (uint64_t)pm_flag(entry, PM_SOFT_DIRTY_BIT) << 8 |
	       (uint64_t)pm_flag(entry, PM_FILE_BIT) << 24 |
	       (uint64_t)pm_flag(entry, PM_SWAPPED_BIT) << 40 |
	       (uint64_t)pm_flag(entry, PM_PRESENT_BIT) << 56;
}

char *pm_rows_text(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		   uint64_t vpn, const char *label, uint64_t label_size, char *out)
{
	/* the two bits for which a hidden value stands in the pfn column */
	const uint64_t held =
		rows->hidden ? PM_BIT(PM_PRESENT_BIT) | PM_BIT(PM_SWAPPED_BIT) : 0;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = entries[i];

		out = pm_put_hex(out, (vpn + i) << rows->page_shift);
		*out++ = ' ';
		if (entry & held)
			*out++ = '-';
		else
			out = pm_put_hex(out, entry & PM_PLACE_MASK);
		pm_store(out, four_flags(entry));
		out = pm_put_label(out + 8, label, label_size);
	}
	return out;
}
