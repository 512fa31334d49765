/*
 * Pages by mapping and node. Neighbouring pages mostly lie in the same part of memory and
 * in the same mapping, so both are searched for only where the last ones do not fit.
 */
#include <errno.h>
#include <stdint.h>

#include "analyses/nodes.cdef.h"
#include "kernel/core.h"

/* The number of the last mapping that begins at or below `vpn`, or mappings_count. */
static uint64_t mapping_below(const struct pm_node_table *table, uint64_t vpn)
{
	uint64_t low = 0, high = table->mappings_count;

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (table->mappings[middle].vpn <= vpn)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : table->mappings_count;
}

static int is_in(const struct pm_range *mapping, uint64_t vpn)
{
	return vpn >= mapping->vpn && vpn - mapping->vpn < mapping->count;
}

/* The frames around `pfn` that are counted in the same column as it. */
static struct pm_node_part part_of(const struct pm_node_table *table, uint64_t pfn)
{
	uint64_t low = 0, high = table->parts_count;

	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (table->parts[middle].end <= pfn)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < table->parts_count && table->parts[low].start <= pfn)
		return table->parts[low];
	return (struct pm_node_part){ pfn, pfn + 1, table->columns - 1 };
}

int64_t pm_nodes(const uint64_t *entries, const struct pm_range *runs, uint64_t runs_count,
		 const struct pm_node_table *table)
{
	struct pm_node_part part = { 0 };
	uint64_t row = table->mappings_count, counted = 0;

	for (uint64_t i = 0; i < table->parts_count; i++) {
		if (table->parts[i].column >= table->columns)
			return -EINVAL;
	}
	for (uint64_t run = 0; run < runs_count; run++) {
		for (uint64_t i = 0; i < runs[run].count; i++) {
			const uint64_t entry = *entries++, pfn = entry & PM_PLACE_MASK;
			const uint64_t vpn = runs[run].vpn + i;

			if (!pm_flag(entry, PM_PRESENT_BIT) || !pfn)
				continue;
			if (row == table->mappings_count || !is_in(&table->mappings[row], vpn))
				row = mapping_below(table, vpn);
			if (row == table->mappings_count || !is_in(&table->mappings[row], vpn))
				continue;
			if (pfn < part.start || pfn >= part.end)
				part = part_of(table, pfn);
			table->counts[row * table->columns + part.column]++;
			counted++;
		}
	}
	return (int64_t)counted;
}
