/*
 * A task by its open folder /proc/PID: what state it is in, and which image it runs.
 *
 * `folder` is a descriptor of /proc/PID (O_PATH is enough), which the kernel never lets become
 * another process's. `thread` says whose files are read: 0 those of the folder itself, otherwise
 * those of task/THREAD below it. Nothing here allocates or takes a lock, so all may be called in a
 * signal handler; errno is not preserved.
 */
#ifndef PM_KERNEL_TASK_CDEF_H
#define PM_KERNEL_TASK_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pm_task_limits {
	PM_TASK_IMAGE = 1024, /* bytes of an image: no kernel's has more than 600 */
};

/* In the flags of a task: it is ending, or it is the kernel's own; include/linux/sched.h. */
enum pm_task_flags {
	PM_TASK_EXITING = 0x00000004,
	PM_TASK_KERNEL = 0x00200000,
};

/* What everybody may read of a task: /proc/PID/stat. */
struct pm_task_state {
	uint64_t start; /* when it began, in clock ticks since the boot */
	uint64_t flags; /* PM_TASK_* and others */
	int32_t letter; /* Z: a zombie, X: dead, others as in proc(5) */
};

/*
 * The state of a task: 0, or -errno; -ESRCH or -ENOENT of one that is gone, -EIO where the file is
 * none of a task's.
 */
int32_t pm_task_read_state(int folder, int32_t thread, struct pm_task_state *out);

/* 1 where a task has ended, and waits to be reaped, or is gone altogether; else 0. */
int32_t pm_task_has_ended(int folder, int32_t thread);

/* Whether it has ended, or is about to and has no memory any more. */
int32_t pm_task_is_ending(const struct pm_task_state *state);

/*
 * A thread that lives, where *thread has ended: the one of the lowest number. Returns 1 and stores
 * it, or 0 where *thread has not ended, or none lives, or they cannot be listed.
 *
 * Such a process (of pthread_exit in main) looks like a zombie. Its memory is there all the same,
 * but the kernel shows it below a living thread alone: exit_mm in kernel/exit.c takes it from the
 * one that ended.
 */
int32_t pm_task_find_living(int folder, int32_t *thread);

/*
 * What marks this run of exec: the first bytes of the auxiliary vector, which holds addresses (of
 * the vDSO, of random bytes on the stack) that the kernel draws anew for each exec. Stores up to
 * `capacity` bytes and returns their number; 0 where the process has no memory, or is gone;
 * -errno. Where the task so far has ended, it goes on with a thread that lives, and stores that in
 * *thread. It can be read by whoever may read the pagemap.
 */
int64_t pm_task_image(int folder, int32_t *thread, uint64_t capacity, char *out);

#ifdef __cplusplus
}
#endif

#endif
