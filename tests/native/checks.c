/* Threads that ask for one process while it ends: all are told so, by one handle. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/pagemap.h"

enum { THREADS = 4, ROUNDS = 10 };

static void *ask(void *handle)
{
	struct pm_process *process = handle;
	uint64_t entries[16];
	int64_t got, found;

	do {
		got = pm_process_check(process);
		found = pm_process_entries(process, 0, 16, entries);
		if (pm_process_fileno(process) < 0 || pm_process_pid(process) <= 0)
			return "no descriptor";
	} while (!got && found == 16);
	if (got && got != -ESRCH)
		return "another error";
	/* it may have ended between the two */
	return pm_process_check(process) == -ESRCH ? NULL : "ended, and is there";
}

/* What was said that is wrong. */
static const char *round_of(void)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	const pid_t child = fork();
	pthread_t threads[THREADS];
	struct pm_process *process;
	const char *wrong = NULL;

	if (!child)
		for (;;)
			pause();
	if (pm_process_open(child, NULL, &process))
		return "not opened";
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, ask, process))
			exit(2);
	nanosleep(&moment, NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < THREADS; i++) {
		void *said;

		pthread_join(threads[i], &said);
		wrong = said ? said : wrong;
	}
	pm_process_close(process);
	return wrong;
}

int main(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		const char *wrong = round_of();

		if (wrong) {
			fprintf(stderr, "round %d: %s\n", i, wrong);
			return 1;
		}
	}
	return 0;
}
