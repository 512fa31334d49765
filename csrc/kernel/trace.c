/* A thread of another process, stopped and let go: see trace.h. */
#include "kernel/sys_trace.h"

#include <elf.h>
#include <string.h>
#include <sys/uio.h>

#include "kernel/sys.h"
#include "kernel/trace.h"
#include "kernel/trace_requests.h"

#ifdef PM_TRACE_WORKS

enum { TRACE_SYSGOOD = 1, SUSPEND_SECCOMP = 1 << 21, EVENT_STOP = 128 };

enum { NAP = 10000000 }; /* nanoseconds to sleep where no signal tells of a stop */
enum { WAITS = 20 };	 /* each as long as the patience, until a thread is given up */

/* include/uapi/linux/ptrace.h */
struct rseq_configuration {
	uint64_t area;
	uint32_t size;
	uint32_t signature;
	uint32_t flags;
	uint32_t pad;
};
struct dispatch_configuration {
	uint64_t mode;
	uint64_t selector;
	uint64_t offset;
	uint64_t length;
};

int32_t pm_trace_ask(const struct pm_trace *trace, int request, uintptr_t address, uintptr_t data)
{
	return pm_sys_ptrace(request, trace->tid, address, data) < 0 ? -errno : 0;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

void pm_trace_begin_waiting(struct pm_trace *trace)
{
	trace->until = pm_sys_now() + WAITS * trace->patience;
}

int32_t pm_trace_next_stop(const struct pm_trace *trace, int *signal)
{
	const uint64_t end = smaller(pm_sys_now() + trace->patience, trace->until);

	for (;;) {
		int status = 0, got = pm_sys_trace_stop(trace->tid, &status);

		if (got < 0 && errno != EINTR)
			return -ESRCH;
		if (got > 0) {
			*signal = status & 0xff;
			if (status >> 8 == EVENT_STOP)
				return PM_TRACE_STOP_EVENT;
			return *signal == (SIGTRAP | 0x80) ? PM_TRACE_STOP_CALL
							   : PM_TRACE_STOP_SIGNAL;
		}
		if (pm_sys_now() > end)
			return -ETIMEDOUT;
		pm_sys_trace_sleep(NAP);
	}
}

int32_t pm_trace_rest(const struct pm_trace *trace)
{
	int signal = 0;

	for (int i = 0; i < PM_TRACE_MOST_STOPS; i++) {
		const int32_t stop = pm_trace_next_stop(trace, &signal);
		int32_t result = stop < 0 ? stop : 0;

		if (stop < 0 || stop == PM_TRACE_STOP_EVENT)
			return result;
		result = pm_trace_ask(trace, PM_TRACE_CONTINUE, 0,
				      stop == PM_TRACE_STOP_SIGNAL ? (uintptr_t)signal : 0);
		if (result < 0)
			return result;
	}
	return -EAGAIN;
}

int32_t pm_trace_get(const struct pm_trace *trace, struct pm_trace_registers *out)
{
	struct iovec bytes = { out, sizeof(*out) };
	int32_t result = pm_trace_ask(trace, PM_TRACE_GETREGSET, NT_PRSTATUS, (uintptr_t)&bytes);

	if (result < 0)
		return result;
	return bytes.iov_len == sizeof(*out) ? 0 : -ENOEXEC;
}

int32_t pm_trace_set(const struct pm_trace *trace, struct pm_trace_registers *in)
{
	struct iovec bytes = { in, sizeof(*in) };

	return pm_trace_ask(trace, PM_TRACE_SETREGSET, NT_PRSTATUS, (uintptr_t)&bytes);
}

/*
 * A thread that is stopped in a restartable sequence is to begin it anew, as after any switch
 * to another thread: the kernel sees to that when it goes on, at its abort handler. But where
 * it goes on elsewhere, as to make our call, the kernel takes the sequence for left. So we
 * give it the position of the abort handler ourselves (rseq_ip_fixup in kernel/rseq.c). There
 * are no system calls in a sequence.
 */
static int32_t leave_sequence(struct pm_trace *trace)
{
	struct rseq_configuration about = { 0 };
	struct pm_trace_sequence found;
	int32_t result;

	if (pm_trace_in_call(&trace->saved))
		return 0;
	if (pm_trace_ask(trace, PM_TRACE_GET_RSEQ, sizeof(about), (uintptr_t)&about) < 0 ||
	    !about.area)
		return 0;
	result = pm_trace_find_sequence(trace, about.area, &found);
	if (result < 0 || pm_trace_position(&trace->saved) - found.start >= found.length)
		return result;
	if (found.signature != about.signature)
		return -EBUSY; /* for that the kernel will kill it */
	pm_trace_move(&trace->saved, found.abort);
	return 0;
}

int32_t pm_trace_save(struct pm_trace *trace)
{
	int32_t result = pm_trace_get(trace, &trace->saved);

	return result < 0 ? result : leave_sequence(trace);
}

int32_t pm_trace_seize(const struct pm_trace *trace)
{
	return pm_trace_ask(trace, PM_TRACE_SEIZE, 0, TRACE_SYSGOOD);
}

int32_t pm_trace_stop(struct pm_trace *trace)
{
	int32_t result = pm_trace_ask(trace, PM_TRACE_INTERRUPT, 0, 0);

	pm_trace_begin_waiting(trace);
	if (result == 0)
		result = pm_trace_rest(trace);
	return result < 0 ? result : pm_trace_save(trace);
}

int32_t pm_trace_let_go(const struct pm_trace *trace)
{
	/*
	 * Where a call of its own was interrupted, the kernel restarts it on the way of pending
	 * signals alone. To detach leads there too (__ptrace_unlink), but is not said to.
	 */
	int32_t result = pm_trace_ask(trace, PM_TRACE_INTERRUPT, 0, 0);

	return result < 0 ? result : pm_trace_ask(trace, PM_TRACE_DETACH, 0, 0);
}

int32_t pm_trace_suspend_seccomp(const struct pm_trace *trace)
{
	return pm_trace_ask(trace, PM_TRACE_SETOPTIONS, 0, TRACE_SYSGOOD | SUSPEND_SECCOMP);
}

int32_t pm_trace_dispatches(const struct pm_trace *trace)
{
	struct dispatch_configuration about = { 0 };

	return pm_trace_ask(trace, PM_TRACE_GET_DISPATCH, sizeof(about), (uintptr_t)&about) == 0 &&
	       about.mode;
}

#endif
