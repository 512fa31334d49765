/*
 * Numbers into digits, without printf: a dump writes three numbers a row, and
 * rows must cost less than the kernel's 35 ns a page.
 *
 * Functions that append return the new end. They store whole words, so up to 8
 * bytes past that end may be touched.
 */
#ifndef PM_DIGITS_H
#define PM_DIGITS_H

#include <stdint.h>
#include <string.h>

/* Store the bytes of `word`, the lowest first, whatever the machine's order. */
static inline void pm_store(char *out, uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	memcpy(out, &word, sizeof(word));
}

/*
 * The eight hex digits of `value` in one word, the first digit in its lowest
 * byte. The nibbles are spread to a byte each, then all eight become letters
 * at once: '0' + nibble, and 'a' - '9' - 1 = 39 more where nibble + 6 carries.
 */
static inline uint64_t pm_hex8(uint32_t value)
{
	uint64_t x = value;

	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	x = __builtin_bswap64(x);
	x += UINT64_C(0x3030303030303030) +
	     ((x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101)) * 39;
	return x;
}

/* Hex without leading zeros, at least one digit. */
static inline char *pm_put_hex32(char *out, uint32_t value)
{
	unsigned zeros = (unsigned)__builtin_clz(value | 1) / 4;

	pm_store(out, pm_hex8(value) >> (8 * zeros));
	return out + 8 - zeros;
}

static inline char *pm_put_hex(char *out, uint64_t value)
{
	if (value >> 32) {
		out = pm_put_hex32(out, (uint32_t)(value >> 32));
		pm_store(out, pm_hex8((uint32_t)value));
		return out + 8;
	}
	return pm_put_hex32(out, (uint32_t)value);
}

/* Decimal without leading zeros, at least one digit. */
static inline char *pm_put_decimal(char *out, uint64_t value)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(out, digits + at, sizeof(digits) - at);
	return out + (sizeof(digits) - at);
}

/* A literal, without its NUL. */
#define PM_PUT(out, literal) \
	((char *)memcpy(out, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/*
 * A label, in steps of 16 bytes: the common ones take one or two, and a memcpy
 * of unknown size is a call. Reads and writes up to 15 bytes too many.
 */
static inline char *pm_put_label(char *out, const char *label, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += 16)
		memcpy(out + at, label + at, 16);
	return out + size;
}

#endif
