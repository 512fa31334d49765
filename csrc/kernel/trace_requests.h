/* What is asked of a traced thread, and how it stops: what trace.c has for trace_call.c. */
#ifndef PM_TRACE_REQUESTS_H
#define PM_TRACE_REQUESTS_H

#include <stdint.h>

#include "kernel/trace.h"

#ifdef PM_TRACE_WORKS

/* include/uapi/linux/ptrace.h, which cannot be included beside the C library's */
enum {
	PM_TRACE_CONTINUE = 7,
	PM_TRACE_DETACH = 17,
	PM_TRACE_TO_SYSCALL = 24,
	PM_TRACE_SETOPTIONS = 0x4200,
	PM_TRACE_GETREGSET = 0x4204,
	PM_TRACE_SETREGSET = 0x4205,
	PM_TRACE_SEIZE = 0x4206,
	PM_TRACE_INTERRUPT = 0x4207,
	PM_TRACE_GET_CALL = 0x420e,
	PM_TRACE_GET_RSEQ = 0x420f,
	PM_TRACE_GET_DISPATCH = 0x4211,
};

/* What a thread did, by the status that wait gives. */
enum { PM_TRACE_STOP_CALL, PM_TRACE_STOP_EVENT, PM_TRACE_STOP_SIGNAL };

enum { PM_TRACE_MOST_STOPS = 100 }; /* for signals and job control, before the one that is meant */

/* A request of ptrace(2): 0 or -errno. */
int32_t pm_trace_ask(const struct pm_trace *trace, int request, uintptr_t address, uintptr_t data);

/* No thread can keep us longer than that from here on, whatever it does. */
void pm_trace_begin_waiting(struct pm_trace *trace);

/* The next stop of the thread, and its signal; or -ESRCH, -ETIMEDOUT. */
int32_t pm_trace_next_stop(const struct pm_trace *trace, int *signal);

/* Wait until it rests; the signals that come before that are delivered. 0 or -errno. */
int32_t pm_trace_rest(const struct pm_trace *trace);

/* The registers of the stopped thread: 0 or -errno, -ENOEXEC for those of 32-bit code. */
int32_t pm_trace_get(const struct pm_trace *trace, struct pm_trace_registers *out);
int32_t pm_trace_set(const struct pm_trace *trace, struct pm_trace_registers *in);

/* Save what a thread has that has just stopped, and is to go on with. 0 or -errno. */
int32_t pm_trace_save(struct pm_trace *trace);

#endif

#endif
