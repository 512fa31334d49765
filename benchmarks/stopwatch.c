/*
 * Run a command with its output thrown away, and say what it took.
 *
 * Usage: stopwatch COMMAND [ARGUMENT...]
 * Prints: WALL_NANOSECONDS USER_MICROSECONDS SYSTEM_MICROSECONDS PEAK_KIB STATUS
 *
 * A program of its own, because the kernel counts into a child's peak memory
 * what its parent had resident when it forked: the peak of a small command
 * started from pytest would be that of pytest. It also keeps Python's way of
 * starting processes out of the timing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t microseconds(struct timeval time)
{
	return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int64_t started, took;
	int status;
	pid_t child;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND [ARGUMENT...]\n", argv[0]);
		return 2;
	}
	started = nanoseconds();
	child = fork();
	if (child < 0) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
			_exit(126);
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (wait4(child, &status, 0, &usage) != child) {
		perror("wait4");
		return 1;
	}
	took = nanoseconds() - started;
	printf("%" PRId64 " %" PRId64 " %" PRId64 " %ld %d\n", took, microseconds(usage.ru_utime),
	       microseconds(usage.ru_stime), usage.ru_maxrss,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
