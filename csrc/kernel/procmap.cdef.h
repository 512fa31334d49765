/*
 * What the kernel knows of mappings and of swap, besides what its text tells.
 */
#ifndef PM_KERNEL_PROCMAP_CDEF_H
#define PM_KERNEL_PROCMAP_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mapping by PROCMAP_QUERY; addresses and page_size are in bytes. */
struct pm_vma {
	uint64_t start;
	uint64_t end;
	uint64_t page_size; /* that of its huge pages where it is of hugetlb */
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t flags; /* PM_UAPI_VMA_* */
};

/*
 * The mapping that holds `address`, by the open /proc/PID/maps. Returns 0, or
 * -errno: -ENOENT where nothing is mapped, -ENOTTY before Linux 6.11.
 */
int32_t pm_vma_at(int fd, uint64_t address, struct pm_vma *out);

/* The same, or else the first mapping above; -ENOENT where there is none. */
int32_t pm_vma_from(int fd, uint64_t address, struct pm_vma *out);

/*
 * The name of that mapping, as it is: of a file its path, whose newlines no text
 * of maps tells from the four characters \012. Returns the size of the name in
 * bytes, the closing NUL counted, 0 where it has none, or -errno as above;
 * -ENAMETOOLONG where `capacity` is too small.
 */
int32_t pm_vma_name(int fd, uint64_t address, char *out, uint32_t capacity);

/*
 * How many of `count` pages of an open file from `page` on lie in swap: of shared
 * memory, whose page cache has an entry for each (filemap_cachestat in
 * mm/filemap.c), as smaps counts them. Returns that or -errno: -ENOTSUP for a file
 * system that is no tmpfs, -ENOSYS before Linux 6.5, -EPERM for who neither owns the file
 * nor may write to it.
 */
int64_t pm_swapped_shmem(int fd, uint64_t page, uint64_t count, uint32_t page_shift);

/* 1 while any page of the machine lies in swap, else 0, or -errno. */
int32_t pm_swap_in_use(void);

#ifdef __cplusplus
}
#endif

#endif
