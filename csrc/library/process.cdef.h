/*
 * An open process, as the functions of the library and the Python binding know it. Programs get it
 * from pm_process_open, whose header (include/pagemap.h) does not say what is in it.
 */
#ifndef PM_LIBRARY_PROCESS_CDEF_H
#define PM_LIBRARY_PROCESS_CDEF_H

#include <stdint.h>

#include "kernel/task.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Nothing in it changes once it is open, so any thread and any signal handler may read it. */
struct pm_process {
	int32_t pid;
	int32_t owner;	       /* our pid where this is one of our threads, else 0 */
	int32_t folder;	       /* /proc/PID by O_PATH: all files are opened below it */
	int32_t pagemap;       /* these two are of one address space; -1 of a kernel thread */
	int32_t maps;	       /* */
	int32_t thread;	       /* whose files they are: see task.cdef.h */
	int32_t kernel_thread; /* 1 for a thread of the kernel, which has no memory of its own */
	uint32_t page_shift;
	uint64_t known; /* which PM_CAN_* were found when it was opened, */
	uint64_t can;	/* and of these, which can be done */
	void *mark;	/* a page of ours that is 0 in a child of fork; NULL: ask for the pid */
	uint32_t image_size;
	char image[PM_TASK_IMAGE]; /* pm_task_image of what runs */
};

/* What was done when something failed. */
enum pm_process_step {
	PM_STEP_IMAGE = 1, /* read auxv */
	PM_STEP_PAGEMAP,   /* open pagemap */
	PM_STEP_ENTRIES,   /* read pagemap */
	PM_STEP_MAPS,	   /* open maps */
	PM_STEP_STATE,	   /* read stat */
	PM_STEP_ENDED,	   /* the task has ended, or is about to: */
	PM_STEP_TRIES,	   /* exec took the address space away at every try */
};

struct pm_process_failure {
	int32_t step;
	int32_t thread; /* whose file it was */
	int32_t letter; /* of the state of a task that has ended */
};

/*
 * Open the files of a process whose folder is open: 0, or -errno, and then how, in *failure, where
 * no descriptor is left open. -ESRCH: it has ended; -EAGAIN: it calls exec again and again;
 * -ENOENT at PM_STEP_PAGEMAP: this kernel has none. The folder stays the caller's; pagemap and maps are his
 * from then on. Whether PFNs are visible is not among what is known, because that takes a page
 * of ours (pm_probe_pfns). `owner` is our pid where the process is known to be ourselves; with 0
 * that is found out.
 */
int32_t pm_process_open_below(int32_t pid, int folder, int32_t owner, struct pm_process *out,
			      struct pm_process_failure *failure);

/* 1 where the address space that was opened is there, 0 where it is gone, or -errno. */
int32_t pm_process_is_there(const struct pm_process *process);

enum pm_process_looks {
	PM_LOOK_MEMORY = 1 << 0, /* whether the address space that was opened is there, */
	PM_LOOK_IMAGE = 1 << 1,	 /* and whether it is that of the process */
};

/*
 * Whether the process is what was opened: 0, -ESRCH after exit, -ESTALE after exec, or -errno where
 * that could not be found, and then how, in *failure. *thread is whose files to read, first
 * process->thread, and becomes another where that one has ended.
 *
 * An address space that lives on as another's, because a child of vfork borrowed it, is -ESTALE by
 * its image alone. An image that may not be read any more, because rights were dropped, is taken
 * for what it was as long as the memory is there; where that is gone, exec of a program of another
 * user took it away. Async-signal-safe, and one more user of an errno.
 */
int32_t pm_process_look(const struct pm_process *process, uint32_t what, int32_t *thread,
			struct pm_process_failure *failure);

#ifdef __cplusplus
}
#endif

#endif
