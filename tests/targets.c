/*
 * Processes with known memory, for tests/workloads.py.
 *
 * Usage: targets KIND ARGUMENT...
 *
 * Makes the memory of KIND (target_kinds.c, target_zoo.c), prints `ready`, and from then on
 * obeys one-letter commands on standard input (see obey). It ends at the end
 * of that input, or when its parent dies.
 */
#define _GNU_SOURCE
#include "targets.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void become_idle(void)
{
	execl("/proc/self/exe", "targets", "idle", (char *)NULL);
	_exit(1);
}

static void *sit(void *unused)
{
	printf("thread %d\n", (int)gettid());
	fflush(stdout);
	for (;;)
		pause();
	return unused;
}

/* A child that shares this address space until it execs, at the next command. */
static void start_vforked(void)
{
	if (vfork() == 0) {
		char line[32];
		int size = snprintf(line, sizeof(line), "child %d\n", (int)getpid());
		char next;

		if (write(1, line, (size_t)size) == size && read(0, &next, 1) == 1)
			execl("/proc/self/exe", "targets", "idle", (char *)NULL);
		_exit(1);
	}
}

static void start_forked(int ends_at_once)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0); /* it was killed before that */
		while (!ends_at_once)
			pause();
		_exit(0);
	}
	printf("child %d\n", (int)child);
	fflush(stdout);
}

static void obey(char command)
{
	pthread_t thread;

	switch (command) {
	case 'x': /* exit */
		_exit(0);
	case 'e': /* exec: another address space under the same pid */
		become_idle();
		break;
	case 'f': /* fork a child that shares every page */
		start_forked(0);
		break;
	case 'z': /* leave a zombie */
		start_forked(1);
		break;
	case 'v':
		start_vforked();
		break;
	case 't':
		pthread_create(&thread, NULL, sit, NULL);
		break;
	case 'l': /* let the main thread end, and others live on */
		pthread_exit(NULL);
	case 'u': /* unmap the first area */
		munmap(first_area, first_size);
		puts("unmapped");
		fflush(stdout);
		break;
	}
}

static const struct target_kind *find(int argc, char **argv, const struct target_kind *kinds,
				      size_t count)
{
	for (size_t i = 0; argc > 1 && i < count; i++)
		if (!strcmp(argv[1], kinds[i].name) && argc == 2 + kinds[i].arguments)
			return &kinds[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct target_kind *kind;
	char command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = (size_t)sysconf(_SC_PAGESIZE);
	kind = find(argc, argv, target_kinds, target_kinds_count);
	if (!kind)
		kind = find(argc, argv, zoo_kinds, zoo_kinds_count);
	if (!kind) {
		fprintf(stderr, "usage: %s KIND ARGUMENT...\n", argv[0]);
		return 2;
	}
	kind->make(argv + 2);
	puts("ready");
	fflush(stdout);
	while (read(0, &command, 1) == 1)
		obey(command);
	return 0;
}
