/* maps_lines.c: the text of /proc/PID/maps, split into lines and their parts */
#ifndef PM_KERNEL_MAPS_CDEF_H
#define PM_KERNEL_MAPS_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The rest of a line behind its addresses, from the permissions to the path. */
struct pm_tail {
	uint64_t at; /* in the text, in bytes */
	uint64_t size;
};

/*
 * The lines of `text`, whole ones of maps; empty lines are none. Line i maps
 * what lies from bounds[2 i] up to bounds[2 i + 1], in bytes, and its tail is
 * tails[numbers[i]]. Thousands of lines may end alike: their tail is there once,
 * as a rule, and tails stand in the order in which they come first.
 *
 * `capacity` is in lines, and all three tables have room for so many. `slots` is
 * scratch, a power of two of words; the fewer they are, the more tails stand
 * there twice.
 */
struct pm_lines {
	const char *text;
	uint64_t text_size;
	uint64_t capacity;
	uint64_t *bounds;
	uint32_t *numbers;
	struct pm_tail *tails;
	uint64_t tails_count; /* out */
	uint32_t *slots;
	uint64_t slots_count;
	uint64_t bad; /* out: where the line begins that is none of maps */
};

/*
 * Split the text. Returns the number of lines; -EINVAL where one does not begin
 * with two addresses in hex (up to 16 digits each) as in "400000-401000 ", -ERANGE
 * where it ends before it begins or lies below the line above it, -ENOSPC where
 * there are more than `capacity`.
 *
 * So the bounds are in order, and none overlap. Between two reads the kernel lists
 * again what grew or merged meanwhile: such a line begins where the one above it
 * ends, and is none where nothing of it is new.
 */
int64_t pm_lines_split(struct pm_lines *lines);

#ifdef __cplusplus
}
#endif

#endif
