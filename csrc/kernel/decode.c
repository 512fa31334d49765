/*
 * Entries into columns. The loops have no branches, so compilers vectorise them.
 */
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/decode.cdef.h"

/* `value` where `known` is 1, all ones where it is 0. */
static inline uint64_t value_if(uint64_t value, uint64_t known)
{
	return value | (known - 1);
}

void pm_pfns(const uint64_t *entries, uint64_t count, uint64_t *out)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t frame = entries[i] & PM_PLACE_MASK;

		out[i] = value_if(frame, pm_flag(entries[i], PM_PRESENT_BIT) & (frame != 0));
	}
}

void pm_addresses(uint64_t start, uint64_t page_size, uint64_t count, uint64_t *out)
{
	for (uint64_t i = 0; i < count; i++)
		out[i] = start + i * page_size;
}

void pm_bits(const uint64_t *entries, uint64_t count, uint32_t bit, uint8_t *out)
{
	for (uint64_t i = 0; i < count; i++)
		out[i] = (uint8_t)pm_flag(entries[i], bit & 63);
}

void pm_swap_types(const uint64_t *entries, uint64_t count, uint32_t hidden, uint8_t *out)
{
	for (uint64_t i = 0; i < count; i++) {
		unsigned known = pm_flag(entries[i], PM_SWAPPED_BIT) & !hidden;

		out[i] = (uint8_t)((entries[i] & PM_SWAP_TYPES) | (known - 1u));
	}
}

void pm_swap_offsets(const uint64_t *entries, uint64_t count, uint32_t hidden, uint64_t *out)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset = (entries[i] & PM_PLACE_MASK) >> PM_SWAP_OFF_FROM;

		out[i] = value_if(offset, pm_flag(entries[i], PM_SWAPPED_BIT) & !hidden);
	}
}
