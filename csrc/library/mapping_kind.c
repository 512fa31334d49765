/* What a mapping is of, by the path and the device that maps has. */
#include <stdint.h>
#include <string.h>

#include "include/pagemap.h"
#include "library/maps.h"

static int begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

uint32_t pm_mapping_kind_of(const struct pm_mapping *mapping, int huge, uint64_t shmem)
{
	const uint64_t device = (uint64_t)mapping->dev_major << 32 | mapping->dev_minor;

	if (huge)
		return PM_MAPPING_HUGETLB;
	if (device || mapping->inode)
		return device && device == shmem ? PM_MAPPING_SHMEM : PM_MAPPING_FILE;
	if (!strcmp(mapping->path, "[heap]"))
		return PM_MAPPING_HEAP;
	if (!strcmp(mapping->path, "[stack]"))
		return PM_MAPPING_STACK;
	/* before 4.5 other threads' stacks had a name */
	if (!*mapping->path || begins(mapping->path, "[anon:") || begins(mapping->path, "[stack:"))
		return PM_MAPPING_ANONYMOUS;
	return *mapping->path == '[' ? PM_MAPPING_SPECIAL : PM_MAPPING_FILE;
}
