/*
 * What the kernel sums up of a process itself: in its status, and in smaps_rollup.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/status.h"
#include "kernel/sys.h"
#include "analyses/sample_files.h"

/* The number of kB on the line of `text` that begins with `name`, in bytes; -ENOENT where there is none, or
 * -EIO for a number of no kernel. */
static int64_t line_bytes(const char *text, const char *name)
{
	const size_t size = strlen(name);
	int64_t value = -1;

	while (text && strncmp(text, name, size) != 0) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (!text)
		return -ENOENT;
	for (text += size; *text == ' ' || *text == '\t'; text++)
		;
	for (; *text >= '0' && *text <= '9'; text++)
		value = pm_status_digit(value < 0 ? 0 : value, *text);
	if (value > INT64_MAX >> 10)
		return -EIO;
	return value < 0 ? -ENOENT : value << 10;
}

int64_t pm_sample_status_bytes(const struct pm_sample_job *job, char *text, const char *name)
{
	const int32_t fd = job->status;
	int64_t value;
	ssize_t got;

	if (fd < 0)
		return 0;
	do
		got = pm_sys_pread(fd, text, PM_SAMPLE_TEXT - 1, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	value = line_bytes(text, name);
	if (value != -ENOENT)
		return value;
	value = got < PM_SAMPLE_TEXT - 1 ? 0 : pm_status_number(fd, name); /* many groups */
	if (value < 0)
		return value == -ENOENT ? 0 : value;
	return value > INT64_MAX >> 10 ? -EIO : value << 10;
}

/* The same, or -1 where it is not known. */
static int64_t sum_of(const char *text, const char *name)
{
	const int64_t value = line_bytes(text, name);

	return value < 0 ? -1 : value;
}

void pm_sample_read_sums(const struct pm_sample_job *job, char *text, struct pm_sample_sums *out)
{
	int64_t size;

	*out = (struct pm_sample_sums){ -1, -1, -1 };
	if (job->rollup < 0)
		return;
	size = pm_read_text(job->rollup, 0, PM_SAMPLE_TEXT - 1, text);
	if (size < 0)
		return;
	text[size] = '\0';
	out->rss = sum_of(text, "Rss:");
	out->anon = sum_of(text, "Anonymous:");
	out->swap = sum_of(text, "Swap:");
}
