/*
 * One thread of another process, stopped by ptrace, and what it is made to call.
 *
 * Its registers are changed for a call and put back after it. Signals that come meanwhile
 * are delivered as ever: with the registers that the thread had, and before the call.
 */
#ifndef PM_TRACE_H
#define PM_TRACE_H

#include <stdint.h>

#include "kernel/trace_registers.h"

#ifdef PM_TRACE_WORKS

/* A thread that is traced, by its tracer alone. */
struct pm_trace {
	int tid;
	uint64_t call_at;  /* address of a system call instruction */
	uint64_t patience; /* nanoseconds to wait for any stop */
	struct pm_trace_registers saved;
	volatile int32_t *changed; /* 1 while the thread's registers are not `saved` */
	uint64_t exposed;	   /* nanoseconds for which they were not */
	uint64_t since;		   /* when they were changed last */
	uint64_t until;		   /* when it is given up */
};

/* Begin to trace the thread, which runs on: 0 or -errno. */
int32_t pm_trace_seize(const struct pm_trace *trace);

/*
 * Stop the thread, or take it as it is where a job control signal has stopped it. Returns 0
 * or -errno: -ETIMEDOUT, -ESRCH, -ENOEXEC for 32-bit code, -EAGAIN for too many signals; -EBUSY
 * in a broken restartable sequence (rseq(2)), or -ETIME where that cannot be known.
 */
int32_t pm_trace_stop(struct pm_trace *trace);

/*
 * Have the stopped thread make a system call. Returns 0 and what that returned, or -errno:
 * -ESRCH where the thread is gone, -ETIMEDOUT where it did not go on, -EAGAIN for too many
 * signals, -EPROTO where it came to another call, which it did not make. Its registers are then as they were, but that a sequence begins
 * anew. After -ETIMEDOUT with `*changed` they are those of the call: it runs, and does not stop.
 */
int32_t pm_trace_call(struct pm_trace *trace, uint64_t number, uint64_t argument,
		      int64_t *returned);

/* Let the stopped thread go on where it was; 0 or -errno. */
int32_t pm_trace_let_go(const struct pm_trace *trace);

/* Allow its calls in spite of a filter (seccomp), where the kernel lets us: 0 or -errno. */
int32_t pm_trace_suspend_seccomp(const struct pm_trace *trace);

/* Whether its calls are sent to a handler in it: 1 or 0. */
int32_t pm_trace_dispatches(const struct pm_trace *trace);

/* A restartable sequence of a thread, as it says itself; of no length where there is none. */
struct pm_trace_sequence {
	uint64_t start;
	uint64_t length;
	uint64_t abort;	    /* where it goes on when it was interrupted, */
	uint32_t signature; /* and what stands before that */
};

/*
 * The sequence that the area of a stopped thread (struct rseq, at this address) names. Whatever
 * memory the thread has there, as of a file system that never answers: after the patience this
 * is -ETIME. Or another -errno.
 */
int32_t pm_trace_find_sequence(const struct pm_trace *trace, uint64_t area,
			       struct pm_trace_sequence *out);

#endif

#endif
