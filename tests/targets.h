/* The two halves of targets: target_kinds.c maps memory, targets.c obeys. */
#ifndef TARGETS_H
#define TARGETS_H

#include <stddef.h>

struct target_kind {
	const char *name;
	int arguments; /* how many `make` wants */
	void (*make)(char **arguments);
};

extern const struct target_kind target_kinds[];
extern const size_t target_kinds_count;

extern size_t page; /* the size of one, in bytes */

/* What the command to unmap unmaps. */
extern char *first_area;
extern size_t first_size;

#endif
