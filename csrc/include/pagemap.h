/*
 * libpagemap: what stands behind the virtual pages of a Linux process.
 *
 * Values. A function that can fail returns a count >= 0, which is 0 where there is nothing to
 * count, or -errno; pm_strerror says it in words. errno itself is never changed. Addresses and
 * sizes are in bytes, and addresses of ranges are multiples of the page size; `pages` are pages
 * of the machine's base size. The caller owns every buffer; capacities are in items. After a
 * failure nobody knows what is in the outputs, unless it is said.
 *
 * Structs. Those whose first member is `size` only grow, at their end. Who makes one sets `size`
 * to sizeof and all other members, reserved ones to 0: a newer library then serves an older
 * program, and an older library tells a newer program 0 in members that it does not know. A size
 * below that of the first release is -EINVAL, and so is a larger one of a struct that is given to
 * the library whose unknown rest is not zero. Unknown flags are -EINVAL, too.
 *
 * Threads. Any thread may call anything. Any number of threads may read by one struct pm_process
 * or one struct pm_frames at once. pm_process_close and pm_frames_close are for when nobody does.
 * A cursor, a sampler and a tracker are for one thread at a time.
 *
 * Signals. What is called async-signal-safe allocates nothing, takes no lock, and needs up to
 * 12 KiB of stack, or 32 KiB in pm_process_tally, pm_sampler_sample and pm_frames_words; beside
 * what the kernel puts there for a signal (MINSIGSTKSZ). So SIGSTKSZ is too little for sigaltstack.
 *
 * Fork. A child may go on with the handles of other processes, each process with its own copy of
 * them, which it closes itself. A handle that a process opened of itself (and what was opened by
 * it) shows the parent's memory, and so gives the child -ECHILD: it opens one of its own. So it is
 * by the number of each thread, and by whatever path to a proc that shows the process.
 *
 * Nothing is printed, no signal is touched, nothing exits, no thread is started. Memory is
 * allocated by the functions that end in _open, and by no other. Descriptors are closed on exec.
 */
#ifndef PM_PAGEMAP_H
#define PM_PAGEMAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The library
 */
#define PM_VERSION_MAJOR 0
#define PM_VERSION_MINOR 1
#define PM_VERSION_PATCH 0
/* What a program is built for: the number behind libpagemap.so. */
#define PM_ABI 0

/* The version of the library that runs: major << 16 | minor << 8 | patch. Async-signal-safe. */
uint32_t pm_version(void);

/*
 * What `error` means where this library returned it, and what to do: -errno or errno. Never NULL,
 * and never freed. Async-signal-safe.
 */
const char *pm_strerror(int32_t error);

/*
 * Processes
 *
 * A handle is of one address space: it goes on showing that, or nothing, whatever becomes of the
 * pid. What was read before the end of a process stands.
 */
struct pm_process;

enum pm_open_flag {
	PM_OPEN_PIDFD = 1 << 0, /* `pidfd` is given */
};

struct pm_open_options {
	uint32_t size;
	uint32_t flags;	    /* enum pm_open_flag */
	const char *procfs; /* where proc is mounted; NULL: "/proc" */
	int32_t pidfd;	    /* with PM_OPEN_PIDFD: the process must be that of this pidfd */
	uint32_t reserved;
};

/*
 * Open process `pid`, or the thread of that number, and give a handle in *out. `options` may be
 * NULL. Opens three descriptors.
 *
 * Returns 0, or -errno: -EINVAL for a pid below 1 and where procfs is none; -ESRCH where there is
 * no such process, it is a zombie, or it is not that of the pidfd; -EBADF where that is none;
 * -EACCES or -EPERM where it may not be read (it takes the rights of ptrace); -ENOENT where the
 * kernel was built without CONFIG_PROC_PAGE_MONITOR; -EAGAIN where it calls exec again and again;
 * -ENOMEM, -EMFILE, -ENFILE.
 * A thread of the kernel, which has no memory, is opened, and has no mappings.
 */
int32_t pm_process_open(int32_t pid, const struct pm_open_options *options,
			struct pm_process **out);

/* Close a handle, once: it is freed, and nobody may use it any more. NULL is nothing. */
void pm_process_close(struct pm_process *process);

/* The pid that it was opened with, or -EINVAL for NULL. Async-signal-safe. */
int32_t pm_process_pid(const struct pm_process *process);

/*
 * Whether the process still runs what was opened: 0, or -ESRCH where it has exited, -ESTALE where
 * it has called exec, -ECHILD in a child of fork (see above), -EMFILE or -ENFILE where no
 * descriptor was free to find out. Async-signal-safe.
 *
 * An exec is not noticed where another process, which shares the memory (CLONE_VM), keeps the old
 * one, and the new one is laid out the same: without randomised addresses (ADDR_NO_RANDOMIZE), of
 * the same program, with arguments of the same size. Entries go on to show the old memory.
 */
int32_t pm_process_check(const struct pm_process *process);

/*
 * The descriptor of /proc/PID/pagemap, for system calls of one's own. It stays the handle's: it
 * is closed with it. -ENXIO for a thread of the kernel. Async-signal-safe.
 */
int32_t pm_process_fileno(const struct pm_process *process);

/* What the kernel and our rights allow. Bits are only added. */
enum pm_capability {
	PM_CAN_PFNS = 1 << 0,	       /* entries have PFNs; else these read as 0 */
	PM_CAN_SCAN = 1 << 1,	       /* pm_process_regions: PAGEMAP_SCAN (6.7) */
	PM_CAN_SCAN_GUARD = 1 << 2,    /* PM_IS_GUARD in it (6.15) */
	PM_CAN_SOFT_DIRTY = 1 << 3,    /* PM_PAGE_SOFT_DIRTY is kept (CONFIG_MEM_SOFT_DIRTY) */
	PM_CAN_EXCLUSIVE = 1 << 4,     /* PM_PAGE_EXCLUSIVE (4.2) */
	PM_CAN_UFFD_WP = 1 << 5,       /* PM_PAGE_UFFD_WP (5.13) */
	PM_CAN_GUARD = 1 << 6,	       /* PM_PAGE_GUARD (6.15) */
	PM_CAN_QUERY_MAPS = 1 << 7,    /* a mapping by its address: PROCMAP_QUERY (6.11) */
	PM_CAN_TRACK = 1 << 8,	       /* writes, by a userfaultfd (6.11) */
	PM_CAN_FRAME_FLAGS = 1 << 9,   /* /proc/kpageflags */
	PM_CAN_FRAME_COUNTS = 1 << 10, /* /proc/kpagecount */
};

struct pm_capabilities {
	uint32_t size;
	uint32_t page_shift; /* log2 of the page size: 12..16 */
	uint64_t known;	     /* enum pm_capability: those that could be tried, */
	uint64_t can;	     /* and those of them that there are */
	uint64_t end;	     /* of the address space, in bytes: past the last page with an entry */
};

/*
 * Find out by trying, which takes some hundred system calls: once, rather than before each read.
 * Returns 0 or -errno, as pm_process_check does.
 */
int32_t pm_process_capabilities(struct pm_process *process, struct pm_capabilities *out);

/*
 * Mappings
 *
 * In order of address, one by one.
 */

/* Where a walk over mappings stands. All zeros: at the beginning. */
struct pm_maps_cursor {
	uint64_t state[8];
};

enum pm_mapping_flag {
	PM_MAPPING_READ = 1 << 0,
	PM_MAPPING_WRITE = 1 << 1,
	PM_MAPPING_EXEC = 1 << 2,
	PM_MAPPING_SHARED = 1 << 3,
};

enum pm_mapping_kind {
	PM_MAPPING_ANONYMOUS = 1, /* private memory of no file, named ("[anon:x]") or not */
	PM_MAPPING_HEAP = 2,	  /* the one that brk moves */
	PM_MAPPING_STACK = 3,	  /* that of the first thread */
	PM_MAPPING_SPECIAL = 4,	  /* the kernel's own: [vdso], [vvar] */
	PM_MAPPING_FILE = 5,	  /* of a file or a device, those of a tmpfs too */
	PM_MAPPING_SHMEM =
		6, /* of memory without a file system: memfd_create, System V, MAP_SHARED |
				   * MAP_ANONYMOUS */
	PM_MAPPING_HUGETLB = 7, /* of huge pages; before Linux 6.11 these are PM_MAPPING_FILE */
};

struct pm_mapping {
	uint32_t size;
	uint32_t flags; /* enum pm_mapping_flag */
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file, in bytes */
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t kind;	    /* enum pm_mapping_kind */
	uint32_t path_size; /* in bytes, without the NUL */
	/*
	 * As the kernel writes it in maps: "[heap]", " (deleted)" behind an unlinked file, \012 for
	 * a newline. Any bytes. Empty where there is none. It lies in the caller's buffer, until
	 * the next call.
	 */
	const char *path;
};

enum {
	PM_MAPS_BUFFER = 1 << 15, /* bytes: the least that pm_maps_next needs */
};

/*
 * Give the next mapping in *out, whose path lies in `buffer`: one and the same buffer from the first
 * call to the end, in which nothing but paths may be changed. Mappings that change meanwhile are
 * given as they are when they are met; what grew below the cursor is not given again. [vsyscall],
 * which has no entries, is none of them.
 *
 * Returns 1, 0 at the end, or -errno: -EINVAL for another buffer, or one of less than
 * PM_MAPS_BUFFER bytes, -ERANGE for a path that it does not hold, and as pm_process_check.
 */
int32_t pm_maps_next(struct pm_process *process, struct pm_maps_cursor *cursor, char *buffer,
		     size_t buffer_size, struct pm_mapping *out);

/*
 * Entries
 *
 * A word for each page.
 */

/* From address `start` up to, without, `end`. */
struct pm_span {
	uint64_t start;
	uint64_t end;
};

/* The bits of an entry. Those that are not named here may come to mean something. */
#define PM_PAGE_PFN_MASK   UINT64_C(0x007fffffffffffff) /* of a present page; 0: hidden */
#define PM_PAGE_SOFT_DIRTY (UINT64_C(1) << 55)
#define PM_PAGE_EXCLUSIVE  (UINT64_C(1) << 56) /* mapped nowhere else */
#define PM_PAGE_UFFD_WP	   (UINT64_C(1) << 57) /* write-protected by a userfaultfd */
#define PM_PAGE_GUARD	   (UINT64_C(1) << 58)
#define PM_PAGE_FILE	   (UINT64_C(1) << 61) /* of a file, or shared anonymous memory */
#define PM_PAGE_SWAPPED	   (UINT64_C(1) << 62) /* or guard, marker, migrating, poisoned, device */
#define PM_PAGE_PRESENT	   (UINT64_C(1) << 63)

/*
 * Read the entries of `count` pages from `address` on into `out`.
 *
 * Returns the number of entries, fewer than `count` only where the address space ends; or -errno:
 * as pm_process_check where the process is gone, -EINVAL for an address within a page, or a count
 * that no buffer holds (2^59 and more). Async-signal-safe.
 */
int64_t pm_process_entries(const struct pm_process *process, uint64_t address, uint64_t count,
			   uint64_t *out);

/*
 * Read the entries of `count` spans, in any order, one after another into `out`, which holds
 * `capacity`. stored[i] becomes the number of entries of spans[i]; spans that touch share a system
 * call. Returns the sum of `stored`, or -errno as above; -ENOSPC, and nothing is read, where
 * `capacity` is too small. Async-signal-safe.
 */
int64_t pm_process_entries_of(const struct pm_process *process, const struct pm_span *spans,
			      uint64_t count, uint64_t *out, uint64_t capacity, uint64_t *stored);

/*
 * The physical address behind any `address`. Returns 0, or -errno: -ENXIO where no page is
 * present, -ENODATA past the address space, -EPERM where the kernel hides PFNs (it takes
 * CAP_SYS_ADMIN at the time of pm_process_open), and as pm_process_check. Async-signal-safe.
 */
int32_t pm_process_translate(const struct pm_process *process, uint64_t address,
			     uint64_t *physical);

/*
 * Regions
 *
 * What pages are, without an entry for each. It takes PM_CAN_SCAN.
 */

/* What a page may be: the categories of PAGEMAP_SCAN. */
enum pm_category {
	PM_IS_WPALLOWED = 1 << 0, /* a userfaultfd tracks its writes */
	PM_IS_WRITTEN = 1 << 1,	  /* since then; of pages that are not WPALLOWED it says nothing */
	PM_IS_FILE = 1 << 2,	  /* as PM_PAGE_FILE; it costs the kernel a look at each frame */
	PM_IS_PRESENT = 1 << 3,
	PM_IS_SWAPPED = 1 << 4, /* as PM_PAGE_SWAPPED */
	PM_IS_PFNZERO = 1 << 5, /* the page of zeros */
	PM_IS_HUGE = 1 << 6,	/* mapped by a huge entry; holes of hugetlb too */
	PM_IS_SOFT_DIRTY = 1 << 7,
	PM_IS_GUARD = 1 << 8,
};

/* Pages from `start` up to, without, `end` that share `categories`. */
struct pm_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories; /* enum pm_category */
};

/* Which pages: those with every category of `all_of`, none of `none_of` and, unless it is 0, one
 * at least of `any_of`. Neighbours alike in the categories `returned` are one region. */
struct pm_region_query {
	uint32_t size;
	uint32_t flags; /* 0 */
	uint64_t all_of;
	uint64_t any_of;
	uint64_t none_of;
	uint64_t returned;
	uint64_t max_pages; /* stop after so many pages found; 0: never */
};

/*
 * Find regions from `start` up to `end`: at most `capacity` (1 or more) into `out`. *next becomes
 * where to go on, `end` when all was seen. Where a call goes on in the midst of alike pages, their
 * region is in two parts.
 *
 * Returns the number of regions, or -errno: -ENOTTY where the kernel has no PAGEMAP_SCAN, -EINVAL
 * for a category that it does not know, -EFAULT where `end` lies past the address space, and as
 * pm_process_check. Async-signal-safe.
 */
int64_t pm_process_regions(const struct pm_process *process, const struct pm_region_query *query,
			   uint64_t start, uint64_t end, struct pm_region *out, uint64_t capacity,
			   uint64_t *next);

/*
 * Read the entries of the present and the swapped pages from *next up to `end` into `entries`, and
 * where they belong into `runs`: each is a stretch of populated pages. What is empty is skipped by
 * PAGEMAP_SCAN, or where there is none read and dropped: then ask for one mapping after another.
 * *next becomes where to go on, `end` when all was seen. Both capacities are 1 or more.
 *
 * Returns the number of entries, which may be 0 before the end, or -errno as pm_process_entries;
 * *runs_stored becomes the number of runs. Past what is returned, `entries` is scratch.
 * Async-signal-safe.
 */
int64_t pm_process_populated(const struct pm_process *process, uint64_t *next, uint64_t end,
			     uint64_t *entries, uint64_t capacity, struct pm_span *runs,
			     uint64_t runs_capacity, uint64_t *runs_stored);

/*
 * Amounts
 *
 * How much memory there is of what.
 */

/* The members of struct pm_amounts, as bits of `wanted` and of `known`. */
enum pm_amount {
	PM_AMOUNT_RSS = 1 << 0,
	PM_AMOUNT_SWAP = 1 << 1,
	PM_AMOUNT_ANON = 1 << 2,
	PM_AMOUNT_FILE_OR_SHARED = 1 << 3,
	PM_AMOUNT_HUGE = 1 << 4,
	PM_AMOUNT_USS = 1 << 5,
	PM_AMOUNT_PRESENT = 1 << 6,
	PM_AMOUNT_ZERO = 1 << 7,
	PM_AMOUNT_HUGETLB = 1 << 8,
};

/* In bytes. What is not known, or was not wanted, is 0. */
struct pm_amounts {
	uint32_t size;
	uint32_t partial; /* 1: a limit stopped, and `resume` says where; or it began there */
	uint64_t known;	  /* enum pm_amount: those that are told */
	uint64_t rss;	  /* in memory, as the kernel's own Rss: present without zero and hugetlb */
	uint64_t swap;
	uint64_t anon;		 /* of rss: neither of a file nor shared */
	uint64_t file_or_shared; /* of rss: the rest */
	uint64_t huge;		 /* in memory, mapped by huge entries; hugetlb too */
	uint64_t uss;		 /* of rss: mapped nowhere else */
	uint64_t present;	 /* rss, zero and hugetlb */
	uint64_t zero;		 /* read and never written: the kernel's page of zeros */
	uint64_t hugetlb;	 /* in memory, of hugetlb */
	uint64_t resume;	 /* an address; `end` (of a sampler: 0) where no limit stopped */
};

struct pm_limits {
	uint32_t size;
	uint32_t flags;	    /* 0 */
	uint64_t max_pages; /* stop after so many pages found; 0: never */
	uint64_t max_ns;    /* stop after about so many nanoseconds; 0: never */
};

enum {
	PM_SCRATCH = 8192, /* words of scratch that functions need */
};

/*
 * Count what lies from `start` up to `end`: the amounts `wanted` (enum pm_amount). `limits` may be
 * NULL; `scratch` holds PM_SCRATCH words. What a limit cut off begins at out->resume.
 *
 * `swap` is not known where something of the machine is in swap and no entry tells all of it: where
 * a mapping may be of shared memory, whose swapped pages have none, and where the kernel hides what
 * swap entries are, as from who sees no PFNs. `uss` is by PM_PAGE_EXCLUSIVE, which from Linux 6.15 on
 * is that of the first page for all pages of a huge one. Before PAGEMAP_SCAN, only uss, present,
 * hugetlb and swap are known. What is known of hugetlb takes Linux 6.11 where there is any.
 *
 * Returns 0 or -errno: -EINVAL for amounts that there are not, and as pm_process_entries.
 * Async-signal-safe.
 */
int32_t pm_process_tally(const struct pm_process *process, uint64_t start, uint64_t end,
			 uint64_t wanted, const struct pm_limits *limits, uint64_t *scratch,
			 struct pm_amounts *out);

/*
 * Samplers
 *
 * The amounts of a whole process, again and again.
 *
 * It costs in proportion to what is resident: for each GiB of base pages 3 ms for rss, present,
 * zero, hugetlb, swap and huge, and 13 ms where anon, file_or_shared or uss are wanted too.
 */
struct pm_sampler;

/*
 * Make a sampler of the amounts `wanted` (enum pm_amount), which uses `process` until it is
 * closed. Opens three descriptors, and one or two of the machine's where rights and amounts ask
 * for them. What this kernel cannot tell is not known in any sample.
 *
 * Returns 0 or -errno: -EINVAL for no amounts or such as there are not, -ENXIO for a thread of the
 * kernel, -ENOMEM, and as pm_process_check.
 */
int32_t pm_sampler_open(struct pm_process *process, uint64_t wanted, struct pm_sampler **out);

/*
 * Count now, from the address `resume` on (0: all). `limits` may be NULL. out->resume becomes where
 * a limit stopped, or 0 at the end.
 *
 * While anything of the machine is in swap, swap costs a look at the mappings, and the kernel's
 * sum (smaps_rollup) where one may be of shared memory, which is known of the whole alone. `uss` is
 * by map counts where PFNs and /proc/kpagecount can be read, and else as in pm_process_tally. With
 * hugetlb before Linux 6.11 rss, anon, file_or_shared, uss and hugetlb are not known.
 *
 * Returns 0, and else *out is as it was, or -errno: -EBUSY where it interrupts a sample of this
 * sampler, in a signal handler; -EINVAL for an address within a page; and as pm_process_check.
 * Where mappings are looked at it opens a descriptor for as long. Async-signal-safe.
 */
int32_t pm_sampler_sample(struct pm_sampler *sampler, const struct pm_limits *limits,
			  uint64_t resume, struct pm_amounts *out);

/*
 * The resident set in bytes by the kernel's own counter (/proc/PID/statm), which costs 2 us whatever
 * the size and, before Linux 6.17, may lag behind by some dozen pages for each processor (before
 * 6.2 by those of the last 64 page faults of each thread); or -errno, as pm_process_check.
 * Async-signal-safe.
 */
int64_t pm_sampler_rss(struct pm_sampler *sampler);

/* NULL is nothing. The process stays open. */
void pm_sampler_close(struct pm_sampler *sampler);

/*
 * Frames
 *
 * Words about them, which take root.
 */
struct pm_frames;

enum pm_frames_what {
	PM_FRAMES_FLAGS = 1 << 0,   /* /proc/kpageflags, without bits that mean nothing */
	PM_FRAMES_COUNTS = 1 << 1,  /* /proc/kpagecount: how often a frame is mapped */
	PM_FRAMES_CGROUPS = 1 << 2, /* /proc/kpagecgroup: the inode of its memory cgroup */
};

#define PM_FRAMES_NO_WORD UINT64_MAX /* of a PFN that the machine does not have */

/*
 * Open the files `what` (enum pm_frames_what) of `procfs` (NULL: "/proc"). Returns 0 or -errno:
 * -EACCES or -EPERM without rights, -ENOENT where the kernel has no such file, -EINVAL for nothing
 * or unknown files, -ENOMEM.
 */
int32_t pm_frames_open(const char *procfs, uint32_t what, struct pm_frames **out);

/*
 * Read the words of one file, `what`, of `count` PFNs in any order: out[i] is that of pfns[i]; they
 * may be one array. `scratch` holds `scratch_words`, PM_SCRATCH + 4 at least; with PM_SCRATCH +
 * 4 * count all are sorted at once, which costs the fewest reads.
 *
 * Returns how many have a word, or -errno: -EBADF for a file that was not opened.
 * Async-signal-safe.
 */
int64_t pm_frames_words(const struct pm_frames *frames, uint32_t what, const uint64_t *pfns,
			uint64_t count, uint64_t *scratch, uint64_t scratch_words, uint64_t *out);

/* NULL is nothing. */
void pm_frames_close(struct pm_frames *frames);

/*
 * Writes
 *
 * Which pages were written since the last look.
 *
 * Pages are write-protected through a userfaultfd; a write lifts that, and nobody waits for
 * anyone. It takes PM_CAN_TRACK and PM_CAN_QUERY_MAPS, and no rights. (Linux 6.7 to 6.10 could
 * protect pages, but cannot say what is mapped at an address right before a part of it is
 * registered. Where that has grown meanwhile it would be split, and mremap(2) of it fail: so they
 * are refused.) The first write to a page after each round costs a fault. Transparent huge pages
 * stay until a byte of them is written, and no small pages become huge meanwhile; one that is
 * shared counts whole, as those of hugetlb do.
 *
 * In no round are: writes through another mapping of shared memory, or by write(2) to a file; by
 * devices into memory that is pinned (io_uring buffers, RDMA); what is unmapped or moved away
 * (mremap) before its round ends; what is thrown away of shared memory (MADV_REMOVE, a hole punched
 * into the file). Writes by the kernel, as of read(2) into tracked memory, are seen.
 *
 * Guard regions (MADV_GUARD_INSTALL, 6.15) over tracked memory that is shared, or private and of a
 * file: the kernel tries to make them again and again for as long as the tracking goes on, and
 * madvise(2) does not return before. So a thread that tracks itself must not do that.
 */
struct pm_tracker;

enum pm_tracker_flag {
	/*
	 * Protect untouched pages, too. Without it a page that is touched first counts as written
	 * (of private memory: if it was written), and is lost where it leaves the page table again
	 * in the same round: thrown away, or if it is shared to swap, or where a huge page that it
	 * is in is made or split. Private memory that was thrown away counts as written when it is
	 * touched again, if only by a read. With it none of that: exactly what was written is
	 * found, and private memory that was thrown away. It costs page tables for all of the spans, 0.2 % of
	 * their size, and what was untouched at the beginning will not be in huge pages.
	 */
	PM_TRACKER_UNTOUCHED = 1 << 0,
};

struct pm_tracker_options {
	uint32_t size;
	uint32_t flags;		     /* enum pm_tracker_flag */
	const struct pm_span *spans; /* what to track, in order, none of which overlap */
	uint64_t spans_count;	     /* 1 or more */
	/* One that `process` made, by which it does nothing else; where its features were agreed
	 * upon already, with WP_ASYNC. -1: make one, of the caller's own process alone. */
	int32_t userfaultfd;
	uint32_t reserved;
};

/*
 * Begin to track writes to these spans of `process`, which must stay open longer than the tracker.
 * The pages of hugetlb are tracked whole, where a span ends within one. Each part of a span that is
 * in a mapping of its own, or becomes one, is registered by itself: from then on mremap(2) of a
 * mapping that is partly in a span fails.
 *
 * The userfaultfd is the tracker's from then on, and closed with it; after a failure it is the
 * caller's. 1 bit of memory is allocated for each page of the spans, and used for those that are
 * populated; with PM_TRACKER_UNTOUCHED none.
 *
 * Returns 0 or -errno: -ENOTTY where the kernel cannot (before 6.11); -EPERM where a
 * filter of system calls forbids it; -EBUSY where another userfaultfd has a part of the spans;
 * -EINVAL for a userfaultfd that is none, of another process, or without WP_ASYNC, as for one that
 * can track no mapping of the spans, and for none where the process is not the caller's; -ENXIO for
 * a thread of the kernel; -ENOMEM; -EMFILE; and as pm_process_check. Where nothing is mapped in the
 * spans yet, one of another process or without WP_ASYNC is not noticed: all that is mapped there
 * later is PM_WRITTEN_UNTRACKED then.
 */
int32_t pm_tracker_open(struct pm_process *process, const struct pm_tracker_options *options,
			struct pm_tracker **out);

/* Where a round stands. All zeros: at its beginning. */
struct pm_tracker_cursor {
	uint64_t state[8];
};

enum pm_track_flag {
	PM_TRACK_PEEK = 1 << 0, /* the round goes on: what is found stays written */
};

/* How it is known that a page was written: the `categories` of what is found. */
enum pm_written {
	PM_WRITTEN_TRACKED = 1 << 0, /* its protection was lifted */
	/* its mapping is new, or another than it was: all that is populated there, and with
	 * PM_TRACKER_UNTOUCHED all of it */
	PM_WRITTEN_NEW = 1 << 1,
	/* it may be written and cannot be tracked, as it is another userfaultfd's by now: all that
	 * is populated there, again in each round */
	PM_WRITTEN_UNTRACKED = 1 << 2,
	PM_WRITTEN_GONE = 1 << 3, /* it was written or thrown away, and is not in the page table */
};

/*
 * Find the pages that were written since the last round: at most `capacity` regions (1 or more)
 * into `out`, with enum pm_written as `categories`. They are protected anew in the same step: a
 * write before a round begins is in it, and one meanwhile is in it or in the next. The spans are
 * gone through in order, but what is gone may come behind all else of its mapping.
 *
 * Returns how many; 0 where the round is complete, and the cursor is zeros then; or -errno. Until
 * that, call it again with the same cursor. What was found is told once, so a round that is left
 * midway goes on with its cursor, and one that fails may be begun again. With PM_TRACK_PEEK, in all
 * of a round, nothing changes.
 *
 * -ECHILD in a child of fork; -ESRCH and -ESTALE as pm_process_check, and then nothing is told of
 * writes before that.
 */
int64_t pm_tracker_collect(struct pm_tracker *tracker, struct pm_tracker_cursor *cursor,
			   uint32_t flags, struct pm_region *out, uint64_t capacity);

/* End the tracking: nothing is left of it. In a child of fork the copy is freed, and the tracking
 * goes on. NULL is nothing. */
void pm_tracker_close(struct pm_tracker *tracker);

#ifdef __cplusplus
}
#endif

#endif
