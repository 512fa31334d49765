/* The state and the image of a task, and a thread that lives: see task.cdef.h. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/status.h"
#include "kernel/sys.h"
#include "kernel/task.h"

enum {
	NAME_SIZE = 16, /* of the longest file here, and more */
	STAT_SIZE = 2048,
	LIST_SIZE = 4096,
};

/* As the kernel gives an entry of a folder: struct linux_dirent64. */
struct listed {
	uint64_t inode;
	int64_t next;
	uint16_t size; /* of this entry, bytes */
	uint8_t kind;
	char name[];
};

char *pm_task_digits(char *text, int32_t number)
{
	char digits[10];
	unsigned count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		*text++ = digits[--count];
	*text = 0;
	return text;
}

/* Of a copy of /proc out of another's hand: a fifo is not waited for, no link is followed. */
enum { OPEN = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC };

int32_t pm_task_open(int folder, int32_t thread, const char *name)
{
	char path[sizeof("task/") + 11 + NAME_SIZE] = "task/";
	char *end = path;
	int fd;

	if (thread < 0 || strlen(name) >= NAME_SIZE)
		return -EINVAL;
	if (thread) {
		end = pm_task_digits(path + strlen(path), thread);
		*end++ = '/';
	}
	memcpy(end, name, strlen(name) + 1);
	fd = pm_sys_open_entry(folder, path, OPEN);
	return fd < 0 ? -errno : fd;
}

/*
 * The first `size` bytes of such a file; their number, or -errno. One read gives them all: stat and
 * auxv are shorter than a page, and the kernel makes them whole before it copies.
 */
static int64_t read_file(int folder, int32_t thread, const char *name, uint64_t size, char *out)
{
	const int32_t fd = pm_task_open(folder, thread, name);
	int64_t got;

	if (fd < 0)
		return fd;
	do {
		got = pm_sys_pread(fd, out, size, 0);
		if (got < 0)
			got = -errno;
	} while (got == -EINTR);
	pm_sys_close(fd);
	return got;
}

/* Fields of stat, of which proc(5) counts the pid as the first. */
enum { STATE = 3, FLAGS = 9, START = 22 };

int32_t pm_task_read_state(int folder, int32_t thread, struct pm_task_state *out)
{
	char text[STAT_SIZE];
	const int64_t size = read_file(folder, thread, "stat", sizeof(text), text);
	struct pm_task_state found = { 0 };
	int64_t at = size, flags = 0, start = 0;
	int field = STATE - 1;

	if (size < 0)
		return (int32_t)size;
	/* the name stands in parentheses and may hold any of both */
	while (at > 0 && text[at - 1] != ')')
		at--;
	for (; at && at < size && field <= START; at++) {
		const char byte = text[at];

		if (byte == ' ')
			field++;
		else if (field == STATE && !found.letter)
			found.letter = (unsigned char)byte;
		else if (field == FLAGS && byte >= '0' && byte <= '9')
			flags = pm_status_digit(flags, byte);
		else if (field == START && byte >= '0' && byte <= '9')
			start = pm_status_digit(start, byte);
	}
	if (!found.letter || flags == INT64_MAX || start == INT64_MAX)
		return -EIO;
	found.flags = (uint64_t)flags;
	found.start = (uint64_t)start;
	*out = found;
	return 0;
}

static int32_t has_ended(const struct pm_task_state *state)
{
	return state->letter == 'Z' || state->letter == 'X';
}

int32_t pm_task_has_ended(int folder, int32_t thread)
{
	struct pm_task_state state;

	return pm_task_read_state(folder, thread, &state) || has_ended(&state);
}

int32_t pm_task_is_ending(const struct pm_task_state *state)
{
	return has_ended(state) || (state->flags & PM_TASK_EXITING);
}

int32_t pm_task_error(int folder, int32_t thread, int32_t error)
{
	struct pm_task_state state;

	if (error != -EACCES && error != -EPERM)
		return error;
	switch (pm_task_read_state(folder, thread, &state)) {
	case 0:
		return pm_task_is_ending(&state) ? -ESRCH : error;
	case -ENOENT:
	case -ESRCH:
		return -ESRCH;
	default:
		return error;
	}
}

/* The number that a name of digits is, which ends before `end`; 0 for any other. */
static int32_t number_of(const char *name, const char *end)
{
	int64_t number = 0;

	for (; name < end && *name; name++) {
		if (*name < '0' || *name > '9' || number > INT32_MAX / 10)
			return 0;
		number = number * 10 + (*name - '0');
	}
	return number > INT32_MAX ? 0 : (int32_t)number;
}

/* The lowest thread above 0 and below `lowest` of these entries that lives; else `lowest`. */
static int32_t living_of(int folder, const char *entries, int64_t size, int32_t lowest)
{
	const int64_t head = offsetof(struct listed, name);
	struct listed entry;

	for (int64_t at = 0; at + head < size; at += entry.size) {
		int32_t thread;

		memcpy(&entry, entries + at, (size_t)head);
		if (entry.size <= head || entry.size > size - at)
			break; /* no kernel's */
		thread = number_of(entries + at + head, entries + at + entry.size);
		if (thread && thread < lowest && !pm_task_has_ended(folder, thread))
			lowest = thread;
	}
	return lowest;
}

int32_t pm_task_find_living(int folder, int32_t *thread)
{
	char entries[LIST_SIZE];
	int32_t found = INT32_MAX;
	int64_t got;
	int tasks;

	if (!pm_task_has_ended(folder, *thread))
		return 0;
	tasks = pm_sys_open_entry(folder, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tasks < 0)
		return 0;
	while ((got = pm_sys_list(tasks, entries, sizeof(entries))) > 0)
		found = living_of(folder, entries, got, found);
	pm_sys_close(tasks);
	if (got < 0 || found == INT32_MAX)
		return 0;
	*thread = found;
	return 1;
}

/* The same of this thread alone; 0 also where it is ending. */
static int64_t image_of(int folder, int32_t thread, uint64_t capacity, char *out)
{
	const int64_t got = read_file(folder, thread, "auxv", capacity, out);
	const int32_t error = got < 0 ? pm_task_error(folder, thread, (int32_t)got) : 0;

	if (error == -ENOENT || error == -ESRCH)
		return 0;
	return error ? error : got;
}

int64_t pm_task_image(int folder, int32_t *thread, uint64_t capacity, char *out)
{
	const int64_t got = image_of(folder, *thread, capacity, out);

	if (got || !pm_task_find_living(folder, thread))
		return got;
	return image_of(folder, *thread, capacity, out);
}
