/* An item of the table from frames to holders. */
#ifndef PM_FREED_H
#define PM_FREED_H

#include <stdint.h>

#include "kernel/core.h"
#include "analyses/freed.cdef.h"

/*
 *   63                       32  31  30   28 27                        0
 *  +---------------------------+---+-------+---------------------------+
 *  |      holder, plus 1       | S | kind  | mappings of the holder    |
 *  +---------------------------+---+-------+---------------------------+
 *
 *  0: nobody maps the frame.   S several holders do; then the last one is there.
 *
 * Items of slots are the upper half, with S in the highest bit of it.
 */
enum pm_item_bits {
	PM_ITEM_KIND_FROM = 28,
	PM_ITEM_SEVERAL_BIT = 31,
	PM_ITEM_HOLDER_FROM = 32,
	PM_SLOT_SEVERAL_BIT = 31,
};

#define PM_ITEM_COUNT (PM_BIT(PM_ITEM_KIND_FROM) - 1)
#define PM_ITEM_KIND  UINT64_C(7)

static inline uint64_t pm_item_holder(uint64_t item)
{
	return (item >> PM_ITEM_HOLDER_FROM) - 1;
}

static inline unsigned pm_item_kind(uint64_t item)
{
	return (unsigned)(item >> PM_ITEM_KIND_FROM & PM_ITEM_KIND);
}

static inline int pm_item_has_several(uint64_t item)
{
	return pm_flag(item, PM_ITEM_SEVERAL_BIT) != 0;
}

#endif
