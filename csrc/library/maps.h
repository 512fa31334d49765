/* Between the two ways to the mappings of a process: maps.c asks, maps_text.c reads. */
#ifndef PM_LIBRARY_MAPS_H
#define PM_LIBRARY_MAPS_H

#include <stddef.h>
#include <stdint.h>

#include "include/pagemap.h"
#include "library/process.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_maps_way {
	PM_MAPS_ASKED = 1,
	PM_MAPS_READ = 2,
};

/* A struct pm_maps_cursor, as we know it. */
struct pm_maps_place {
	uint64_t next;	 /* the address up to which all was given */
	uint64_t way;	 /* enum pm_maps_way; 0: at the beginning */
	uint64_t shmem;	 /* the device of memory without a file system, major << 32 | minor */
	uint64_t buffer; /* the caller's */
	/* of the text in it: */
	uint64_t offset; /* in the file, behind what was read, in bytes */
	uint64_t at;	 /* the next line, in bytes, */
	uint64_t size;	 /* and how much there is */
	uint64_t spare;
};

/* Whether anything of it lies above what was given: then it begins there at the earliest, and was
 * given. Mappings merge and grow while somebody goes through them. */
static inline int pm_maps_is_new(struct pm_maps_place *place, struct pm_mapping *found)
{
	if (found->end <= place->next)
		return 0;
	if (found->start < place->next) {
		/* the first segment of System V has the inode 0, and a device */
		if (found->inode || found->dev_major || found->dev_minor)
			found->offset += place->next - found->start;
		found->start = place->next;
	}
	place->next = found->end;
	return 1;
}

/* Its kind, by its path and device (mapping_kind.c); `shmem` as above. */
uint32_t pm_mapping_kind_of(const struct pm_mapping *mapping, int huge, uint64_t shmem);

/* As pm_maps_next, out of the text of maps. */
int32_t pm_maps_read_next(const struct pm_process *process, struct pm_maps_place *place,
			  char *buffer, size_t buffer_size, struct pm_mapping *found);

#ifdef __cplusplus
}
#endif

#endif
