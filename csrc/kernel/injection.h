/* What the helper of injection.c knows, and what injection_checks.c finds for it. */
#ifndef PM_INJECTION_H
#define PM_INJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/injection.cdef.h"
#include "kernel/trace.h"

#ifdef PM_TRACE_WORKS

/* What the helper and its caller share. */
struct pm_injection_job {
	struct pm_injection *in;
	struct pm_trace trace;
	int32_t result;
	int pidfd;
	int taken; /* our descriptor of what the thread made; -1 for none */
};

/* A file of the thread, open below the folder; or -errno. */
int pm_injection_open(const struct pm_injection_job *job, const char *name);

/*
 * Whether the seized thread is of the folder's process: its status there names us as its
 * tracer. Ids are not given anew while a thread is traced, so from here on they are its own.
 * 0, or -ESRCH, or another -errno.
 */
int32_t pm_injection_identify(const struct pm_injection_job *job);

/* Look at the stopped thread: 0 if a call can be made with it, or -errno, of the step in `job`. */
int32_t pm_injection_examine(struct pm_injection_job *job);

/* Whether what we took is a userfaultfd: other threads may have put another file there. */
bool pm_injection_is_userfaultfd(int fd);

#endif

#endif
