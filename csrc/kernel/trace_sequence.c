/*
 * The restartable sequence of a thread of another process, which its memory alone tells.
 *
 * Memory of others cannot be read in bounded time: a page may be of a file system (FUSE) whose
 * server never answers, and then even SIGKILL does not wake who waits for it. So a process of
 * its own does that, which has nothing of ours but the memory, and is left to itself where it
 * does not end: then its stack is left mapped, too.
 */
#include "kernel/sys_trace.h"

#include <stdbool.h>

#include "kernel/sys.h"
#include "kernel/trace.h"

#ifdef PM_TRACE_WORKS

enum { STACK = 16384 };
enum { LAST_WAIT = 10000000 }; /* nanoseconds for one that was killed */

struct reading {
	int tid;
	uint64_t area;
	struct pm_trace_sequence found;
	volatile bool done;
	volatile int living; /* its id, until the kernel clears it at its end */
	_Alignas(16) char stack[STACK];
};

static bool read_words(const struct reading *reading, uint64_t address, void *out, size_t size)
{
	return pm_sys_read_memory(reading->tid, address, out, size) == (ssize_t)size;
}

/* The life of the process that reads. Where there is no memory, there is no sequence. */
static int look(void *argument)
{
	struct reading *reading = argument;
	struct pm_trace_sequence found = { 0 };
	uint64_t at = 0;

	pm_sys_reader_begin();
	/* the area has two numbers of processors, and then the address of a struct rseq_cs; that
	 * has its version and flags, and then the three numbers */
	if (read_words(reading, reading->area + 8, &at, sizeof(at)) && at &&
	    read_words(reading, at + 8, &found, 3 * sizeof(uint64_t)) &&
	    read_words(reading, found.abort - sizeof(found.signature), &found.signature,
		       sizeof(found.signature)))
		reading->found = found;
	reading->done = true;
	return 0;
}

static bool ends(struct reading *reading, uint64_t nanoseconds)
{
	const uint64_t until = pm_sys_now() + nanoseconds;

	for (;;) {
		const int living = reading->living;
		const uint64_t now = pm_sys_now();

		if (!living || now >= until)
			return living == 0;
		pm_sys_wait_word(&reading->living, living, until - now);
	}
}

int32_t pm_trace_find_sequence(const struct pm_trace *trace, uint64_t area,
			       struct pm_trace_sequence *out)
{
	struct reading *reading = pm_sys_map_page(sizeof(*reading));
	int32_t result;
	int child;

	if (reading == MAP_FAILED)
		return -ENOMEM;
	reading->tid = trace->tid;
	reading->area = area;
	child = pm_sys_reader(look, reading->stack + STACK, reading, &reading->living);
	if (child < 0) {
		result = -errno;
		pm_sys_unmap(reading, sizeof(*reading));
		return result;
	}
	if (!ends(reading, trace->patience)) {
		pm_sys_kill(child);
		if (!ends(reading, LAST_WAIT))
			return -ETIME;
	}
	pm_sys_helper_end(child);
	result = reading->done ? 0 : -ETIME;
	*out = reading->found;
	pm_sys_unmap(reading, sizeof(*reading));
	return result;
}

#endif
