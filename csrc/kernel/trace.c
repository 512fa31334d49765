/* A thread of another process, stopped and made to call: see trace.h. */
#include "kernel/sys_trace.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#include "kernel/sys.h"
#include "kernel/trace.h"

#ifdef PM_TRACE_WORKS

/* include/uapi/linux/ptrace.h, which cannot be included beside the C library's */
enum {
	CONTINUE = 7,
	DETACH = 17,
	TO_SYSCALL = 24,
	SETOPTIONS = 0x4200,
	GETREGSET = 0x4204,
	SETREGSET = 0x4205,
	SEIZE = 0x4206,
	INTERRUPT = 0x4207,
	GET_CALL = 0x420e,
	GET_RSEQ = 0x420f,
	GET_DISPATCH = 0x4211,
};
enum { TRACE_SYSGOOD = 1, SUSPEND_SECCOMP = 1 << 21, EVENT_STOP = 128 };

/* What a thread did, by the status that wait gives. */
enum { STOP_CALL, STOP_EVENT, STOP_SIGNAL };

enum { NAP = 10000000 }; /* nanoseconds to sleep where no signal tells of a stop */
enum { STOPS = 100 };	 /* for signals and job control, before the one that is meant */
enum { WAITS = 20 };	 /* each as long as the patience, until a thread is given up */
enum { CALL_ENTRY = 1 };

/* include/uapi/linux/ptrace.h */
struct rseq_configuration {
	uint64_t area;
	uint32_t size;
	uint32_t signature;
	uint32_t flags;
	uint32_t pad;
};
/* struct ptrace_syscall_info where a thread enters a call; include/uapi/linux/ptrace.h */
struct entry {
	uint8_t kind;
	uint32_t machine;
	uint64_t position; /* behind the instruction */
	uint64_t stack;
	uint64_t number;
	uint64_t arguments[6];
};
struct dispatch_configuration {
	uint64_t mode;
	uint64_t selector;
	uint64_t offset;
	uint64_t length;
};

static int32_t ask(const struct pm_trace *trace, int request, uintptr_t address, uintptr_t data)
{
	return pm_sys_ptrace(request, trace->tid, address, data) < 0 ? -errno : 0;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

/* No thread can keep us longer than that from here on, whatever it does. */
static void begin_waiting(struct pm_trace *trace)
{
	trace->until = pm_sys_now() + WAITS * trace->patience;
}

/* The next stop of the thread, and its signal; or -ESRCH, -ETIMEDOUT. */
static int32_t next_stop(const struct pm_trace *trace, int *signal)
{
	const uint64_t end = smaller(pm_sys_now() + trace->patience, trace->until);

	for (;;) {
		int status = 0, got = pm_sys_trace_stop(trace->tid, &status);

		if (got < 0 && errno != EINTR)
			return -ESRCH;
		if (got > 0) {
			*signal = status & 0xff;
			if (status >> 8 == EVENT_STOP)
				return STOP_EVENT;
			return *signal == (SIGTRAP | 0x80) ? STOP_CALL : STOP_SIGNAL;
		}
		if (pm_sys_now() > end)
			return -ETIMEDOUT;
		pm_sys_trace_sleep(NAP);
	}
}

/* Wait until it rests; the signals that come before that are delivered. */
static int32_t rest(const struct pm_trace *trace)
{
	int signal = 0;

	for (int i = 0; i < STOPS; i++) {
		const int32_t stop = next_stop(trace, &signal);
		int32_t result = stop < 0 ? stop : 0;

		if (stop < 0 || stop == STOP_EVENT)
			return result;
		result = ask(trace, CONTINUE, 0, stop == STOP_SIGNAL ? (uintptr_t)signal : 0);
		if (result < 0)
			return result;
	}
	return -EAGAIN;
}

static int32_t get(const struct pm_trace *trace, struct pm_trace_registers *out)
{
	struct iovec bytes = { out, sizeof(*out) };
	int32_t result = ask(trace, GETREGSET, NT_PRSTATUS, (uintptr_t)&bytes);

	if (result < 0)
		return result;
	return bytes.iov_len == sizeof(*out) ? 0 : -ENOEXEC;
}

static int32_t set(const struct pm_trace *trace, struct pm_trace_registers *in)
{
	struct iovec bytes = { in, sizeof(*in) };

	return ask(trace, SETREGSET, NT_PRSTATUS, (uintptr_t)&bytes);
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
	if (ask(trace, GET_RSEQ, sizeof(about), (uintptr_t)&about) < 0 || !about.area)
		return 0;
	result = pm_trace_find_sequence(trace, about.area, &found);
	if (result < 0 || pm_trace_position(&trace->saved) - found.start >= found.length)
		return result;
	if (found.signature != about.signature)
		return -EBUSY; /* for that the kernel will kill it */
	pm_trace_move(&trace->saved, found.abort);
	return 0;
}

/* What a thread has that has just stopped, and is to go on with. */
static int32_t save(struct pm_trace *trace)
{
	int32_t result = get(trace, &trace->saved);

	return result < 0 ? result : leave_sequence(trace);
}

static int32_t change(struct pm_trace *trace, uint64_t number, uint64_t argument)
{
	struct pm_trace_registers changed = trace->saved;

	pm_trace_aim(&changed, trace->call_at, number, argument);
	trace->since = pm_sys_now();
	*trace->changed = 1;
	return set(trace, &changed);
}

static int32_t put_back(struct pm_trace *trace)
{
	int32_t result = set(trace, &trace->saved);

	/* a thread that is gone has no registers to put back */
	*trace->changed = 0;
	trace->exposed += pm_sys_now() - trace->since;
	return result;
}

int32_t pm_trace_seize(const struct pm_trace *trace)
{
	return ask(trace, SEIZE, 0, TRACE_SYSGOOD);
}

int32_t pm_trace_stop(struct pm_trace *trace)
{
	int32_t result = ask(trace, INTERRUPT, 0, 0);

	begin_waiting(trace);
	if (result == 0)
		result = rest(trace);
	return result < 0 ? result : save(trace);
}

/* A signal came before the call: it is delivered first, as if nothing had been changed. */
static int32_t deliver(struct pm_trace *trace, int signal)
{
	int32_t result = put_back(trace);

	if (result == 0)
		result = ask(trace, INTERRUPT, 0, 0);
	if (result == 0)
		result = ask(trace, CONTINUE, 0, (uintptr_t)signal);
	if (result == 0)
		result = rest(trace);
	return result < 0 ? result : save(trace);
}

/* A call that a thread is being made to make. */
struct call {
	uint64_t number;
	uint64_t argument;
	int stops;    /* in it: one where it enters, one where it leaves */
	int others;   /* that came before these */
	bool late;    /* it did not come so far, and is to be stopped where it is */
	bool lost;    /* it did not even stop then: nothing can be done with it */
	bool foreign; /* it was about to make another call, and made none */
};

/* A stop that is none in the call: 0 to go on, or why not. */
static int32_t disturbed(struct pm_trace *trace, struct call *call, int32_t stop, int signal)
{
	int32_t result = 0;

	if (stop == STOP_SIGNAL)
		result = deliver(trace, signal);
	else if (call->late && !call->stops)
		return -ETIMEDOUT;
	if (result == 0 && ++call->others > STOPS && !call->stops)
		result = -EAGAIN;
	if (result == 0 && stop == STOP_SIGNAL)
		result = change(trace, call->number, call->argument);
	return result;
}

/* Whether the call that the thread enters is ours: 1, 0 or -errno. */
static int32_t is_ours(const struct pm_trace *trace, const struct call *call)
{
	static const uint8_t instruction[] = PM_TRACE_INSTRUCTION;
	struct entry entry = { 0 };
	int32_t result = ask(trace, GET_CALL, sizeof(entry), (uintptr_t)&entry);

	if (result < 0)
		return result;
	return entry.kind == CALL_ENTRY && entry.number == call->number &&
	       entry.arguments[0] == call->argument &&
	       entry.position == trace->call_at + sizeof(instruction);
}

/*
 * The thread enters a call. Where another thread of it has put other code at the address
 * meanwhile, this may be any call, as one that never returns: then it is to make none.
 */
static int32_t enter(const struct pm_trace *trace, struct call *call)
{
	struct pm_trace_registers skipping;
	int32_t result = is_ours(trace, call);

	if (result)
		return result < 0 ? result : 0;
	call->foreign = true;
	result = get(trace, &skipping);
	if (result < 0)
		return result;
	pm_trace_skip(&skipping);
	return set(trace, &skipping);
}

/* The thread runs, or waits in the kernel, and did not stop. */
static int32_t overdue(const struct pm_trace *trace, struct call *call)
{
	call->lost = pm_sys_now() > trace->until;
	if (call->lost)
		return -ETIMEDOUT;
	if (call->late)
		return 0;
	call->late = true;
	return ask(trace, INTERRUPT, 0, 0);
}

/*
 * From the changed registers to the end of the call. A thread that does not come to it, as a
 * frozen one, is stopped where it is; once it is in the call it is waited for, until it is
 * given up. What else stops it is of job control, to which a thread that is traced need not
 * obey.
 */
static int32_t run(struct pm_trace *trace, struct call *call)
{
	int32_t result = change(trace, call->number, call->argument);
	bool stopped = true;
	int signal = 0;

	while (result == 0 && call->stops < 2) {
		int32_t stop = stopped ? ask(trace, TO_SYSCALL, 0, 0) : 0;

		if (stop == 0)
			stop = next_stop(trace, &signal);
		stopped = stop >= 0;
		if (stop == -ETIMEDOUT)
			result = overdue(trace, call);
		else if (!stopped)
			result = stop;
		else if (stop != STOP_CALL)
			result = disturbed(trace, call, stop, signal);
		else if (++call->stops == 1)
			result = enter(trace, call);
	}
	return result < 0 || !call->foreign ? result : -EPROTO;
}

int32_t pm_trace_call(struct pm_trace *trace, uint64_t number, uint64_t argument, int64_t *returned)
{
	struct call call = { .number = number, .argument = argument };
	struct pm_trace_registers after;
	int32_t result;

	begin_waiting(trace);
	result = run(trace, &call);
	if (result == 0)
		result = get(trace, &after);
	if (*trace->changed && !call.lost) {
		int32_t failed = put_back(trace);

		if (result == 0)
			result = failed;
	}
	if (result == 0)
		*returned = pm_trace_returned(&after);
	return result;
}

int32_t pm_trace_let_go(const struct pm_trace *trace)
{
	/*
	 * Where a call of its own was interrupted, the kernel restarts it on the way of pending
	 * signals alone. To detach leads there too (__ptrace_unlink), but is not said to.
	 */
	int32_t result = ask(trace, INTERRUPT, 0, 0);

	return result < 0 ? result : ask(trace, DETACH, 0, 0);
}

int32_t pm_trace_suspend_seccomp(const struct pm_trace *trace)
{
	return ask(trace, SETOPTIONS, 0, TRACE_SYSGOOD | SUSPEND_SECCOMP);
}

int32_t pm_trace_dispatches(const struct pm_trace *trace)
{
	struct dispatch_configuration about = { 0 };

	return ask(trace, GET_DISPATCH, sizeof(about), (uintptr_t)&about) == 0 && about.mode;
}

#endif
