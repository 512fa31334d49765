/*
 * What is asked before a thread is made to call, of its files below the folder of its process;
 * and, after the call, whether what it made is a userfaultfd.
 */
#include "kernel/sys_trace.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/injection.h"
#include "kernel/read.cdef.h"
#include "kernel/status.h"
#include "kernel/sys.h"

#ifdef PM_TRACE_WORKS

enum { PATH = 40 };
enum { VECTOR = 256, VDSO = 33 }; /* words of an auxiliary vector, and AT_SYSINFO_EHDR */

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

int pm_injection_open(const struct pm_injection_job *job, const char *name)
{
	char path[PATH];
	int fd;

	path_of(path, "task/", job->in->thread, name);
	fd = pm_sys_open_below(job->in->folder, path);
	return fd < 0 ? -errno : fd;
}

/* The number on a line of the thread's status, or -errno. */
static int64_t number_in(const struct pm_injection_job *job, const char *name)
{
	const int fd = pm_injection_open(job, "/status");
	int64_t found;

	if (fd < 0)
		return fd;
	found = pm_status_number(fd, name);
	pm_sys_close(fd);
	return found;
}

bool pm_injection_is_userfaultfd(int fd)
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

int32_t pm_injection_identify(const struct pm_injection_job *job)
{
	const int64_t tracer = number_in(job, "TracerPid:");

	if (tracer < 0)
		return tracer == -ENOENT ? -ESRCH : (int32_t)tracer;
	return tracer == pm_sys_pid() ? 0 : -ESRCH;
}

/* Whether the call would be let through, and not kill the target. */
static int32_t pass_filter(const struct pm_injection_job *job)
{
	const int64_t mode = number_in(job, "Seccomp:");

	if (mode == -ENOENT) /* a kernel without it */
		return 0;
	if (mode < 0)
		return (int32_t)mode;
	return mode ? pm_trace_suspend_seccomp(&job->trace) : 0;
}

/* Whether it has its vDSO where its auxiliary vector had it: by exec it gets another. */
static int32_t has_vdso(const struct pm_injection_job *job)
{
	const int fd = pm_injection_open(job, "/auxv");
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
static int32_t has_code(const struct pm_injection_job *job)
{
	const uint64_t page = job->in->call_at / (uint64_t)pm_sys_page_size();
	const int fd = pm_injection_open(job, "/pagemap");
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

int32_t pm_injection_examine(struct pm_injection_job *job)
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

#endif
