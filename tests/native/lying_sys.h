/*
 * The seam of csrc/kernel/sys.h, answered by a kernel that lies as a test tells it to.
 *
 * It plays a /proc/PID/pagemap whose entries are known (lie_entry) and which
 * ends where the test says. It is as strict as the real one: an offset or a
 * size that splits an entry is EINVAL.
 */
#ifndef LYING_SYS_H
#define LYING_SYS_H

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "kernel/uapi.h"

/* A file below a folder: what is read of it, or why it cannot be opened. That of a pagemap, whose
 * bytes are NULL, is the lying one; of a folder the bytes are its entries. */
struct lie_named {
	const char *name;
	int error;
	const void *bytes;
	size_t size;
};

/* What the kernel does; all zeros: an address space without a page, and no fault. */
struct lie {
	uint64_t end;	    /* the first virtual page without an entry */
	size_t most;	    /* bytes that one read gives at most; 0: no limit */
	unsigned interrupt; /* reads that fail with EINTR before each that does not */
	int error;	    /* errno of a read that begins at page `error_at` */
	uint64_t error_at;
	uint64_t own_entry; /* what every page reads as, unless 0: for the probes */

	int pid;	/* which we are */
	int open_error; /* errno of these calls, 0: they succeed */
	int entry_fd;	/* what an entry of a folder is opened as; 0: 7 */
	int map_error;
	int ioctl_error;
	int another_file;      /* 1: it is none of a userfaultfd, which clears what it refuses */
	int userfaultfd_error; /* of the first call */
	int userfaultfd_next_error; /* of those after it */
	uint64_t features;	    /* what UFFDIO_API tells */
	int protect_error;	    /* of UFFDIO_REGISTER and UFFDIO_WRITEPROTECT, */
	uint64_t refused_from;	    /* at this address alone, unless it is 0 */
	uint64_t marked_entry;	    /* what a page reads as once it was guarded or protected */
	int kcmp_error;

	/* What pages read as, and what scans see of them; NULL: lie_entry, and the same. */
	uint64_t (*entry)(uint64_t vpn);
	uint64_t (*scanned)(uint64_t vpn);
	uint64_t dies_after; /* calls that see the address space; 0: it stays */

	/* PAGEMAP_SCAN, which `scan` switches on: see lying_scan.c. */
	int scan;
	int scan_error;		  /* errno of each scan, */
	uint64_t scan_error_from; /* but for so many before */
	unsigned scan_interrupt;  /* scans that fail with EINTR before each that does not */
	uint64_t known;		  /* the categories that there are; 0: those of Linux 6.18 */
	uint64_t bounce;	  /* regions that the kernel collects at a time; 0: 512 */
	uint64_t short_by;	  /* pages by which walk_end falls short of the truth */
	unsigned char *tracked;	  /* NULL, or of each page which it is of WPALLOWED and WRITTEN */
	void (*marks)(uint64_t vpn); /* NULL, or what protecting a page does besides */

	/* A file in the page cache, which is mapped: see lying_file.c. */
	const unsigned char *cached; /* of each of its pages, whether it is; */
	uint64_t evicted;	     /* pages of a range that lie in swap */
	uint64_t file_pages;	     /* pages that there still are when they are touched */
	unsigned char *faulted;	     /* NULL, or of each page whether it is mapped by now */
	int mincore_error, madvise_error, pwritev_error, fs_error, cachestat_error;
	unsigned pwritev_interrupt; /* as `interrupt` */
	int64_t fs_type;
	mode_t mode;	   /* of every file, of `file_size` bytes, */
	int64_t file_size; /* and where a device ends; -1: that is not told */
	int stat_error, noatime_error;

	/* Words of frames, for descriptors from LIE_FRAMES on: the end of each file, and its words. */
	uint64_t frames_end;
	uint64_t (*word)(int fd, uint64_t pfn);
	int word_error; /* errno of each read of the file `word_error_of` */
	int word_error_of;

	/* Files below a folder, by name, NULL: every name is there. */
	const struct lie_named *files;
	unsigned files_count;
	void (*at_open)(const char *name); /* what happens before the file is opened */
	unsigned open_refused_at;	   /* 1: the first open fails with EMFILE, 2: the second */
	int pidfd_error;

	/* A file of bytes, behind the descriptor LIE_BYTES. */
	const uint8_t *bytes;
	size_t bytes_size;
	uint64_t bytes_asked;

	const void *mapping; /* what PROCMAP_QUERY answers: a struct pm_uapi_procmap_query */

	/* NULL, or what PROCMAP_QUERY does, and what UFFDIO_REGISTER and the like do to addresses
	 * from `start` up to `end`: 0 or an errno. */
	int (*query)(struct pm_uapi_procmap_query *query);
	int (*userfault)(unsigned long request, uint64_t start, uint64_t end);

	/* A child that writes: its errno, and what the two pages read as from then on. */
	int child_error;
	uint64_t shared_entries[2];
	unsigned children, children_ended;

	uint64_t swap_total, swap_free;
	int swap_error;

	uint64_t now;  /* the clock, in nanoseconds, */
	uint64_t tick; /* and how far it goes on each time somebody looks */

	/* What the code did. */
	uint64_t reads; /* that were not interrupted */
	uint64_t scans;
	unsigned scan_interrupted;
	uint64_t pages_asked;
	uint64_t most_asked; /* by one read, in pages */
	uint64_t most_scanned;
	unsigned interrupted;
	unsigned opened, closed, mapped, unmapped;
	uint64_t rested;	  /* nanoseconds */
	uint64_t touched;	  /* pages of a file, */
	uint64_t touched_outside; /* and among them those that were not cached */
	unsigned advice;	  /* bits of what was advised, in order of the advice's number */
	int last_open_flags;
	int last_userfaultfd_flags;
	uint64_t last_features; /* that UFFDIO_API was asked for */
	unsigned registered, unregistered;
};

extern struct lie lie;

/* Descriptors of files about frames: kpageflags, kpagecount, kpagecgroup. */
enum { LIE_FRAMES = 100 };

enum { LIE_BYTES = 90, LIE_NAMED = 60, LIE_NAMED_MOST = 20 };

/* The virtual page at which a file is mapped, as if all of it were. */
enum { LIE_FILE_AT = 1 << 18 };

/* The entry of virtual page `vpn`: each different, every bit used somewhere. */
uint64_t lie_entry(uint64_t vpn);

/* What page `vpn` reads as now. */
uint64_t lie_read(uint64_t vpn);

/* lying_scan.c: a scan as the ioctl answers it: the number of regions, or -1 and errno. */
int lie_scan(void *argument);

/* The categories of an entry. */
uint64_t lie_categories(uint64_t entry);

/* Whether this call still sees the address space of a target that is about to die. */
int lie_lives(void);

ssize_t pm_sys_pread(int fd, void *buffer, size_t size, off_t offset);
int pm_sys_open(const char *path, int flags);
int pm_sys_open_entry(int folder, const char *name, int flags);
int pm_sys_stat(int fd, struct stat *about);
ssize_t pm_sys_list(int folder, void *buffer, size_t size);
int pm_sys_pidfd_check(int pidfd);
int64_t pm_sys_seek_end(int fd);
int pm_sys_memory_file(void);
int pm_sys_dup(int fd);
int pm_sys_close(int fd);
int pm_sys_ioctl(int fd, unsigned long request, void *argument);
int pm_sys_userfaultfd(int flags);
int pm_sys_kcmp_vm(int pid, int other);
void *pm_sys_map_page(size_t size);
void *pm_sys_map_file(int fd, size_t size, off_t offset);
int pm_sys_madvise(void *address, size_t size, int advice);
int pm_sys_mincore(void *address, size_t size, unsigned char *cached);
ssize_t pm_sys_pwritev(int fd, const struct iovec *bytes, int count, off_t offset);
int pm_sys_cachestat(int fd, const struct pm_uapi_cachestat_range *range,
		     struct pm_uapi_cachestat *out);
int64_t pm_sys_fs_type(int fd);
int pm_sys_unmap(void *address, size_t size);
int pm_sys_child_writes(volatile char *byte, int *held);
void pm_sys_end_child(int child, int held);
int pm_sys_child_continues(int pidfd, int *held);
void pm_sys_dismiss_child(int child, int held);
int pm_sys_thread_begin(pthread_t *thread, void *(*run)(void *), void *argument);
void pm_sys_thread_end(pthread_t thread);
void pm_sys_wait(const uint32_t *word, uint64_t until);
void pm_sys_wake(const uint32_t *word);
void pm_sys_rest(uint64_t nanoseconds);
int pm_sys_pid(void);
uint64_t pm_sys_now(void);
int pm_sys_swap(uint64_t *total, uint64_t *unused);
long pm_sys_page_size(void);

#endif
