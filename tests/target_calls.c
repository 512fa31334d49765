/*
 * A program whose main thread is somewhere in particular, and notices when it is disturbed:
 * `target_calls MODE`. It prints "ready", and for each byte on standard input a line: how many
 * rounds the main thread has done, how often a call of it returned EINTR, and what was wrong
 * ("right" if nothing was). Its end is that of standard input.
 *
 *	compute   in registers, of which each round knows the result
 *	clock     in the vDSO
 *	sleep     in relative sleeps of 3 ms, of which none may be shorter or far too long
 *	read      in a read of a pipe, to which another thread writes known bytes
 *	futex     in the wait for a condition that another thread signals
 *	poll      in a poll of a pipe without an end
 *	epoll     in an epoll_wait without an end
 *	signals   between signals, 2000 a second, of which none may be lost
 *	sequence  in restartable sequences (rseq) that count for each processor
 *	threads   in the wait for eight threads that do all of the above at once
 *	strict    in registers, and allowed to read, to write and to end, nothing else (seccomp)
 *	dispatch  in registers, and asked for its calls to be sent to a handler of its own
 *	ended     at its end, while another thread computes
 *	exec      in the midst of exec, which waits for a thread that another process traces
 *	vfork     alone, and for two seconds in the wait for its child of vfork
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_ulong rounds, interrupted;
static const char *_Atomic wrong = "right";

static void expect(int holds, const char *what)
{
	if (!holds)
		wrong = what;
}

#include "target_sequences.h"

static uint64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* A chain of steps over many registers at once, those of floats too; compilers do not know it. */
static double chain(volatile uint64_t seed)
{
	uint64_t a = seed, b = seed ^ 1, c = seed ^ 2, d = seed ^ 3, e = seed ^ 4, f = seed ^ 5;
	double x = 1, y = 2;

	for (int i = 0; i < 20000; i++) {
		a = a * 6364136223846793005u + b;
		b ^= c >> 7;
		c += d << 3;
		d = d * 3 + e;
		e ^= f >> 11;
		f += a;
		x = x * 1.0000001 + (double)(a & 1);
		y = y * 0.9999999 + x;
	}
	return (double)((a ^ b ^ c ^ d ^ e ^ f) >> 12) + x + y;
}

static void *compute(void *none)
{
	const double known = chain(7);

	for (;; rounds++)
		expect(chain(7) == known, "compute");
	return none;
}

static void *read_clock(void *none)
{
	for (uint64_t before = now();; rounds++) {
		const uint64_t at = now();

		expect(at >= before, "clock");
		before = at;
	}
	return none;
}

static void *sleep_shortly(void *none)
{
	const struct timespec nap = { 0, 3000000 };

	for (;; rounds++) {
		const uint64_t begin = now();

		expect(!nanosleep(&nap, NULL), "sleep");
		expect(now() - begin >= 3000000, "sleep was shorter");
		expect(now() - begin < 5000000000u, "sleep was far longer");
	}
	return none;
}

static void *write_bytes(void *fd)
{
	for (uint32_t next = 0;; next++) {
		expect(write(*(int *)fd, &next, sizeof(next)) == sizeof(next), "write");
		usleep(200);
	}
	return NULL;
}

static void *read_bytes(void *none)
{
	int ends[2];
	pthread_t writer;

	expect(!pipe(ends) && !pthread_create(&writer, NULL, write_bytes, &ends[1]), "pipe");
	for (uint32_t next = 0;; next++, rounds++) {
		uint32_t got = 0;

		expect(read(ends[0], &got, sizeof(got)) == sizeof(got) && got == next, "read");
	}
	return none;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long turn;

static void *take_turns(void *number)
{
	const unsigned long mine = *(const unsigned long *)number;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (turn % 2 != mine)
			pthread_cond_wait(&changed, &lock);
		turn++;
		rounds++;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
		usleep(100);
		pthread_mutex_lock(&lock);
	}
	return NULL;
}

static void *wait_turns(void *none)
{
	static unsigned long numbers[2] = { 0, 1 };
	pthread_t other;

	expect(!pthread_create(&other, NULL, take_turns, &numbers[1]), "thread");
	take_turns(&numbers[0]);
	return none;
}

static void *wait_poll(void *none)
{
	int ends[2];
	struct pollfd about = { .events = POLLIN };

	expect(!pipe(ends), "pipe");
	about.fd = ends[0];
	for (;; rounds++) {
		expect(poll(&about, 1, -1) < 0 && errno == EINTR, "poll");
		interrupted++;
	}
	return none;
}

static void *wait_epoll(void *none)
{
	const int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	for (;; rounds++) {
		expect(epoll_wait(fd, &event, 1, -1) < 0 && errno == EINTR, "epoll_wait");
		interrupted++;
	}
	return none;
}

/* As many as were sent, each once: they are queued, with their numbers. */
static void check_signal(int number, siginfo_t *about, void *context)
{
	static int next;

	(void)number;
	(void)context;
	expect(about->si_value.sival_int == next++, "signals");
	rounds++;
}

static void *send_signals(void *to)
{
	for (union sigval next = { .sival_int = 0 };; next.sival_int++) {
		while (pthread_sigqueue(*(pthread_t *)to, SIGRTMIN, next) == EAGAIN)
			usleep(100);
		usleep(300);
	}
	return NULL;
}

static void *get_signals(void *none)
{
	static pthread_t me, sender;
	struct sigaction how = { .sa_sigaction = check_signal, .sa_flags = SA_SIGINFO };
	const double known = chain(7);

	me = pthread_self();
	expect(!sigaction(SIGRTMIN, &how, NULL), "sigaction");
	expect(!pthread_create(&sender, NULL, send_signals, &me), "thread");
	for (;;)
		expect(chain(7) == known, "compute between signals");
	return none;
}

static void *be_strict(void *none)
{
	const double known = chain(7);

	expect(!prctl(PR_SET_SECCOMP, 1), "seccomp");
	for (;; rounds++)
		expect(chain(7) == known, "compute");
	return none;
}

static void *dispatch(void *none)
{
	static char selector; /* let through for now: SYSCALL_DISPATCH_FILTER_ALLOW */

	/* PR_SET_SYSCALL_USER_DISPATCH, of Linux 5.11 */
	if (prctl(59, 1, 0, 0, &selector)) {
		puts("cannot have calls sent to a handler");
		_exit(0);
	}
	return compute(none);
}

static void *end(void *none)
{
	pthread_t other;

	expect(!pthread_create(&other, NULL, compute, NULL), "thread");
	pthread_exit(none);
}

static atomic_int other_thread;

static void *rest(void *none)
{
	other_thread = (int)syscall(SYS_gettid);
	for (;;)
		pause();
	return none;
}

static void *execute(void *none)
{
	pthread_t other;
	int ends[2];
	char byte = 0;

	expect(!pipe(ends) && !pthread_create(&other, NULL, rest, NULL), "thread");
	while (!other_thread)
		usleep(100);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		expect(!ptrace(PTRACE_SEIZE, other_thread, 0, 0), "ptrace");
		expect(write(ends[1], &byte, 1) == 1, "write");
		for (;;)
			pause(); /* and never takes note of its end */
	}
	expect(read(ends[0], &byte, 1) == 1, "read");
	execl("/bin/true", "true", NULL);
	return none;
}

static void *answer(void *none);

static void *lend(void *none)
{
	const pid_t child = vfork();

	if (!child) {
		usleep(2000000);
		_exit(0);
	}
	rounds++;
	return answer(none);
}

static void *threads(void *none);

static const struct mode {
	const char *name;
	void *(*run)(void *);
} modes[] = {
	{ "compute", compute },	  { "clock", read_clock },    { "sleep", sleep_shortly },
	{ "read", read_bytes },	  { "futex", wait_turns },    { "epoll", wait_epoll },
	{ "poll", wait_poll },	  { "signals", get_signals }, { "sequence", sequences },
	{ "threads", threads },	  { "strict", be_strict },    { "vfork", lend },
	{ "dispatch", dispatch }, { "ended", end },	      { "exec", execute },
};

static void *threads(void *none)
{
	static const int which[] = { 0, 1, 2, 3, 4, 7, 2, 0 };
	pthread_t last = 0;

	for (size_t i = 0; i < sizeof(which) / sizeof(*which); i++)
		expect(!pthread_create(&last, NULL, modes[which[i]].run, NULL), "thread");
	pthread_join(last, NULL);
	return none;
}

static void *answer(void *none)
{
	char byte;

	while (read(0, &byte, 1) == 1) {
		check_sequences();
		printf("%lu %lu %s\n", rounds, interrupted, wrong);
	}
	_exit(0);
	return none;
}

int main(int count, char **arguments)
{
	pthread_t other;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (count > 1 && !strcmp(modes[i].name, arguments[1])) {
			puts("ready");
			if (modes[i].run != lend && pthread_create(&other, NULL, answer, NULL))
				return 1;
			modes[i].run(NULL);
		}
	return 2;
}
