/*
 * A process behind the lying kernel: its files, which a test changes as exec, exit or a loss of
 * rights would, and calls that see that errno stays and no descriptor is left.
 */
#ifndef PROCESS_FILES_H
#define PROCESS_FILES_H

#include "check.h"
#include "include/pagemap.h"
#include "library/process.cdef.h"

enum { PID = 42, OTHER = 43, ERRNO = 1234 };

/* The pages of every address space: our own is there, too. */
static const uint64_t PAGES = UINT64_C(1) << 36;

static const char LIVES[] = "42 (a ) b) S 1 42 42 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 777 0";
static const char ZOMBIE[] = "42 (gone) Z 1 42 42 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 777 0";
static const char ENDING[] = "42 (ends) R 1 42 42 0 -1 4194308 0 0 0 0 0 0 0 0 20 0 1 0 777 0";
static const char KERNEL[] = "42 (kworker) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 777 0";

/* The files of a process, in this order. */
enum { SELF, FOLDER, AUXV, PAGEMAP, MAPS, STAT, TASK, FDINFO, STATUS };
enum { AUXV_2 = STATUS + 1, PAGEMAP_2, MAPS_2, STAT_2, OWN, FILES };

static struct lie_named files[FILES];

static inline void file(unsigned which, const char *name, const char *text)
{
	files[which] = (struct lie_named){ .name = name, .bytes = text, .size = strlen(text) };
}

/* A process that lives, as root sees it. */
static inline void tell(void)
{
	tell_truth(PAGES);
	lie.own_entry = PM_BIT(PM_PRESENT_BIT) | 77;
	lie.files = files;
	lie.files_count = FILES;
	file(SELF, "self", "");
	file(FOLDER, "42", "");
	file(AUXV, "auxv", "the first image");
	file(MAPS, "maps", "");
	file(STAT, "stat", LIVES);
	file(TASK, "task", "");
	file(FDINFO, "self/fdinfo/5", "pos:\t0\nflags:\t02000002\nPid:\t42\nNSpid:\t42\n");
	file(STATUS, "/proc/self/status", "Name:\tus\nSeccomp:\t0\n");
	for (unsigned i = AUXV_2; i < FILES; i++)
		files[i] = (struct lie_named){ .name = "none", .error = ENOENT };
	files[PAGEMAP] = (struct lie_named){ .name = "pagemap" };
}

static inline void refuse(unsigned which, int error)
{
	files[which].error = error;
}

/* Open it, see that errno stays and that no descriptor is left where it fails. */
static inline int32_t opens(int32_t pid, const struct pm_open_options *options,
			    struct pm_process **out)
{
	const unsigned before = lie.opened - lie.closed;
	int32_t error;

	errno = ERRNO;
	error = pm_process_open(pid, options, out);
	CHECK_EQUAL(errno, ERRNO);
	CHECK_EQUAL(lie.opened - lie.closed - before, error ? 0 : ((*out)->kernel_thread ? 1 : 3));
	return error;
}

static inline struct pm_process *opened(void)
{
	struct pm_process *process = NULL;

	CHECK_EQUAL(opens(PID, NULL, &process), 0);
	return process;
}

static inline void closes(struct pm_process *process)
{
	errno = ERRNO;
	pm_process_close(process);
	CHECK_EQUAL(errno, ERRNO);
	CHECK_EQUAL(lie.opened, lie.closed);
}

static inline int32_t checked(const struct pm_process *process)
{
	const unsigned before = lie.opened - lie.closed;
	int32_t error;

	errno = ERRNO;
	error = pm_process_check(process);
	CHECK_EQUAL(errno, ERRNO);
	CHECK_EQUAL(lie.opened - lie.closed, before);
	return error;
}

static inline void failure_to_open(int32_t error)
{
	struct pm_process *process = (void *)files;

	CHECK_EQUAL(opens(PID, NULL, &process), error);
	CHECK(process == (void *)files);
}

#endif
