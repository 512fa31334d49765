/*
 * The beginning of each line of maps, of which a walk over a whole process needs no more:
 * "400000-401000 r-xp 00001000 fe:01 658      /usr/bin/true".
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/procmap.cdef.h"
#include "kernel/sys.h"
#include "analyses/sample_files.h"

int64_t pm_sample_maps_open(const struct pm_sample_job *job, struct pm_sample_maps *maps)
{
	const int fd = pm_sys_open_entry(job->folder, job->maps, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	maps->fd = fd;
	maps->page_shift = job->tally.source.page_shift;
	return 0;
}

/* The next byte of the text; -1 at its end, or -errno - 1. */
static int next_byte(struct pm_sample_maps *maps)
{
	while (maps->at == maps->filled) {
		ssize_t got =
			pm_sys_pread(maps->fd, maps->text, PM_SAMPLE_TEXT, (off_t)maps->offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno - 1 : -1;
		maps->offset += (uint64_t)got;
		maps->filled = (uint32_t)got;
		maps->at = 0;
	}
	return (unsigned char)maps->text[maps->at++];
}

static int digit_of(int byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return 16;
}

/* A number, and into *byte what follows it. */
static uint64_t number(struct pm_sample_maps *maps, uint32_t base, int *byte)
{
	uint64_t value = 0;

	while (digit_of(*byte = next_byte(maps)) < (int)base)
		value = value * base + (uint64_t)digit_of(*byte);
	return value;
}

/* Pass over a field and the blank behind it. Returns that blank, or what there is else. */
static int pass(struct pm_sample_maps *maps)
{
	int byte;

	do
		byte = next_byte(maps);
	while (byte >= 0 && byte != ' ');
	return byte;
}

/* Read a line, up to its inode. Returns the byte behind that, or of the first that is wrong. */
static int read_line(struct pm_sample_maps *maps, struct pm_sample_mapping *out, int *is_right)
{
	uint64_t major, minor;
	int byte;

	*is_right = 0;
	out->start = number(maps, 16, &byte);
	if (byte != '-')
		return byte;
	out->end = number(maps, 16, &byte);
	/* rights, then the offset */
	if (byte != ' ' || pass(maps) != ' ' || pass(maps) != ' ')
		return byte;
	major = number(maps, 16, &byte);
	if (byte != ':')
		return byte;
	minor = number(maps, 16, &byte);
	if (byte != ' ')
		return byte;
	out->dev_major = (uint32_t)major;
	out->dev_minor = (uint32_t)minor;
	out->inode = number(maps, 10, &byte);
	*is_right = 1;
	return byte;
}

int64_t pm_sample_maps_next(struct pm_sample_maps *maps, struct pm_sample_mapping *out)
{
	do {
		int is_right, byte = next_byte(maps);

		if (byte == -1)
			return 0;
		if (byte >= 0) {
			maps->at--;
			byte = read_line(maps, out, &is_right);
		}
		while (byte >= 0 && byte != '\n' && is_right)
			byte = next_byte(maps);
		if (byte < -1)
			return byte + 1;
		if (!is_right)
			return -EINVAL;
		/* between two reads the kernel lists again what grew or merged meanwhile */
		if (out->start < maps->end)
			out->start = maps->end;
	} while (out->start >= out->end);
	maps->end = out->end;
	return 1;
}

int64_t pm_sample_is_hugetlb(const struct pm_sample_maps *maps,
			     const struct pm_sample_mapping *mapping)
{
	struct pm_vma vma;
	int64_t got;

	/* hugetlb always has a file, and no block device below it; its inode may be 0 */
	if (mapping->dev_major || !mapping->dev_minor)
		return 0;
	got = pm_vma_at(maps->fd, mapping->start, &vma);
	if (got < 0)
		return got == -ENOENT ? 0 : got; /* unmapped meanwhile */
	return vma.inode == mapping->inode && vma.dev_major == mapping->dev_major &&
	       vma.dev_minor == mapping->dev_minor && vma.page_size >> maps->page_shift > 1;
}

int64_t pm_sample_may_share(const struct pm_sample_job *job, char *text)
{
	struct pm_sample_maps maps = { .text = text };
	struct pm_sample_mapping mapping;
	int64_t got = pm_sample_maps_open(job, &maps);

	if (got < 0)
		return got;
	while ((got = pm_sample_maps_next(&maps, &mapping)) > 0)
		if (!mapping.dev_major && mapping.dev_minor)
			break;
	pm_sys_close(maps.fd);
	return got;
}
