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

#include <stdbool.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/injection.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "kernel/trace.h"
#include "kernel/uapi.h"

#ifdef PM_TRACE_WORKS

enum { STACK = 16384, PATH = 40 };
enum { VECTOR = 256, VDSO = 33 }; /* words of an auxiliary vector, and AT_SYSINFO_EHDR */

/* What the helper and its caller share. */
struct job {
	struct pm_injection *in;
	struct pm_trace trace;
	int32_t result;
	int pidfd;
	int taken; /* our descriptor of what the thread made; -1 for none */
};

/* A path: `before`, a number, `after`. The helper uses as little of the C library as can be. */
static void path_of(char *out, const char *before, int32_t number, const char *after)
{
	char digits[12];
	size_t count = 0;

	out = stpcpy(out, before);
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		*out++ = digits[--count];
	stpcpy(out, after);
}

/* A file of the thread, open below the folder; or -errno. */
static int open_file(const struct job *job, const char *name)
{
	char path[PATH];
	int fd;

	path_of(path, "task/", job->in->thread, name);
	fd = pm_sys_open_below(job->in->folder, path);
	return fd < 0 ? -errno : fd;
}

/* The number on a line of the thread's status, or -errno. */
static int64_t number_in(const struct job *job, const char *name)
{
	const int fd = open_file(job, "/status");
	int64_t found;

	if (fd < 0)
		return fd;
	found = pm_status_number(fd, name);
	pm_sys_close(fd);
	return found;
}

/* Whether what we took is a userfaultfd: other threads may have put another file there. */
static bool is_userfaultfd(int fd)
{
	static const char wanted[] = "anon_inode:[userfaultfd]";
	char path[PATH], name[sizeof(wanted)];
	ssize_t size;

	path_of(path, "/proc/self/fd/", fd, "");
	size = pm_sys_read_link(path, name, sizeof(name));
	if (size != sizeof(wanted) - 1)
		return false;
	return memcmp(name, wanted, sizeof(wanted) - 1) == 0;
}

/*
 * Whether the seized thread is of the folder's process: its status there names us as its
 * tracer. Ids are not given anew while a thread is traced, so from here on they are its own.
 */
static int32_t identify(const struct job *job)
{
	const int64_t tracer = number_in(job, "TracerPid:");

	if (tracer < 0)
		return tracer == -ENOENT ? -ESRCH : (int32_t)tracer;
	return tracer == pm_sys_pid() ? 0 : -ESRCH;
}

/* Whether the call would be let through, and not kill the target. */
static int32_t pass_filter(const struct job *job)
{
	const int64_t mode = number_in(job, "Seccomp:");

	if (mode == -ENOENT) /* a kernel without it */
		return 0;
	if (mode < 0)
		return (int32_t)mode;
	return mode ? pm_trace_suspend_seccomp(&job->trace) : 0;
}

/* Whether it has its vDSO where its auxiliary vector had it: by exec it gets another. */
static int32_t has_vdso(const struct job *job)
{
	const int fd = open_file(job, "/auxv");
	uint64_t vector[VECTOR];
	ssize_t size;

	if (fd < 0)
		return fd;
	size = pm_sys_pread(fd, vector, sizeof(vector), 0);
	pm_sys_close(fd);
	for (ssize_t i = 0; i + 1 < size / (ssize_t)sizeof(*vector); i += 2)
		if (vector[i] == VDSO)
			return vector[i + 1] == job->in->vdso;
	return 0;
}

/*
 * Whether the page of the call is the kernel's own: one that was written to is anonymous. It
 * is not read, for who maps another file there may keep us waiting for it.
 */
static int32_t has_code(const struct job *job)
{
	const uint64_t page = job->in->call_at / (uint64_t)pm_sys_page_size();
	const int fd = open_file(job, "/pagemap");
	uint64_t entry;
	int64_t got;

	if (fd < 0)
		return fd;
	got = pm_read(fd, page, 1, &entry);
	pm_sys_close(fd);
	if (got < 1)
		return got < 0 ? (int32_t)got : -ESRCH;
	if (pm_flag(entry, PM_PRESENT_BIT))
		return (int32_t)pm_flag(entry, PM_FILE_BIT);
	return !pm_flag(entry, PM_SWAPPED_BIT);
}

/* Look at the stopped thread: whether a call can be made with it. */
static int32_t examine(struct job *job)
{
	int32_t result;

	job->in->step = PM_INJECTION_SECCOMP;
	result = pass_filter(job);
	if (result < 0)
		return result;
	job->in->step = PM_INJECTION_DISPATCH;
	if (pm_trace_dispatches(&job->trace))
		return -EBUSY;
	job->in->step = PM_INJECTION_CODE;
	result = has_vdso(job);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	result = has_code(job);
	if (result <= 0)
		return result < 0 ? result : -EPROTO;
	return 0;
}

/* Have the stopped thread make a userfaultfd, which becomes ours. */
static int32_t make(struct job *job)
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
	else if (!is_userfaultfd(job->taken))
		return -EBADF; /* nor is it ours to close there */
	if (result == 0)
		job->in->step = PM_INJECTION_CLOSE;
	left = pm_trace_call(&job->trace, SYS_close, (uint64_t)made, &closed);
	return result < 0 ? result : left;
}

static int32_t stopped(struct job *job)
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
		result = examine(job);
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

static int32_t trace(struct job *job)
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
	result = identify(job);
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
static void stay_with(const struct job *job)
{
	const int fd = open_file(job, "/stat");

	if (fd < 0)
		return;
	pm_sys_helper_stay(pm_status_processor(fd));
	pm_sys_close(fd);
}

/* The helper's life. */
static int help(void *argument)
{
	struct job *job = argument;

	pm_sys_helper_begin();
	stay_with(job);
	job->result = trace(job);
	return 0;
}

int32_t pm_inject_userfaultfd(struct pm_injection *in)
{
	/* the helper's stack lies on ours, which waits */
	_Alignas(16) char stack[STACK];
	struct job job = {
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
