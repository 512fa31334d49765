/* The call that a stopped thread is made to make: see trace.h. */
#include "kernel/sys_trace.h"

#include <stdbool.h>

#include "kernel/sys.h"
#include "kernel/trace.h"
#include "kernel/trace_requests.h"

#ifdef PM_TRACE_WORKS

enum { CALL_ENTRY = 1 };

/* struct ptrace_syscall_info where a thread enters a call; include/uapi/linux/ptrace.h */
struct entry {
	uint8_t kind;
	uint32_t machine;
	uint64_t position; /* behind the instruction */
	uint64_t stack;
	uint64_t number;
	uint64_t arguments[6];
};

static int32_t change(struct pm_trace *trace, uint64_t number, uint64_t argument)
{
	struct pm_trace_registers changed = trace->saved;

	pm_trace_aim(&changed, trace->call_at, number, argument);
	trace->since = pm_sys_now();
	*trace->changed = 1;
	return pm_trace_set(trace, &changed);
}

static int32_t put_back(struct pm_trace *trace)
{
	int32_t result = pm_trace_set(trace, &trace->saved);

	/* a thread that is gone has no registers to put back */
	*trace->changed = 0;
	trace->exposed += pm_sys_now() - trace->since;
	return result;
}

/* A signal came before the call: it is delivered first, as if nothing had been changed. */
static int32_t deliver(struct pm_trace *trace, int signal)
{
	int32_t result = put_back(trace);

	if (result == 0)
		result = pm_trace_ask(trace, PM_TRACE_INTERRUPT, 0, 0);
	if (result == 0)
		result = pm_trace_ask(trace, PM_TRACE_CONTINUE, 0, (uintptr_t)signal);
	if (result == 0)
		result = pm_trace_rest(trace);
	return result < 0 ? result : pm_trace_save(trace);
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

	if (stop == PM_TRACE_STOP_SIGNAL)
		result = deliver(trace, signal);
	else if (call->late && !call->stops)
		return -ETIMEDOUT;
	if (result == 0 && ++call->others > PM_TRACE_MOST_STOPS && !call->stops)
		result = -EAGAIN;
	if (result == 0 && stop == PM_TRACE_STOP_SIGNAL)
		result = change(trace, call->number, call->argument);
	return result;
}

/* Whether the call that the thread enters is ours: 1, 0 or -errno. */
static int32_t is_ours(const struct pm_trace *trace, const struct call *call)
{
	static const uint8_t instruction[] = PM_TRACE_INSTRUCTION;
	struct entry entry = { 0 };
	int32_t result = pm_trace_ask(trace, PM_TRACE_GET_CALL, sizeof(entry), (uintptr_t)&entry);

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
	result = pm_trace_get(trace, &skipping);
	if (result < 0)
		return result;
	pm_trace_skip(&skipping);
	return pm_trace_set(trace, &skipping);
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
	return pm_trace_ask(trace, PM_TRACE_INTERRUPT, 0, 0);
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
		int32_t stop = stopped ? pm_trace_ask(trace, PM_TRACE_TO_SYSCALL, 0, 0) : 0;

		if (stop == 0)
			stop = pm_trace_next_stop(trace, &signal);
		stopped = stop >= 0;
		if (stop == -ETIMEDOUT)
			result = overdue(trace, call);
		else if (!stopped)
			result = stop;
		else if (stop != PM_TRACE_STOP_CALL)
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

	pm_trace_begin_waiting(trace);
	result = run(trace, &call);
	if (result == 0)
		result = pm_trace_get(trace, &after);
	if (*trace->changed && !call.lost) {
		int32_t failed = put_back(trace);

		if (result == 0)
			result = failed;
	}
	if (result == 0)
		*returned = pm_trace_returned(&after);
	return result;
}

#endif
