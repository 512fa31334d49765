/*
 * Which group of processes maps a frame: one number for each frame, for there is no need to
 * know which several are.
 */
#include <stdint.h>

#include "analyses/memory.cdef.h"

void pm_memory_claim(uint32_t *groups, uint64_t from, uint64_t frames,
		     const struct pm_stretch *stretches, uint64_t count, uint32_t group)
{
	for (uint64_t i = 0; i < count; i++)
		for (uint64_t page = 0; page < stretches[i].count; page++) {
			const uint64_t at = stretches[i].pfn + page - from;

			if (at >= frames)
				continue;
			if (groups[at] == PM_MEMORY_NO_GROUP)
				groups[at] = group;
			else if (groups[at] != group)
				groups[at] = PM_MEMORY_SEVERAL;
		}
}
