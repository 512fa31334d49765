/*
 * What the kernel sums up of a process itself: in its status, and in smaps_rollup.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/status.h"
#include "kernel/sys.h"
#include "analyses/sample_files.h"

/* The number of kB on the line of `text` that begins with `name`, in bytes, or -1. */
static int64_t line_bytes(const char *text, const char *name)
{
	const size_t size = strlen(name);
	int64_t value = -1;

	while (text && strncmp(text, name, size) != 0) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (!text)
		return -1;
	for (text += size; *text == ' ' || *text == '\t'; text++)
		;
	for (; *text >= '0' && *text <= '9'; text++)
		value = (value < 0 ? 0 : value * 10) + (*text - '0');
	return value < 0 ? -1 : value << 10;
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
	if (value >= 0)
		return value;
	value = got < PM_SAMPLE_TEXT - 1 ? 0 : pm_status_number(fd, name); /* many groups */
	if (value < 0)
		return value == -ENOENT ? 0 : value;
	return value << 10;
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
	out->rss = line_bytes(text, "Rss:");
	out->anon = line_bytes(text, "Anonymous:");
	out->swap = line_bytes(text, "Swap:");
}
