/*
 * A library to preload, which writes the resident memory of each mapping to standard error when the
 * process gets SIGUSR2: in the handler, whatever the program was doing.
 *
 *	cc -shared -fPIC rss_on_signal.c $(pkg-config --cflags --libs pagemap) -o rss_on_signal.so
 *	LD_PRELOAD=./rss_on_signal.so ./program & kill -USR2 $!
 *
 * What a handler may do is little: no malloc, no stdio. The functions that it calls here allocate
 * nothing, take no lock, and leave errno as it was.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <pagemap.h>

/* One handler at a time: the signal is blocked while it runs, and threads take turns by `busy`. */
static struct pm_process *process;
static uint64_t scratch[PM_SCRATCH];
static char buffer[PM_MAPS_BUFFER];
static int busy;

static char *put(char *to, const char *text)
{
	size_t size = strlen(text);

	memcpy(to, text, size);
	return to + size;
}

static char *put_number(char *to, uint64_t number, unsigned base)
{
	char digits[20];
	unsigned count = 0;

	do
		digits[count++] = "0123456789abcdef"[number % base];
	while (number /= base);
	while (count)
		*to++ = digits[--count];
	return to;
}

/* A line: "7f0000000000-7f0000001000 4096 /usr/lib/x". A path that is longer is cut. */
static void write_line(const struct pm_mapping *mapping, uint64_t rss)
{
	char line[256], *at = line;
	size_t left;

	at = put_number(at, mapping->start, 16);
	at = put(at, "-");
	at = put_number(at, mapping->end, 16);
	at = put(at, " ");
	at = put_number(at, rss, 10);
	at = put(at, " ");
	left = (size_t)(line + sizeof(line) - at) - 1;
	left = mapping->path_size < left ? mapping->path_size : left;
	memcpy(at, mapping->path, left);
	at += left;
	*at++ = '\n';
	while (write(STDERR_FILENO, line, (size_t)(at - line)) < 0 && errno == EINTR)
		;
}

static void write_all(int signal)
{
	const int before = errno;
	struct pm_maps_cursor cursor = { { 0 } };
	struct pm_mapping mapping = { .size = sizeof(mapping) };
	struct pm_amounts amounts = { .size = sizeof(amounts) };

	(void)signal;
	if (!process || __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return;
	while (pm_maps_next(process, &cursor, buffer, sizeof(buffer), &mapping) > 0)
		if (!pm_process_tally(process, mapping.start, mapping.end, PM_AMOUNT_RSS, NULL,
				      scratch, &amounts) &&
		    amounts.rss)
			write_line(&mapping, amounts.rss);
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	errno = before;
}

__attribute__((constructor)) static void begin(void)
{
	struct sigaction action = { .sa_handler = write_all, .sa_flags = SA_RESTART };

	/* another process inherits the variable and not the handle: each opens its own */
	if (!pm_process_open(getpid(), NULL, &process))
		sigaction(SIGUSR2, &action, NULL);
}
