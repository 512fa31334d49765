/*
 * Entries out of /proc/PID/pagemap: the pread loop, for one range and for many.
 *
 * One bulk read costs 35-42 ns for a resident 4 KiB page and 2-5 ns for a hole;
 * one read per page costs a system call each, 1-3 us. So the calls are few.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "kernel/sys.h"

enum {
	ENTRY_SIZE = sizeof(uint64_t),
	MOST_AT_ONCE = 1 << 27, /* entries: 1 GiB, less than any kernel's limit */
};

/* Whether the byte offsets of these entries fit in an off_t, so in 63 bits. */
static int offsets_fit(uint64_t vpn, uint64_t count)
{
	const uint64_t most = (uint64_t)INT64_MAX / ENTRY_SIZE;

	return vpn <= most && count <= most - vpn;
}

int64_t pm_read(int fd, uint64_t vpn, uint64_t count, uint64_t *out)
{
	uint64_t done = 0;

	if (!offsets_fit(vpn, count))
		return -EINVAL;

	while (done < count) {
		uint64_t rest = count - done < MOST_AT_ONCE ? count - done : MOST_AT_ONCE;
		size_t size = (size_t)rest * ENTRY_SIZE;
		off_t offset = (off_t)((vpn + done) * ENTRY_SIZE);
		ssize_t got = pm_sys_pread(fd, out + done, size, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break; /* the address space ends here, or is gone */
		/*
		 * An offset inside an entry is EINVAL, so a torn entry is read
		 * again from its start. A kernel that gives less than one entry
		 * time after time would keep us here for ever.
		 */
		if (got < ENTRY_SIZE)
			return -EIO;
		done += (uint64_t)got / ENTRY_SIZE;
	}
	return (int64_t)done;
}

int64_t pm_read_text(int fd, uint64_t offset, uint64_t size, char *out)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t got = pm_sys_pread(fd, out + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (uint64_t)got;
	}
	return (int64_t)done;
}

int64_t pm_read_ranges(int fd, const struct pm_range *ranges, uint64_t count, uint64_t *out,
		       uint64_t capacity, uint64_t *stored)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (!offsets_fit(ranges[i].vpn, ranges[i].count))
			return -EINVAL;
		if (ranges[i].count > capacity - total)
			return -ENOSPC;
		total += ranges[i].count;
	}

	total = 0;
	for (uint64_t i = 0; i < count;) {
		/* ranges[i..next) touch, so one read serves them */
		uint64_t next = i, pages = 0, rest;
		int64_t got;

		do
			pages += ranges[next++].count;
		while (next < count && ranges[next].vpn == ranges[i].vpn + pages);

		got = pm_read(fd, ranges[i].vpn, pages, out + total);
		if (got < 0)
			return got;
		total += (uint64_t)got;
		for (rest = (uint64_t)got; i < next; i++) {
			stored[i] = rest < ranges[i].count ? rest : ranges[i].count;
			rest -= stored[i];
		}
	}
	return (int64_t)total;
}

int64_t pm_translate(int fd, uint64_t address, uint32_t page_shift)
{
	uint64_t entry, frame;
	int64_t got = pm_read(fd, address >> page_shift, 1, &entry);

	if (got < 0)
		return got;
	if (got == 0)
		return -ENODATA;
	frame = entry & PM_PLACE_MASK;
	if (!pm_flag(entry, PM_PRESENT_BIT) || frame == 0)
		return -ENXIO;
	if (frame >> (63 - page_shift))
		return -EOVERFLOW;
	return (int64_t)(frame << page_shift | (address & (PM_BIT(page_shift) - 1)));
}

int32_t pm_alive(int fd)
{
	uint64_t entry;
	int64_t got = pm_read(fd, 0, 1, &entry);

	return got == -ESRCH ? 0 : (int32_t)got;
}

int64_t pm_end(int fd, uint32_t page_shift)
{
	uint64_t below = 0, above = UINT64_C(1) << (64 - page_shift), entry;
	int64_t got;

	/* every page before the end has an entry, and none after it */
	while (below < above) {
		uint64_t middle = below + (above - below) / 2;

		got = pm_read(fd, middle, 1, &entry);
		if (got < 0)
			return got;
		if (got)
			below = middle + 1;
		else
			above = middle;
	}
	return (int64_t)below;
}
