/*
 * userfaultfd(2) called by a thread of another process, and its descriptor taken:
 *
 *	helper                          thread of the target
 *	SEIZE, INTERRUPT                stops wherever it is
 *	looks at it
 *	changes its registers     ┐
 *	                          │     calls userfaultfd, at an instruction of its own vDSO
 *	puts them back            ┘
 *	pidfd_getfd
 *	changes its registers     ┐
 *	                          │     calls close
 *	puts them back            ┘
 *	DETACH                          goes on
 *
 * The helper is a process of its own, so that what ends the caller does not end it between.
 * Where it is killed all the same, the kernel lets the thread go on as it is: unharmed, but
 * for the two spans with changed registers, and with one descriptor more between them.
 */
#include "kernel/sys_trace.h"

#include <string.h>

#include "kernel/injection.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "kernel/trace.h"
#include "kernel/uapi.h"

#ifdef PM_TRACE_WORKS

enum { STACK = 16384 };

/* Have the stopped thread make a userfaultfd, which becomes ours. */
static int32_t make(struct pm_injection_job *job)
{
	const uint64_t flags = O_CLOEXEC | O_NONBLOCK | PM_UAPI_UFFD_USER_MODE_ONLY;
	int64_t made = 0, closed = 0;
	int32_t result, left;

	job->in->step = PM_INJECTION_CALL;
	result = pm_trace_call(&job->trace, SYS_userfaultfd, flags, &made);
	if (result < 0)
		return result;
	if (made < 0)
		return (int32_t)made;
	job->in->step = PM_INJECTION_TAKE;
	job->taken = pm_sys_pidfd_getfd(job->pidfd, (int)made);
	if (job->taken < 0)
		result = -errno;
	else if (!pm_injection_is_userfaultfd(job->taken))
		return -EBADF; /* nor is it ours to close there */
	if (result == 0)
		job->in->step = PM_INJECTION_CLOSE;
	left = pm_trace_call(&job->trace, SYS_close, (uint64_t)made, &closed);
	return result < 0 ? result : left;
}

static int32_t stopped(struct pm_injection_job *job)
{
	const uint64_t begin = pm_sys_now();
	int32_t result, released;

	job->in->step = PM_INJECTION_STOP;
	result = pm_trace_stop(&job->trace);
	if (result == -ETIMEDOUT)
		return result; /* it runs: when the helper ends, the kernel lets it go */
	if (result == -ENOEXEC)
		job->in->step = PM_INJECTION_CODE;
	if (result == 0)
		result = pm_injection_examine(job);
	if (result == 0)
		result = make(job);
	/* one that does not stop is let go by the kernel, when the helper ends */
	released = job->in->changed ? 0 : pm_trace_let_go(&job->trace);
	job->in->stopped = pm_sys_now() - begin;
	job->in->exposed = job->trace.exposed;
	if (result < 0)
		return result;
	job->in->step = released < 0 ? PM_INJECTION_DETACH : PM_INJECTION_DONE;
	return released;
}

static int32_t trace(struct pm_injection_job *job)
{
	int32_t result;

	job->in->step = PM_INJECTION_SEIZE;
	/* this waits for an exec of the target, which may wait for ever (cred_guard_mutex) */
	pm_sys_helper_limit(job->in->patience);
	result = pm_trace_seize(&job->trace);
	pm_sys_helper_limit(0);
	if (result < 0)
		return result;
	job->in->step = PM_INJECTION_IDENTITY;
	result = pm_injection_identify(job);
	if (result < 0)
		return result;
	/* its descriptors may be others than those of the main thread, which may have ended */
	job->pidfd = pm_sys_pidfd_open(job->in->thread, job->in->pid);
	return job->pidfd < 0 ? -errno : stopped(job);
}

/*
 * Run where the thread does: then it goes on as soon as we rest, and we when it stops, without
 * an interrupt to another processor, and without others who run there between us. But not
 * beside a real-time thread, which would not let us run there before it rests.
 */
static void stay_with(const struct pm_injection_job *job)
{
	const int fd = pm_injection_open(job, "/stat");

	if (fd < 0)
		return;
	pm_sys_helper_stay(pm_status_processor(fd));
	pm_sys_close(fd);
}

/* The helper's life. */
static int help(void *argument)
{
	struct pm_injection_job *job = argument;

	pm_sys_helper_begin();
	stay_with(job);
	job->result = trace(job);
	return 0;
}

int32_t pm_inject_userfaultfd(struct pm_injection *in)
{
	/* the helper's stack lies on ours, which waits */
	_Alignas(16) char stack[STACK];
	struct pm_injection_job job = {
		.in = in,
		.trace = {
			.tid = in->thread,
			.call_at = in->call_at,
			.patience = in->patience,
			.changed = &in->changed,
		},
		.result = -EINTR, /* until the helper says otherwise */
		.pidfd = -1,
		.taken = -1,
	};
	uint64_t signals;
	int helper, error;

	in->fd = -1;
	in->step = PM_INJECTION_BEGIN;
	in->changed = 0;
	in->stopped = 0;
	in->exposed = 0;
	if (in->thread <= 0 || in->pid <= 0)
		return -EINVAL;
	pm_sys_block_signals(&signals);
	helper = pm_sys_helper(help, stack + sizeof(stack), &job);
	error = errno;
	if (helper > 0 && pm_sys_helper_end(helper) == SIGALRM)
		job.result = -ETIMEDOUT;
	pm_sys_restore_signals(&signals);
	if (helper < 0)
		return -error;
	if (job.pidfd >= 0)
		pm_sys_close(job.pidfd);
	if (job.result == 0)
		in->fd = job.taken;
	else if (job.taken >= 0)
		pm_sys_close(job.taken);
	return job.result;
}

int64_t pm_find_call(const uint8_t *code, uint64_t size)
{
	static const uint8_t wanted[] = PM_TRACE_INSTRUCTION;
	const uint8_t *found = memmem(code, size, wanted, sizeof(wanted));

	return found ? found - code : -ENOENT;
}

#else

int32_t pm_inject_userfaultfd(struct pm_injection *in)
{
	in->fd = -1;
	in->step = PM_INJECTION_BEGIN;
	return -ENOTSUP;
}

int64_t pm_find_call(const uint8_t *code, uint64_t size)
{
	(void)code;
	(void)size;
	return -ENOTSUP;
}

#endif
