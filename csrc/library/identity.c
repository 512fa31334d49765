/*
 * The identity of a process: it is held open so that it cannot be mistaken for another one.
 *
 * The kernel ties pagemap and maps to the address space of the moment they are opened
 * (proc_mem_open in fs/proc/base.c): after an exec they read the old one, soon empty, and never the
 * new one. The image that exec made is recognised by its auxv, which is read before and after, so
 * that both are of one address space.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif

#include <errno.h>
#include <string.h>

#include "include/pagemap.h"
#include "kernel/probe.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/sys.h"
#include "kernel/task.h"
#include "library/process.h"

enum {
	TRIES = 16,	    /* to open an address space that exec does not take away meanwhile */
	FIRST_REST = 50000, /* nanoseconds, doubled each time, where exec is not done, */
	LONGEST_REST = 20000000, /* so that all tries last for a fifth of a second at most */
};

/* The categories present and swapped of PAGEMAP_SCAN. */
enum { POPULATED = PM_UAPI_IS_PRESENT | PM_UAPI_IS_SWAPPED };

static int32_t failed(struct pm_process_failure *failure, int32_t step, int32_t thread,
		      int32_t error)
{
	*failure = (struct pm_process_failure){ .step = step, .thread = thread };
	return error;
}

/* 1 for a kernel thread; 0 for a task that is between two images; -errno. */
static int32_t is_kernel_thread(const struct pm_process *process,
				struct pm_process_failure *failure)
{
	struct pm_task_state state;
	const int32_t error = pm_task_read_state(process->folder, process->thread, &state);

	if (error)
		return failed(failure, PM_STEP_STATE, process->thread, error);
	if (pm_task_is_ending(&state)) {
		failed(failure, PM_STEP_ENDED, process->thread, -ESRCH);
		failure->letter = state.letter;
		return -ESRCH;
	}
	return (state.flags & PM_TASK_KERNEL) != 0;
}

/* The page table: 1, 0 for a task without memory, or -errno. */
static int32_t open_pagemap(struct pm_process *process, struct pm_process_failure *failure)
{
	struct pm_task_state state;
	int32_t error;

	process->pagemap = pm_task_open(process->folder, process->thread, "pagemap");
	/* a task without memory: ESRCH from 6.16 on, before that a file that reads as empty */
	if (process->pagemap == -ESRCH)
		return 0;
	if (process->pagemap == -ENOENT) {
		error = pm_task_read_state(process->folder, process->thread, &state);
		if (error)
			return failed(failure, PM_STEP_STATE, process->thread, error);
		return failed(failure, PM_STEP_PAGEMAP, process->thread, -ENOENT);
	}
	if (process->pagemap < 0)
		return failed(failure, PM_STEP_PAGEMAP, process->thread, process->pagemap);
	error = pm_alive(process->pagemap);
	return error < 0 ? failed(failure, PM_STEP_ENTRIES, process->thread, error) : error;
}

static int32_t is_its_image(const struct pm_process *process, const char *image, int64_t size)
{
	return size == (int64_t)process->image_size && !memcmp(image, process->image, (size_t)size);
}

/*
 * Whether exec has put a new address space there, but not yet its auxiliary vector: begin_new_exec
 * does the one, and create_elf_tables in fs/binfmt_elf.c the other. It reads as its end alone.
 */
static int32_t is_unfinished(const struct pm_process *process)
{
	uint64_t first = 1;

	if (process->image_size >= sizeof(first))
		memcpy(&first, process->image, sizeof(first));
	return !first;
}

/* One try: 1 where both files are of one address space, 0 where they are not, or -errno. */
static int32_t try_to_open(struct pm_process *process, struct pm_process_failure *failure)
{
	char again[PM_TASK_IMAGE];
	int64_t size = pm_task_image(process->folder, &process->thread, sizeof(process->image),
				     process->image);
	int32_t result;

	if (size < 0)
		return failed(failure, PM_STEP_IMAGE, process->thread, (int32_t)size);
	process->image_size = (uint32_t)size;
	result = open_pagemap(process, failure);
	if (result <= 0)
		return result;
	process->maps = pm_task_open(process->folder, process->thread, "maps");
	if (process->maps < 0)
		return failed(failure, PM_STEP_MAPS, process->thread, process->maps);
	size = pm_task_image(process->folder, &process->thread, sizeof(again), again);
	if (size < 0)
		return failed(failure, PM_STEP_IMAGE, process->thread, (int32_t)size);
	return is_its_image(process, again, size) && !is_unfinished(process);
}

static void close_both(struct pm_process *process)
{
	if (process->pagemap >= 0)
		pm_sys_close(process->pagemap);
	if (process->maps >= 0)
		pm_sys_close(process->maps);
	process->pagemap = process->maps = -1;
}

static uint32_t page_shift(void)
{
	uint32_t shift = 0;

	while (1L << shift < pm_sys_page_size())
		shift++;
	return shift;
}

/* f_type of statfs(2); include/uapi/linux/magic.h */
enum { PROC = 0x9fa0 };

/*
 * Our own pid where this is one of our threads, by the proc that the folder is of: there "self" is
 * ourselves, whatever numbers it gives and by whatever path it was opened. 0: another's; or -errno.
 * In a copy of proc anybody may have put anything under that name.
 */
static int32_t owner_of(int32_t pid, int folder)
{
	char path[sizeof("../self/task/") + 11] = "../self/task/";
	int found, of_proc;

	pm_task_digits(path + strlen(path), pid);
	found = pm_sys_open_entry(folder, path, O_PATH | O_CLOEXEC);
	if (found < 0)
		return errno == EMFILE || errno == ENFILE ? -errno : 0;
	of_proc = pm_sys_fs_type(folder) == PROC && pm_sys_fs_type(found) == PROC;
	pm_sys_close(found);
	return of_proc ? pm_sys_pid() : 0;
}

int32_t pm_process_open_below(int32_t pid, int folder, int32_t owner, struct pm_process *out,
			      struct pm_process_failure *failure)
{
	uint64_t rest = FIRST_REST;
	int32_t result, scans;

	*out = (struct pm_process){
		.pid = pid,
		.owner = owner,
		.folder = folder,
		.pagemap = -1,
		.maps = -1,
		.page_shift = page_shift(),
	};
	if (!owner)
		out->owner = owner_of(pid, folder);
	if (out->owner < 0)
		return failed(failure, PM_STEP_IMAGE, 0, out->owner);
	for (unsigned tries = 0; tries < TRIES; tries++) {
		result = try_to_open(out, failure);
		if (result > 0) {
			scans = pm_probe_scan(out->pagemap, POPULATED);
			out->known |= PM_CAN_SCAN;
			/* where the target is gone the kernel has it all the same */
			out->can |= scans == 0 || scans == -ESRCH ? PM_CAN_SCAN : 0;
			return 0;
		}
		close_both(out);
		if (!result)
			result = is_kernel_thread(out, failure);
		if (result < 0)
			return result;
		if (result) {
			out->kernel_thread = 1;
			return 0;
		}
		if (is_unfinished(out)) {
			pm_sys_rest(rest);
			rest = rest < LONGEST_REST / 2 ? 2 * rest : LONGEST_REST;
		}
	}
	return failed(failure, PM_STEP_TRIES, out->thread, -EAGAIN);
}

int32_t pm_process_is_there(const struct pm_process *process)
{
	struct pm_task_state state;
	int32_t error;

	if (!process->kernel_thread)
		return pm_alive(process->pagemap);
	error = pm_task_read_state(process->folder, process->thread, &state);
	if (error == -ESRCH || error == -ENOENT)
		return 0;
	return error ? error : !pm_task_is_ending(&state);
}

int32_t pm_process_look(const struct pm_process *process, uint32_t what, int32_t *thread,
			struct pm_process_failure *failure)
{
	char image[PM_TASK_IMAGE];
	int32_t there = 1;
	int64_t size;

	if (what & PM_LOOK_MEMORY)
		there = pm_process_is_there(process);
	if (there < 0)
		return failed(failure, process->kernel_thread ? PM_STEP_STATE : PM_STEP_ENTRIES,
			      process->thread, there);
	if (there && !(what & PM_LOOK_IMAGE))
		return 0;
	size = pm_task_image(process->folder, thread, sizeof(image), image);
	if (size == -EACCES || size == -EPERM)
		return there ? 0 : -ESTALE;
	if (size < 0)
		return failed(failure, PM_STEP_IMAGE, *thread, (int32_t)size);
	if (there && is_its_image(process, image, size))
		return 0;
	return size ? -ESTALE : -ESRCH;
}
