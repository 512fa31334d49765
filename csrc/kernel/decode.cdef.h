/* Entries into columns; `out` holds `count` items. */
#ifndef PM_KERNEL_DECODE_CDEF_H
#define PM_KERNEL_DECODE_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pm_decode_values {
	PM_NO_SWAP_TYPE = 255, /* in a column of swap types: not swapped, or hidden */
};

/* PFNs; all ones where a page is not present or its PFN is hidden (0). */
void pm_pfns(const uint64_t *entries, uint64_t count, uint64_t *out);

/* Addresses in bytes: start, start + page_size, ... */
void pm_addresses(uint64_t start, uint64_t page_size, uint64_t count, uint64_t *out);

/* 1 where `bit` (0..63) is set, else 0. */
void pm_bits(const uint64_t *entries, uint64_t count, uint32_t bit, uint8_t *out);

/* Swap types; PM_NO_SWAP_TYPE where a page is not swapped. `hidden` says that
 * the kernel hides types and offsets: then there is no value anywhere. */
void pm_swap_types(const uint64_t *entries, uint64_t count, uint32_t hidden, uint8_t *out);

/* Swap offsets in pages; all ones where a page is not swapped or `hidden`. */
void pm_swap_offsets(const uint64_t *entries, uint64_t count, uint32_t hidden, uint64_t *out);

#ifdef __cplusplus
}
#endif

#endif
