/*
 * `inject_killed PID VICTIM STEP`: get a userfaultfd of that process, and at that step send
 * SIGKILL to the VICTIM: "helper", "parent", or "target". "stop" sends SIGSTOP to the target
 * instead; "code" has other code at the address of the call until the end, which calls vfork
 * for a child that runs for ever; from "deaf" on the target is never seen to stop. With
 * "memory", at any step, it takes long to read any of the target, and SIGKILL does not help.
 * Compiled with the sources of csrc/kernel that do it, and inject_steps.h in their seam. Prints
 * the result, the step of enum pm_injection_step, whether registers may not have been restored,
 * and how many steps there were.
 */
#include "inject_steps.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/injection.cdef.h"

static volatile int steps, chosen, parent, target;
static const char *victim;
static off_t place;

/* Other code at the place of the call; or with `back` what was there. */
static void change_code(bool back)
{
	/* mov $58, %eax; syscall; jmp . */
	static const unsigned char other[] = { 0xb8, 58, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xfe };
	static unsigned char own[sizeof(other)];
	char path[64];
	int memory;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/mem", target);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (!back) {
		size = pread(memory, own, sizeof(own), place);
		size = pwrite(memory, other, sizeof(other), place);
	} else if (own[0]) {
		size = pwrite(memory, own, sizeof(own), place);
	} else {
		size = 0;
	}
	close(memory);
	if (size < 0)
		perror("code");
}

int unseen(void)
{
	return !strcmp(victim, "deaf") && chosen && steps >= chosen;
}

int waits(const char *what)
{
	return !strcmp(victim, what);
}

void step(void)
{
	if (++steps != chosen)
		return;
	if (!strcmp(victim, "helper"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(victim, "parent"))
		kill(parent, SIGKILL);
	else if (!strcmp(victim, "code"))
		change_code(false);
	else if (!strcmp(victim, "target") || !strcmp(victim, "stop"))
		kill(target, strcmp(victim, "stop") ? SIGKILL : SIGSTOP);
}

/* Where the target's vDSO is, and a system call instruction in it; zeros for nowhere. */
static void find_call(struct pm_injection *in)
{
	static uint8_t code[65536];
	char line[4096 + 200];
	const int maps = openat(in->folder, "maps", O_RDONLY);
	const int memory = openat(in->folder, "mem", O_RDONLY);
	FILE *lines = fdopen(maps, "r");
	uint64_t start = 0;

	if (!lines)
		return;
	while (fgets(line, sizeof(line), lines))
		if (strstr(line, " [vdso]\n"))
			start = strtoull(line, NULL, 16);
	if (start) {
		const ssize_t size = pread(memory, code, sizeof(code), (off_t)start);
		const int64_t at = pm_find_call(code, size > 0 ? (uint64_t)size : 0);

		in->vdso = start;
		in->call_at = at < 0 ? 0 : start + (uint64_t)at;
	}
	fclose(lines);
	close(memory);
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
	find_call(&in);
	place = (off_t)in.call_at;
	if (!strcmp(victim, "deaf"))
		in.patience = 20000000;
	result = pm_inject_userfaultfd(&in);
	if (!strcmp(victim, "code"))
		change_code(true);
	printf("%d %d %d %d\n", result, in.step, in.changed, steps);
	return 0;
}
