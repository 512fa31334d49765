/*
 * A userfaultfd of another process: userfaultfd(2) gives only one of the caller's own
 * memory, so a thread of that process is made to call it.
 */
#ifndef PM_KERNEL_INJECTION_CDEF_H
#define PM_KERNEL_INJECTION_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was done last: where it failed, if it did. */
enum pm_injection_step {
	PM_INJECTION_BEGIN,    /* the helper was not started */
	PM_INJECTION_SEIZE,    /* ptrace was refused */
	PM_INJECTION_IDENTITY, /* the thread is of another process than the folder's */
	PM_INJECTION_STOP,     /* the thread did not stop */
	PM_INJECTION_SECCOMP,  /* its system calls are filtered */
	PM_INJECTION_DISPATCH, /* or sent to a handler of its own (Syscall User Dispatch) */
	PM_INJECTION_CODE,     /* it runs 32-bit code, or its vDSO is another, or was changed */
	PM_INJECTION_CALL,     /* userfaultfd failed in the target */
	PM_INJECTION_TAKE,     /* its descriptor could not be taken */
	PM_INJECTION_CLOSE,    /* or not be closed there */
	PM_INJECTION_DETACH,
	PM_INJECTION_DONE,
};

struct pm_injection {
	/* of the caller */
	int32_t folder; /* descriptor of /proc/PID */
	int32_t pid;
	int32_t thread;	   /* the id of one of its threads */
	uint64_t vdso;	   /* where its auxiliary vector had its vDSO, */
	uint64_t call_at;  /* and of a system call instruction in that, by pm_find_call */
	uint64_t patience; /* nanoseconds to wait for the thread to stop */
	/* results, also where it failed */
	int32_t fd;	  /* the userfaultfd, closed on exec; -1 for none */
	int32_t step;	  /* enum pm_injection_step */
	int32_t changed;  /* whether its registers were not put back: killed, or given up */
	uint64_t stopped; /* nanoseconds for which the thread was stopped, at most */
	uint64_t exposed; /* and among them those with its registers changed */
};

/* The offset of the first system call instruction in code; or -ENOENT, or -ENOTSUP. */
int64_t pm_find_call(const uint8_t *code, uint64_t size);

/*
 * Have a thread of the target call userfaultfd(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY),
 * take the descriptor, have the thread close it, and let it go on where it was. Nothing is
 * written to the target's memory. Done by a helper process, which goes on to the end though
 * the caller is killed. Returns 0 or -errno, and `in->step` says at what:
 * -ESRCH: the thread or the process is gone; -EPERM: not permitted; -EBUSY: in a state that
 * does not allow it; -ETIMEDOUT: it did not stop, or not go on; -EINTR: the helper was killed;
 * -EPROTO: it has other code at that address; -ENOEXEC: not 64-bit code; -ENOENT: another vDSO,
 * as after exec; -ETIME: memory of it could not be read; -ENOTSUP: not on this machine.
 *
 * No memory of the target is read but by a process that is abandoned where it has to wait.
 */
int32_t pm_inject_userfaultfd(struct pm_injection *in);

#ifdef __cplusplus
}
#endif

#endif
