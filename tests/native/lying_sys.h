/*
 * The seam of csrc/sys.h, answered by a kernel that lies as a test tells it to.
 *
 * It plays a /proc/PID/pagemap whose entries are known (lie_entry) and which
 * ends where the test says. It is as strict as the real one: an offset or a
 * size that splits an entry is EINVAL.
 */
#ifndef LYING_SYS_H
#define LYING_SYS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

/* What the kernel does; all zeros: an address space without a page, and no fault. */
struct lie {
	uint64_t end;	    /* the first virtual page without an entry */
	size_t most;	    /* bytes that one read gives at most; 0: no limit */
	unsigned interrupt; /* reads that fail with EINTR before each that does not */
	int error;	    /* errno of a read that begins at page `error_at` */
	uint64_t error_at;
	uint64_t own_entry; /* what every page reads as, unless 0: for the probes */

	int open_error; /* errno of these calls, 0: they succeed */
	int map_error;
	int ioctl_error;
	int userfaultfd_error;	    /* of the first call */
	int userfaultfd_next_error; /* of those after it */
	uint64_t features;	    /* what UFFDIO_API tells */

	/* What the code did. */
	uint64_t reads; /* that were not interrupted */
	uint64_t pages_asked;
	unsigned interrupted;
	unsigned opened, closed, mapped, unmapped;
	int last_open_flags;
	int last_userfaultfd_flags;
};

extern struct lie lie;

/* The entry of virtual page `vpn`: each different, every bit used somewhere. */
uint64_t lie_entry(uint64_t vpn);

ssize_t pm_sys_pread(int fd, void *buffer, size_t size, off_t offset);
int pm_sys_open(const char *path, int flags);
int pm_sys_close(int fd);
int pm_sys_ioctl(int fd, unsigned long request, void *argument);
int pm_sys_userfaultfd(int flags);
void *pm_sys_map_page(size_t size);
int pm_sys_unmap(void *address, size_t size);
long pm_sys_page_size(void);

#endif
