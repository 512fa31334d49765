/*
 * Mappings of a process out of the text of maps, of which the kernel gives whole lines, a page of
 * them at a time (seq_read_iter in fs/seq_file.c), to who reads on where the last read ended.
 * Another cursor may have read meanwhile: then the kernel counts bytes from the beginning, and
 * where lines became longer or shorter the next one is torn. That is seen, and everything is read
 * again from the beginning, without what was given.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "include/pagemap.h"
#include "kernel/maps.cdef.h"
#include "kernel/sys.h"
#include "library/maps.h"

enum { TRIES = 8 };

/* More text behind what there is: 1, 0 at the end of the file, or -errno. */
static int32_t read_more(const struct pm_process *process, struct pm_maps_place *place,
			 char *buffer, size_t buffer_size)
{
	ssize_t got;

	memmove(buffer, buffer + place->at, place->size - place->at);
	place->size -= place->at;
	place->at = 0;
	if (place->size == buffer_size)
		return -ERANGE; /* a line longer than all of it */
	do
		got = pm_sys_pread(process->maps, buffer + place->size, buffer_size - place->size,
				   (off_t)place->offset);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	place->offset += (uint64_t)got;
	place->size += (uint64_t)got;
	return got > 0;
}

/* The next line, closed by NUL: 1 and *line, or as above. */
static int32_t next_line(const struct pm_process *process, struct pm_maps_place *place,
			 char *buffer, size_t buffer_size, char **line)
{
	for (;;) {
		char *const at = buffer + place->at;
		char *const end = memchr(at, '\n', place->size - place->at);
		int32_t got;

		if (end) {
			*end = 0;
			*line = at;
			place->at = (uint64_t)(end - buffer) + 1;
			return 1;
		}
		got = read_more(process, place, buffer, buffer_size);
		if (got <= 0)
			return got;
	}
}

static uint32_t hex(const char *text, const char **end)
{
	uint32_t value = 0;

	for (;; text++) {
		if (*text >= '0' && *text <= '9')
			value = value << 4 | (uint32_t)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			value = value << 4 | (uint32_t)(*text - 'a' + 10);
		else
			break;
	}
	*end = text;
	return value;
}

/* A line of one mapping: 0, or -EINVAL where it is none. */
static int32_t take(const char *line, uint64_t size, struct pm_mapping *found)
{
	int32_t codes[3];
	struct pm_line_word words[3];
	uint32_t slots[3];
	uint64_t bounds[2];
	struct pm_lines lines = {
		.text = line,
		.text_size = size,
		.capacity = 1,
		.slots_count = 1,
		.bounds = bounds,
		.offsets = &found->offset,
		.inodes = &found->inode,
		.perms = { codes, words, 0, slots },
		.devices = { codes + 1, words + 1, 0, slots + 1 },
		.paths = { codes + 2, words + 2, 0, slots + 2 },
	};
	const char *perms, *colon, *end;

	if (pm_lines_split(&lines) != 1)
		return -EINVAL;
	perms = line + words[0].at;
	found->flags =
		(perms[0] == 'r' ? PM_MAPPING_READ : 0) | (perms[1] == 'w' ? PM_MAPPING_WRITE : 0) |
		(perms[2] == 'x' ? PM_MAPPING_EXEC : 0) | (perms[3] == 's' ? PM_MAPPING_SHARED : 0);
	found->start = bounds[0];
	found->end = bounds[1];
	found->dev_major = hex(line + words[1].at, &colon);
	found->dev_minor = *colon == ':' ? hex(colon + 1, &end) : 0;
	found->path = line + words[2].at;
	found->path_size = (uint32_t)words[2].size;
	return 0;
}

int32_t pm_maps_read_next(const struct pm_process *process, struct pm_maps_place *place,
			  char *buffer, size_t buffer_size, struct pm_mapping *found)
{
	unsigned tries = 0;

	if (place->size > buffer_size || place->at > place->size)
		return -EINVAL;
	for (;;) {
		char *line;
		const int32_t got = next_line(process, place, buffer, buffer_size, &line);

		if (got <= 0)
			return got;
		if (take(line, strlen(line), found)) {
			if (++tries == TRIES)
				return -EAGAIN;
			place->offset = place->at = place->size = 0;
			continue;
		}
		if (!strcmp(found->path, "[vsyscall]") || !pm_maps_is_new(place, found))
			continue;
		found->kind = pm_mapping_kind_of(found, 0, place->shmem);
		return 1;
	}
}
