/* The heaviest few of many, in a heap: a million rows are passed by with a comparison each. */
#include <stdint.h>
#include <stdlib.h>

#include "analyses/sharing.cdef.h"

/* Whether `one` is to go before `other` does: lighter, or as heavy and later. */
static int lighter(const struct pm_heavy *one, const struct pm_heavy *other)
{
	return one->weight < other->weight ||
	       (one->weight == other->weight && one->index > other->index);
}

static void sink(struct pm_heavy *top, uint64_t count, uint64_t at, struct pm_heavy item)
{
	for (uint64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
		if (child + 1 < count && lighter(top + child + 1, top + child))
			child++;
		if (!lighter(top + child, &item))
			break;
		top[at] = top[child];
		at = child;
	}
	top[at] = item;
}

static void rise(struct pm_heavy *top, uint64_t at, struct pm_heavy item)
{
	while (at && lighter(&item, top + (at - 1) / 2)) {
		top[at] = top[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	top[at] = item;
}

void pm_heaviest_put(struct pm_heavy *top, uint64_t capacity, uint64_t *count, struct pm_heavy item)
{
	if (*count < capacity)
		rise(top, (*count)++, item);
	else if (lighter(top, &item))
		sink(top, *count, 0, item);
}

static int compare(const void *one, const void *other)
{
	return lighter(one, other) ? 1 : -lighter(other, one);
}

void pm_heaviest_sort(struct pm_heavy *top, uint64_t count)
{
	if (count)
		qsort(top, count, sizeof(*top), compare);
}

uint64_t pm_heaviest(const uint64_t *rows, uint64_t count, uint64_t stride, struct pm_heavy *top,
		     uint64_t capacity)
{
	uint64_t stored = 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t *row = rows + i * stride;
		uint64_t weight = 0;

		for (unsigned kind = 0; kind < PM_KINDS; kind++)
			weight += kind == PM_KIND_ZERO ? 0 : row[kind];
		if (weight)
			pm_heaviest_put(top, capacity, &stored, (struct pm_heavy){ weight, i, 0 });
	}
	pm_heaviest_sort(top, stored);
	return stored;
}
