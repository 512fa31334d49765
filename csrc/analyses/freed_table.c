/*
 * Whose a frame is: each holder in turn takes its frames, and those that another one took
 * before are marked. So it is counted for each how many it maps, each once, however many
 * of its processes do.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "analyses/freed.h"

static_assert(PM_FREED_AREAS == PM_SWAP_TYPES + 1, "an area for each type of swap entry");

/* Returns 1 where the holder had not met the frame before. */
static unsigned take_frame(uint64_t *item, uint32_t holder, unsigned kind)
{
	const uint64_t owner = (uint64_t)holder + 1;

	if (*item >> PM_ITEM_HOLDER_FROM == owner) {
		*item += (*item & PM_ITEM_COUNT) < PM_ITEM_COUNT;
		return 0;
	}
	*item = owner << PM_ITEM_HOLDER_FROM | (uint64_t)(*item != 0) << PM_ITEM_SEVERAL_BIT |
		(uint64_t)kind << PM_ITEM_KIND_FROM | 1;
	return 1;
}

static unsigned take_slot(uint32_t *item, uint32_t holder)
{
	const uint32_t several = UINT32_C(1) << PM_SLOT_SEVERAL_BIT;

	if ((*item & ~several) == holder + 1)
		return 0;
	*item = (holder + 1) | (*item ? several : 0);
	return 1;
}

static void add_slots(struct pm_freed *freed, const struct pm_holding *holding, uint32_t holder)
{
	const uint64_t type = holding->at & PM_SWAP_TYPES;
	const uint64_t offset = holding->at >> PM_SWAP_OFF_FROM;
	const uint64_t size = freed->areas[type + 1] - freed->areas[type];

	for (uint64_t i = 0; i < holding->count; i++) {
		const uint64_t slot = freed->areas[type] + offset + i;

		if (offset + i >= size) {
			freed->beyond++;
			continue;
		}
		freed->holders[holder].slots += take_slot(freed->slots + slot, holder);
		freed->slots_touched[slot / PM_FREED_TOUCHED] = 1;
	}
}

/*
 * Whether the frame is of the huge page of zeros, which is nobody's, and not marked in the
 * entry. Only what a PMD may map can be. Returns 1, 0, or -errno.
 */
static int64_t is_huge_zero(struct pm_freed *freed, uint64_t pfn, int flags)
{
	const uint64_t base = pfn >> freed->pmd_order << freed->pmd_order;
	uint64_t word;
	int64_t got;

	if (freed->huge_zero)
		return base == freed->huge_zero;
	got = pm_read(flags, pfn, 1, &word);
	if (got <= 0)
		return got;
	if (!pm_flag(word, PM_KPF_ZERO_PAGE))
		return 0;
	freed->huge_zero = base;
	return 1;
}

static int64_t add_frames(struct pm_freed *freed, const struct pm_holding *holding, uint32_t holder,
			  int flags)
{
	struct pm_holder *sums = freed->holders + holder;
	const uint64_t last = PM_BIT(freed->pmd_order) - 1;
	int64_t zero = 0;

	for (uint64_t i = 0; i < holding->count; i++) {
		const uint64_t pfn = holding->at + i, slot = pfn - freed->first;

		if (slot >= freed->count) {
			freed->beyond += pfn >= freed->end;
			continue;
		}
		if (holding->aligned && holding->kind == PM_HOLDING_ANON && (!i || !(pfn & last)))
			zero = is_huge_zero(freed, pfn, flags);
		if (zero < 0)
			return zero;
		if (zero)
			continue;
		sums->mapped[holding->kind] +=
			take_frame(freed->table + slot, holder, holding->kind);
		freed->touched[slot / PM_FREED_TOUCHED] = 1;
	}
	return 0;
}

int64_t pm_freed_add(struct pm_freed *freed, const struct pm_holding *holdings, uint64_t count,
		     uint32_t holder, int flags)
{
	struct pm_holder *sums = freed->holders + holder;

	for (const struct pm_holding *each = holdings; each < holdings + count; each++) {
		if (each->kind == PM_HOLDING_SLOT) {
			if (!freed->again) /* else counted with the first window */
				add_slots(freed, each, holder);
		} else if (each->sole) {
			sums->mapped[each->kind] += freed->again ? 0 : each->count;
			if (each->kind != PM_HOLDING_OTHER) /* which stays, whoever maps it */
				sums->sole[each->kind] += freed->again ? 0 : each->count;
		} else {
			int64_t error = add_frames(freed, each, holder, flags);

			if (error)
				return error;
		}
	}
	return 0;
}

void pm_freed_slots(const struct pm_freed *freed)
{
	const uint64_t end = freed->areas[PM_FREED_AREAS];

	for (uint64_t slot = 0; slot < end; slot++) {
		const uint32_t item =
			freed->slots_touched[slot / PM_FREED_TOUCHED] ? freed->slots[slot] : 0;

		if (item && !pm_flag(item, PM_SLOT_SEVERAL_BIT))
			freed->holders[item - 1].sole_slots++;
	}
}
