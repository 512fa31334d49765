/* A line of /proc/PID/status, and a field of stat: see status.h. */
#include <errno.h>
#include <stdbool.h>

#include "kernel/status.h"
#include "kernel/sys.h"

enum { MOST = 1 << 22 }; /* bytes: 65536 groups have a sixth of it, and no line is longer */

/* A line looked for, byte by byte: one of the lines before it may be very long (Groups). */
struct search {
	const char *name;
	const char *next; /* of the name, on this line; NULL: it is another line */
	int64_t found;	  /* -1: nothing yet */
	bool done;
};

static void look(struct search *search, char byte)
{
	if (search->next && !*search->next) { /* behind the name */
		if (byte == '\n')
			search->done = true;
		else if (byte >= '0' && byte <= '9')
			search->found =
				pm_status_digit(search->found < 0 ? 0 : search->found, byte);
	} else if (byte == '\n') {
		search->next = search->name;
	} else if (search->next) {
		search->next = byte == *search->next ? search->next + 1 : NULL;
	}
}

int64_t pm_status_number(int fd, const char *name)
{
	struct search search = { .name = name, .next = name, .found = -1 };
	char text[1024];
	off_t at = 0;
	ssize_t got;

	while (!search.done) {
		got = pm_sys_pread(fd, text, sizeof(text), at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		if (at >= MOST) /* of a procfs that is another's, where it need not end */
			return -EIO;
		at += got;
		for (ssize_t i = 0; i < got && !search.done; i++)
			look(&search, text[i]);
	}
	if (search.found == INT64_MAX)
		return -EIO;
	return search.found < 0 ? -ENOENT : search.found;
}

/* proc(5) counts the pid as the first; the name before it may hold spaces and parentheses. */
enum { STATE = 3, PRIORITY = 18, PROCESSOR = 39 };

int64_t pm_status_processor(int fd)
{
	char text[1024];
	const ssize_t size = pm_sys_pread(fd, text, sizeof(text), 0);
	int64_t found = -ENODATA;
	ssize_t at = size;
	int field = STATE - 1;

	if (size < 0)
		return -errno;
	while (at > 0 && text[at - 1] != ')')
		at--;
	for (; at && at < size && field <= PROCESSOR; at++)
		if (text[at] == ' ')
			field++;
		else if (field == PRIORITY && text[at] == '-')
			return -EBUSY;
		else if (field == PROCESSOR && text[at] >= '0' && text[at] <= '9')
			found = pm_status_digit(found < 0 ? 0 : found, text[at]);
	return found == INT64_MAX ? -EIO : found;
}
