/*
 * Kinds of entries, many at a time.
 */
#include <assert.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/entry_kinds.h"

static_assert(PM_SWAP_TYPES + 1 == PM_TYPES_OF_SWAP, "a type is the low bits of a place");

void pm_entry_kinds_of(const uint64_t *entries, uint64_t count, const uint8_t *kinds, uint8_t *out)
{
	for (uint64_t i = 0; i < count; i++)
		out[i] = (uint8_t)pm_kind_of_entry(entries[i], kinds);
}

void pm_entry_kinds_count(const uint64_t *entries, uint64_t count, const uint8_t *kinds,
			  uint64_t *counts)
{
	for (uint64_t i = 0; i < count; i++)
		counts[pm_kind_of_entry(entries[i], kinds)]++;
}
