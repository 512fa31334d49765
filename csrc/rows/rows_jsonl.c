/*
 * Rows of JSON, one object a line. What is unknown is null. The label is the
 * quoted path with the closing brace and the newline.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "rows/digits.h"
#include "rows/rows.h"

/* `literal` is the key with the comma before it and the colon after. */
#define PUT_FLAG(out, literal, entry, bit)                   \
	(pm_flag(untold, bit)  ? PM_PUT(out, literal "null") \
	 : pm_flag(entry, bit) ? PM_PUT(out, literal "true") \
			       : PM_PUT(out, literal "false"))

static inline __attribute__((always_inline)) char *put_flags(char *out, uint64_t entry,
							     uint64_t untold)
{
	out = PUT_FLAG(out, ",\"soft_dirty\":", entry, PM_SOFT_DIRTY_BIT);
	out = PUT_FLAG(out, ",\"file_or_shared\":", entry, PM_FILE_BIT);
	out = PUT_FLAG(out, ",\"swapped\":", entry, PM_SWAPPED_BIT);
	out = PUT_FLAG(out, ",\"present\":", entry, PM_PRESENT_BIT);
	out = PUT_FLAG(out, ",\"exclusive\":", entry, PM_EXCLUSIVE_BIT);
	out = PUT_FLAG(out, ",\"uffd_wp\":", entry, PM_UFFD_WP_BIT);
	out = PUT_FLAG(out, ",\"guard\":", entry, PM_GUARD_BIT);
	return out;
}

/* `untold` is a constant for most kernels, which saves a twentieth of the time. */
static inline __attribute__((always_inline)) char *
put_rows(const struct pm_rows *rows, const uint64_t *entries, uint64_t count, uint64_t vpn,
	 const char *label, uint64_t label_size, char *out, uint64_t untold)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t entry = entries[i], place = entry & PM_PLACE_MASK;

		out = PM_PUT(out, "{\"address\":\"0x");
		out = pm_put_hex(out, (vpn + i) << rows->source.page_shift);
		if (pm_flag(entry, PM_PRESENT_BIT) && place) {
			out = PM_PUT(out, "\",\"pfn\":\"0x");
			out = pm_put_hex(out, place);
			*out++ = '"';
		} else {
			out = PM_PUT(out, "\",\"pfn\":null");
		}
		out = put_flags(out, entry, untold);
		if (pm_flag(entry, PM_SWAPPED_BIT) && !rows->hidden) {
			out = PM_PUT(out, ",\"swap_type\":");
			out = pm_put_decimal(out, place & PM_SWAP_TYPES);
			out = PM_PUT(out, ",\"swap_offset\":");
			out = pm_put_decimal(out, place >> PM_SWAP_OFF_FROM);
		} else {
			out = PM_PUT(out, ",\"swap_type\":null,\"swap_offset\":null");
		}
		out = PM_PUT(out, ",\"path\":");
		out = pm_put_label(out, label, label_size);
	}
	return out;
}

char *pm_rows_jsonl(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		    uint64_t vpn, const char *label, uint64_t label_size, char *out)
{
	if (!rows->untold)
		return put_rows(rows, entries, count, vpn, label, label_size, out, 0);
	return put_rows(rows, entries, count, vpn, label, label_size, out, rows->untold);
}
