/*
 * Rows of text: `address pfn soft-dirty file/shared swapped present label`,
 * numbers in hex. The label begins with the space before it.
 *
 * In a reserved address space most pages are untouched, the kernel gives their
 * entries in 2 ns each, and their rows differ in the address alone. Sixteen of
 * them make a block in which one digit counts from 0 to f; the next block is
 * the same with the digit before it one higher. So blocks are copied and
 * patched, which takes a sixth of the time of writing each row.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "rows/digits.h"
#include "rows/rows.h"

enum { BLOCK = 16 };

/* " D F S P", each 0 or 1: the flags of a row, as one word. */
static inline uint64_t four_flags(uint64_t entry)
{
	const uint64_t zeros = UINT64_C(0x3020302030203020);

	return zeros | (uint64_t)pm_flag(entry, PM_SOFT_DIRTY_BIT) << 8 |
	       (uint64_t)pm_flag(entry, PM_FILE_BIT) << 24 |
	       (uint64_t)pm_flag(entry, PM_SWAPPED_BIT) << 40 |
	       (uint64_t)pm_flag(entry, PM_PRESENT_BIT) << 56;
}

/* What comes after the address. `held` are the bits for which a hidden value
 * stands in the pfn column. */
static inline char *put_rest(char *out, uint64_t entry, uint64_t held, const char *label,
			     uint64_t label_size)
{
	*out++ = ' ';
	if (entry & held)
		*out++ = '-';
	else
		out = pm_put_hex(out, entry & PM_PLACE_MASK);
	pm_store(out, four_flags(entry));
	return pm_put_label(out + 8, label, label_size);
}

/* The rows of pages of one block of sixteen: one digit counts, the others stay. */
static char *put_rows(char *out, uint64_t vpn, unsigned shift, const uint64_t *entries,
		      uint64_t count, uint64_t held, const char *label, uint64_t label_size)
{
	char address[24];
	const uint64_t length = (uint64_t)(pm_put_hex(address, vpn << shift) - address);
	const uint64_t at = length - shift / 4 - 1;

	for (uint64_t i = 0; i < count; i++) {
		memcpy(out, address, 16);
		out[at] = "0123456789abcdef"[(vpn + i) % BLOCK];
		out = put_rest(out + length, entries[i], held, label, label_size);
	}
	return out;
}

static inline int same_block(const uint64_t *entries, uint64_t entry)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < BLOCK; i++)
		differ |= entries[i] ^ entry;
	return !differ;
}

/*
 * Copy the block of rows that ends at *end for as long as the blocks after it
 * hold the same entries and only one digit, the one before a page's own, must
 * change. `entries` and `vpn` are those after the block. Returns their number.
 */
static uint64_t repeat_block(const uint64_t *entries, uint64_t count, uint64_t vpn, unsigned shift,
			     uint64_t size, char **end)
{
	/* of the block's own addresses: those after it may lie past 2^64 */
	const uint64_t digits = (67 - (uint64_t)__builtin_clzll((vpn - 1) << shift)) / 4;
	const uint64_t at = digits - shift / 4 - 2, row = size / BLOCK, entry = entries[-1];
	uint64_t done = 0;
	char *out = *end;

	while (count - done >= BLOCK && ((vpn + done) / BLOCK) % 16 &&
	       same_block(entries + done, entry)) {
		const char digit = "0123456789abcdef"[((vpn + done) / BLOCK) % 16];

		memcpy(out, out - size, size);
		for (unsigned i = 0; i < BLOCK; i++)
			out[i * row + at] = digit;
		out += size;
		done += BLOCK;
	}
	*end = out;
	return done;
}

char *pm_rows_text(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		   uint64_t vpn, const char *label, uint64_t label_size, char *out)
{
	const uint64_t held = rows->hidden ? PM_BIT(PM_PRESENT_BIT) | PM_BIT(PM_SWAPPED_BIT) : 0;
	const unsigned shift = rows->source.page_shift;
	uint64_t i = 0;

	while (i < count) {
		const uint64_t left = BLOCK - (vpn + i) % BLOCK, rest = count - i;
		const uint64_t here = left < rest ? left : rest;
		/* below page 16, and past 2^64 again, addresses grow longer within a
		 * block; and a page of 16 KiB does not count in whole digits */
		const int counts = shift % 4 == 0 && (vpn + i) << shift >> shift >= BLOCK;
		const int block = counts && here == BLOCK && same_block(entries + i, entries[i]);
		char *first = out;

		if (counts)
			out = put_rows(out, vpn + i, shift, entries + i, here, held, label,
				       label_size);
		else
			out = put_rest(pm_put_hex(out, (vpn + i) << shift), entries[i], held, label,
				       label_size);
		i += counts ? here : 1;
		if (block)
			i += repeat_block(entries + i, count - i, vpn + i, shift,
					  (uint64_t)(out - first), &out);
	}
	return out;
}
