/*
 * What an entry of a page table is: one kind for each, in words of smaps and of
 * the kernel's own markers. Bit 62 alone does not tell: besides pages in swap it
 * is set for whatever the kernel keeps in place of a page.
 */
#ifndef PM_KERNEL_ENTRY_KINDS_CDEF_H
#define PM_KERNEL_ENTRY_KINDS_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pm_entry_kind {
	PM_ENTRY_NONE = 0,	/* nothing is there */
	PM_ENTRY_PRESENT = 1,	/* a page in memory */
	PM_ENTRY_SWAP = 2,	/* a page in swap */
	PM_ENTRY_GUARD = 3,	/* MADV_GUARD_INSTALL: no page can be there */
	PM_ENTRY_MARKER = 4,	/* userfaultfd's protection of what has no page */
	PM_ENTRY_MIGRATING = 5, /* a page of memory that is being moved just now */
	PM_ENTRY_POISONED = 6,	/* memory that broke, or was declared to be broken */
	PM_ENTRY_DEVICE = 7,	/* a page that a device holds */
	PM_ENTRY_HIDDEN = 8,	/* one of 2, 4, 5, 6 and 7: the kernel hides which */
};

enum pm_entry_kinds {
	PM_ENTRY_KINDS = 9,    /* numbers of kinds */
	PM_TYPES_OF_SWAP = 32, /* swap types of which a kernel may tell: five bits */
};

/*
 * entry_kinds.c: the kind of each of `count` entries. `kinds` says what the
 * PM_TYPES_OF_SWAP types are on this kernel (pagemap/_kernel/swap_types.py), each
 * PM_ENTRY_SWAP, _MARKER, _MIGRATING, _POISONED or _DEVICE.
 */
void pm_entry_kinds_of(const uint64_t *entries, uint64_t count, const uint8_t *kinds, uint8_t *out);

/* Add to counts[kind] how many of `count` entries are of it; it has PM_ENTRY_KINDS items. */
void pm_entry_kinds_count(const uint64_t *entries, uint64_t count, const uint8_t *kinds,
			  uint64_t *counts);

#ifdef __cplusplus
}
#endif

#endif
