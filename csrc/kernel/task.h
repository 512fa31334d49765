/* Opens files of a task for other files of C: see task.cdef.h. */
#ifndef PM_TASK_H
#define PM_TASK_H

#include <stdint.h>

#include "kernel/task.cdef.h"

/* A decimal number behind `text`, closed by NUL: at most 11 bytes more. Returns its end. */
char *pm_task_digits(char *text, int32_t number);

/* The file `name` of a task, open to be read and closed on exec; its descriptor, or -errno. */
int32_t pm_task_open(int folder, int32_t thread, const char *name);

/*
 * What an error of a task's file means: a task without memory is not dumpable, and the files of
 * its folder are root's then. So -ESRCH for a -EACCES or -EPERM of one that is ending, else `error`.
 */
int32_t pm_task_error(int folder, int32_t thread, int32_t error);

#endif
