/*
 * What this project needs of the kernel's user interface, in its own words:
 * installed headers may be older than the running kernel (Debian 12's lack
 * PAGEMAP_SCAN). Facts: include/uapi/linux/fs.h and userfaultfd.h.
 */
#ifndef PM_UAPI_H
#define PM_UAPI_H

#include <assert.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* cachestat(2), since 6.5: include/uapi/linux/mman.h. Offset and length in bytes. */
struct pm_uapi_cachestat_range {
	uint64_t offset;
	uint64_t length; /* 0: up to the end */
};

/* All in pages. */
struct pm_uapi_cachestat {
	uint64_t cached;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

#ifdef __alpha__
#define PM_UAPI_SYS_CACHESTAT 561
#else
#define PM_UAPI_SYS_CACHESTAT 451
#endif

/* PAGEMAP_SCAN, since 6.7. All addresses and lengths are in bytes or counts as named. */
struct pm_uapi_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pm_uapi_scan {
	uint64_t size; /* of this struct, bytes */
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;	  /* address of an array of pm_uapi_region */
	uint64_t vec_len; /* its length in regions */
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

/* Flags: write-protect what matches, in the same step. */
enum { PM_UAPI_SCAN_WP_MATCHING = 1 << 0 };

#define PM_UAPI_PAGEMAP_SCAN _IOWR('f', 16, struct pm_uapi_scan)

static_assert(sizeof(struct pm_uapi_region) == 24, "struct page_region");
static_assert(sizeof(struct pm_uapi_scan) == 96, "struct pm_scan_arg");

enum {
	PM_UAPI_IS_WPALLOWED = 1 << 0,
	PM_UAPI_IS_WRITTEN = 1 << 1,
	PM_UAPI_IS_FILE = 1 << 2,
	PM_UAPI_IS_PRESENT = 1 << 3,
	PM_UAPI_IS_SWAPPED = 1 << 4,
	PM_UAPI_IS_PFNZERO = 1 << 5,
	PM_UAPI_IS_HUGE = 1 << 6,
	PM_UAPI_IS_SOFT_DIRTY = 1 << 7,
	PM_UAPI_IS_GUARD = 1 << 8, /* since 6.15 */
};

/* PROCMAP_QUERY, since 6.11: a mapping of an open /proc/PID/maps. */
struct pm_uapi_procmap_query {
	uint64_t size; /* of this struct, bytes */
	uint64_t query_flags;
	uint64_t address; /* what is asked about */
	uint64_t start;
	uint64_t end;
	uint64_t vma_flags;
	uint64_t page_size; /* of the mapping, bytes: a huge page's where it is hugetlb's */
	uint64_t offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t name_size;
	uint32_t build_id_size;
	uint64_t name;
	uint64_t build_id;
};

enum {
	/* of query_flags: where nothing is mapped, the next mapping above */
	PM_UAPI_PROCMAP_OR_NEXT = 1 << 4,
	/* vma_flags */
	PM_UAPI_VMA_READABLE = 1 << 0,
	PM_UAPI_VMA_WRITABLE = 1 << 1,
	PM_UAPI_VMA_EXECUTABLE = 1 << 2,
	PM_UAPI_VMA_SHARED = 1 << 3,
};

#define PM_UAPI_PROCMAP_QUERY _IOWR('f', 17, struct pm_uapi_procmap_query)

static_assert(sizeof(struct pm_uapi_procmap_query) == 104, "struct procmap_query");

/* userfaultfd, since 4.3: the handshake that tells the kernel's features. */
struct pm_uapi_uffd_api {
	uint64_t api;
	uint64_t features;
	uint64_t ioctls;
};

/* UFFDIO_REGISTER, UFFDIO_UNREGISTER and UFFDIO_WRITEPROTECT (5.7), for bytes from `start` on. */
struct pm_uapi_uffd_register {
	uint64_t start;
	uint64_t length;
	uint64_t mode;
	uint64_t ioctls;
};

struct pm_uapi_uffd_range {
	uint64_t start;
	uint64_t length;
};

struct pm_uapi_uffd_protect {
	uint64_t start;
	uint64_t length;
	uint64_t mode;
};

enum {
	PM_UAPI_UFFD_API = 0xaa,
	PM_UAPI_UFFD_USER_MODE_ONLY = 1,
	PM_UAPI_UFFD_FEATURE_WP = 1 << 0,
	PM_UAPI_UFFD_FEATURE_WP_ASYNC = 1 << 15, /* since 6.7 */
	PM_UAPI_UFFD_REGISTER_WP = 1 << 1,
	PM_UAPI_UFFD_PROTECT = 1 << 0,
};

#define PM_UAPI_UFFDIO_API	    _IOWR(0xaa, 0x3f, struct pm_uapi_uffd_api)
#define PM_UAPI_UFFDIO_REGISTER	    _IOWR(0xaa, 0x00, struct pm_uapi_uffd_register)
#define PM_UAPI_UFFDIO_UNREGISTER   _IOR(0xaa, 0x01, struct pm_uapi_uffd_range)
#define PM_UAPI_UFFDIO_WRITEPROTECT _IOWR(0xaa, 0x06, struct pm_uapi_uffd_protect)

static_assert(sizeof(struct pm_uapi_uffd_api) == 24, "struct uffdio_api");
static_assert(sizeof(struct pm_uapi_uffd_register) == 32, "struct uffdio_register");
static_assert(sizeof(struct pm_uapi_uffd_protect) == 24, "struct uffdio_writeprotect");

/* madvise, since 4.14 and 6.13 */
enum { PM_UAPI_MADV_WIPEONFORK = 18, PM_UAPI_MADV_GUARD_INSTALL = 102 };

#endif
