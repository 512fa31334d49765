/* A line of /proc/PID/status, read where nothing may be allocated. */
#ifndef PM_STATUS_H
#define PM_STATUS_H

#include <stdint.h>

/* A number and one digit more, or INT64_MAX where they do not fit: in a proc of another's hand any
 * number of digits may stand. */
static inline int64_t pm_status_digit(int64_t number, char digit)
{
	return number > (INT64_MAX - 9) / 10 ? INT64_MAX : number * 10 + (digit - '0');
}

/*
 * The number on the line of an open status that begins with `name`, as "TracerPid:".
 * Returns it, -ENOENT where there is none, -EIO for a number of no kernel, or -errno.
 */
int64_t pm_status_number(int fd, const char *name);

/*
 * The processor that a thread runs on or ran on last, by its /proc/PID/task/TID/stat: its
 * number, or -errno. -ENODATA where the kernel does not tell; -EBUSY where it is a real-time
 * thread (its priority is negative), which leaves its processor to others only when it rests.
 */
int64_t pm_status_processor(int fd);

#endif
