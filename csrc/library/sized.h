/*
 * Structs of the public header whose first member is their size, as the caller knows them, made
 * into ours and back: see "Structs" in include/pagemap.h.
 *
 *	struct pm_limits limits = { .size = sizeof(limits) };
 *	error = pm_sized_in(&limits, sizeof(limits), FIRST_LIMITS, theirs);
 *
 * The size of the first release is written down where it is used, as a number: sizeof grows.
 */
#ifndef PM_SIZED_H
#define PM_SIZED_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { PM_SIZED_MOST = 4096 }; /* bytes: what is larger was never set */

static inline uint32_t pm_sized_size(const void *theirs)
{
	uint32_t size;

	memcpy(&size, theirs, sizeof(size));
	return size;
}

/* 0 where `theirs` may be of the size that it says, or -EINVAL. */
static inline int32_t pm_sized_check(uint32_t first, const void *theirs)
{
	const uint32_t size = theirs ? pm_sized_size(theirs) : 0;

	return size < first || size > PM_SIZED_MOST ? -EINVAL : 0;
}

/*
 * Take what is given to the library: `ours`, of `size` bytes, is theirs as far as that goes, and
 * 0 behind it. Returns 0 or -EINVAL: theirs is smaller than `first`, or has more than we know.
 */
static inline int32_t pm_sized_in(void *ours, uint32_t size, uint32_t first, const void *theirs)
{
	int32_t error = pm_sized_check(first, theirs);
	uint32_t given;

	if (error)
		return error;
	given = pm_sized_size(theirs);
	for (uint32_t i = size; i < given; i++)
		if (((const unsigned char *)theirs)[i])
			return -EINVAL;
	memset(ours, 0, size);
	memcpy(ours, theirs, given < size ? given : size);
	memcpy(ours, &size, sizeof(size));
	return 0;
}

/* Give what the library fills in: theirs keeps its size, and what we do not know of it is 0. Call
 * pm_sized_check before the work. */
static inline void pm_sized_out(const void *ours, uint32_t size, void *theirs)
{
	const uint32_t given = pm_sized_size(theirs);

	if (given > size)
		memset((unsigned char *)theirs + size, 0, given - size);
	memcpy((unsigned char *)theirs + sizeof(given), (const unsigned char *)ours + sizeof(given),
	       (given < size ? given : size) - sizeof(given));
}

#endif
