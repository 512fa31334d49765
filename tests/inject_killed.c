/*
 * `inject_killed PID VICTIM STEP`: get a userfaultfd of that process, and at that step send
 * SIGKILL to the VICTIM: "helper", "parent", or "target"; "stop" sends SIGSTOP to the target
 * instead. Compiled with the sources of csrc/kernel that do it, and inject_steps.h in their
 * seam. Prints the result, the step of enum pm_injection_step, whether registers may not have
 * been restored, and how many steps there were.
 */
#include "inject_steps.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/injection.cdef.h"

static volatile int steps, chosen, parent, target;
static const char *victim;

void step(void)
{
	if (++steps != chosen)
		return;
	if (!strcmp(victim, "helper"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(victim, "parent"))
		kill(parent, SIGKILL);
	else
		kill(target, strcmp(victim, "stop") ? SIGKILL : SIGSTOP);
}

/* Where a system call instruction is in the target's vDSO; 0 for nowhere. */
static uint64_t call_at(int folder)
{
	static uint8_t code[65536];
	char line[4096 + 200];
	const int maps = openat(folder, "maps", O_RDONLY), memory = openat(folder, "mem", O_RDONLY);
	FILE *lines = fdopen(maps, "r");
	uint64_t start = 0, found = 0;

	if (!lines)
		return 0;
	while (fgets(line, sizeof(line), lines))
		if (strstr(line, " [vdso]\n"))
			start = strtoull(line, NULL, 16);
	if (start) {
		const ssize_t size = pread(memory, code, sizeof(code), (off_t)start);
		const int64_t at = pm_find_call(code, size > 0 ? (uint64_t)size : 0);

		found = at < 0 ? 0 : start + (uint64_t)at;
	}
	fclose(lines);
	close(memory);
	return found;
}

int main(int count, char **arguments)
{
	struct pm_injection in = { .patience = 500000000 };
	char path[PATH_MAX];
	int32_t result;

	if (count != 4)
		return 2;
	target = in.pid = in.thread = atoi(arguments[1]);
	victim = arguments[2];
	chosen = atoi(arguments[3]);
	parent = getpid();
	snprintf(path, sizeof(path), "/proc/%d", in.pid);
	in.folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	in.call_at = call_at(in.folder);
	result = pm_inject_userfaultfd(&in);
	printf("%d %d %d %d\n", result, in.step, in.changed, steps);
	return 0;
}
