/* The parts of targets: target_kinds.c, target_treats.c, target_folios.c and target_zoo.c
 * map memory, targets.c obeys. */
#ifndef TARGETS_H
#define TARGETS_H

#include <stddef.h>
#include <stdint.h>

struct target_kind {
	const char *name;
	int arguments; /* how many `make` wants */
	void (*make)(char **arguments);
};

extern const struct target_kind target_kinds[];
extern const size_t target_kinds_count;
extern const struct target_kind zoo_kinds[];
extern const size_t zoo_kinds_count;

extern size_t page; /* the size of one, in bytes */

/* What the command to unmap unmaps. */
extern char *first_area;
extern size_t first_size;

/* End with `cannot WHAT` and why, by errno. */
void cannot(const char *what);

/* Print the line about an area of `size` bytes. */
void tell(const char *name, char *start, size_t size);

/* An argument as a number. */
size_t number(char **arguments, int index);

char *map_bytes(size_t size, int protection, int flags, int fd);

/* Private anonymous memory in pages of the base size. */
char *map_small(size_t size);

/* Write into the first page of every `step` bytes, something else in each. */
void write_pages(char *start, size_t size, size_t step);

/* The same in every word, and in no other target: KSM takes time to forget the pages of one that has
 * ended, and would merge a part of ours with those. A child that is made afterwards has it too.
 */
uint64_t own_word(void);

/* Write that word all over. */
void fill_alike(char *start, size_t size);

void make_thp(char **arguments);
void make_hugetlb(char **arguments);
void make_swapped(char **arguments);
void make_guard(char **arguments);
void make_ksm(char **arguments);
void make_uffd_wp(char **arguments);
void make_folios(char **arguments);
void make_hugetlb_protected(char **arguments);
void make_markers(char **arguments);

#endif
