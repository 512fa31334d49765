/* maps_lines.c: the text of /proc/PID/maps as columns */
#ifndef PM_KERNEL_MAPS_CDEF_H
#define PM_KERNEL_MAPS_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a word lies in the text, in bytes. */
struct pm_line_word {
	uint64_t at;
	uint64_t size;
};

/*
 * A column of text: line i has word number codes[i]. Thousands of lines may have the
 * same word: it is there once, as a rule, and words stand in the order in which they
 * come first. `slots` is scratch; the fewer they are, the more words stand twice.
 */
struct pm_line_words {
	int32_t *codes;
	struct pm_line_word *words;
	uint64_t count; /* out: of words */
	uint32_t *slots;
};

/*
 * The lines of `text`, whole ones of maps; empty lines are none. Line i maps what lies
 * from bounds[2 i] up to bounds[2 i + 1], in bytes. All columns have room for `capacity`
 * lines, and as many words; of slots there are `slots_count` each, a power of two.
 */
struct pm_lines {
	const char *text;
	uint64_t text_size;
	uint64_t capacity;
	uint64_t slots_count;
	uint64_t *bounds;
	uint64_t *offsets; /* in the file, in bytes */
	uint64_t *inodes;
	struct pm_line_words perms;   /* as "r-xp" */
	struct pm_line_words devices; /* as "fe:01" */
	struct pm_line_words paths;   /* the rest of a line, as it is written there */
	uint64_t bad;		      /* out: where the line begins that is none of maps */
};

/* The most lines that the text may have: what ends in a newline, and the rest. */
uint64_t pm_lines_count(const char *text, uint64_t size);

/*
 * Split the text. Returns the number of lines; -EINVAL where one is not as the kernel
 * writes them (show_map_vma in fs/proc/task_mmu.c: "400000-401000 r-xp 00001000 fe:01 658 ",
 * with a path or without), -ERANGE where it ends before it begins or lies below the line
 * above it, -ENOSPC where there are more than `capacity`, -EOVERFLOW where that is no int32.
 *
 * So the bounds are in order, and none overlap. Between two reads the kernel lists
 * again what grew or merged meanwhile: such a line begins where the one above it
 * ends, and is none where nothing of it is new.
 */
int64_t pm_lines_split(struct pm_lines *lines);

/*
 * Give each of `count` codes another number: code i becomes numbers[i]. Returns `count`,
 * or -ERANGE where a code is none of `numbers_count`; those before it have been changed.
 */
int64_t pm_codes_renumber(int32_t *codes, uint64_t count, const int32_t *numbers,
			  uint64_t numbers_count);

#ifdef __cplusplus
}
#endif

#endif
