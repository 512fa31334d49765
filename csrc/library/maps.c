/*
 * Mappings of a process, one by one: see pagemap.h.
 *
 * Since Linux 6.11 the kernel is asked for the mapping at or above an address, which costs about a
 * microsecond, keeps no place in the file, and so serves any number of cursors. Before, the text
 * of maps is read a block at a time into the caller's buffer, and lines are taken out of it.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "include/pagemap.h"
#include "kernel/sys.h"
#include "library/gone.h"
#include "library/maps.h"
#include "library/process.h"
#include "library/sized.h"

enum {
	FIRST_MAPPING = 56 + sizeof(void *), /* pm_mapping of the first release, in bytes */
	NAME = 4096,			     /* bytes of a name that the kernel gives at most */
};

_Static_assert(sizeof(struct pm_maps_place) == sizeof(struct pm_maps_cursor), "one is the other");
_Static_assert(PM_MAPS_BUFFER >= 5 * NAME, "a name, and what it is with newlines in four letters");

/* The device of memory without a file system, by a file of it; 0: not known. */
static uint64_t shmem_device(void)
{
	const int fd = pm_sys_memory_file();
	struct stat about;
	int error;

	if (fd < 0)
		return 0;
	error = pm_sys_stat(fd, &about);
	pm_sys_close(fd);
	return error < 0 ? 0 : (uint64_t)major(about.st_dev) << 32 | minor(about.st_dev);
}

static uint32_t flags_of(uint64_t flags)
{
	return (flags & PM_UAPI_VMA_READABLE ? PM_MAPPING_READ : 0) |
	       (flags & PM_UAPI_VMA_WRITABLE ? PM_MAPPING_WRITE : 0) |
	       (flags & PM_UAPI_VMA_EXECUTABLE ? PM_MAPPING_EXEC : 0) |
	       (flags & PM_UAPI_VMA_SHARED ? PM_MAPPING_SHARED : 0);
}

/* Write `name`, which lies behind where it goes, as the kernel's text has it. */
static uint32_t put_name(const char *name, char *out)
{
	char *at = out;

	for (; *name; name++) {
		if (*name == '\n') {
			memcpy(at, "\\012", 4);
			at += 4;
		} else {
			*at++ = *name;
		}
	}
	*at = 0;
	return (uint32_t)(at - out);
}

/* By PROCMAP_QUERY: 1, 0 at the end, or -errno. */
static int32_t ask_next(const struct pm_process *process, struct pm_maps_place *place, char *buffer,
			size_t buffer_size, struct pm_mapping *found)
{
	char *const name = buffer + buffer_size - NAME;
	struct pm_uapi_procmap_query query;
	int result;

	do {
		query = (struct pm_uapi_procmap_query){
			.size = sizeof(query),
			.query_flags = PM_UAPI_PROCMAP_OR_NEXT,
			.address = place->next,
			.name = (uint64_t)(uintptr_t)name,
			.name_size = NAME,
		};
		result = pm_sys_ioctl(process->maps, PM_UAPI_PROCMAP_QUERY, &query);
	} while (result < 0 && errno == EINTR);
	if (result < 0 && errno == ENAMETOOLONG)
		return -ERANGE;
	if (result < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!query.name_size)
		*name = 0;
	*found = (struct pm_mapping){
		.flags = flags_of(query.vma_flags),
		.start = query.start,
		.end = query.end,
		.offset = query.offset,
		.inode = query.inode,
		.dev_major = query.dev_major,
		.dev_minor = query.dev_minor,
		.path_size = put_name(name, buffer),
		.path = buffer,
	};
	found->kind = pm_mapping_kind_of(
		found, query.page_size > UINT64_C(1) << process->page_shift, place->shmem);
	return pm_maps_is_new(place, found) ? 1 : -EIO;
}

static int32_t next_mapping(const struct pm_process *process, struct pm_maps_place *place,
			    char *buffer, size_t buffer_size, struct pm_mapping *found)
{
	int32_t got;

	if (!place->buffer) { /* at the beginning */
		place->buffer = (uint64_t)(uintptr_t)buffer;
		place->shmem = shmem_device();
		place->way = place->way ? place->way : PM_MAPS_ASKED;
	}
	if (place->way == PM_MAPS_ASKED) {
		got = ask_next(process, place, buffer, buffer_size, found);
		/* before 6.11, and where a filter of system calls is in the way */
		if ((got != -ENOTTY && got != -EPERM && got != -EINVAL) || place->next)
			return got;
		place->way = PM_MAPS_READ;
	}
	return pm_maps_read_next(process, place, buffer, buffer_size, found);
}

int32_t pm_maps_next(struct pm_process *process, struct pm_maps_cursor *cursor, char *buffer,
		     size_t buffer_size, struct pm_mapping *out)
{
	const int before = errno;
	struct pm_mapping found = { 0 };
	struct pm_maps_place place;
	int32_t got = pm_process_usable(process);

	if (!got)
		got = pm_sized_check(FIRST_MAPPING, out);
	if (got)
		return got;
	if (!cursor || !buffer || buffer_size < PM_MAPS_BUFFER)
		return -EINVAL;
	if (process->kernel_thread)
		return 0;
	memcpy(&place, cursor, sizeof(place));
	if (place.way > PM_MAPS_READ ||
	    (place.buffer && place.buffer != (uint64_t)(uintptr_t)buffer))
		return -EINVAL;
	got = next_mapping(process, &place, buffer, buffer_size, &found);
	if (got == 0 || got == -ESRCH)
		got = (int32_t)pm_or_gone(process, got);
	memcpy(cursor, &place, sizeof(place));
	if (got > 0)
		pm_sized_out(&found, sizeof(found), out);
	errno = before;
	return got;
}
