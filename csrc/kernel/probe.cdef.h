/* What this kernel can do, found by trying. */
#ifndef PM_KERNEL_PROBE_CDEF_H
#define PM_KERNEL_PROBE_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * 1 when a pagemap opened now shows PFNs, 0 when the kernel hides them, or
 * -errno. `path` names the caller's own pagemap ("/proc/self/pagemap").
 */
int32_t pm_probe_pfns(const char *path);

/* 1 when this kernel tracks soft-dirty, 0 when not, or -errno. */
int32_t pm_probe_soft_dirty(const char *path);

/*
 * The bits of an entry that this kernel tells (bits 55, 56, 58, 61, 62, 63) into *told,
 * by marking a page of ours; returns 0, or -errno where that could not be tried. Bit 57
 * (userfaultfd) costs more and may be forbidden: 1 when this kernel tells it, 0 when
 * not, or -errno.
 */
int32_t pm_probe_told(const char *path, uint64_t *told);
int32_t pm_probe_uffd_wp(const char *path);

/* PAGEMAP_SCAN on `fd` with this one category asked for: 0, or -errno
 * (-ENOTTY: no such ioctl; -EINVAL: an unknown category). */
int32_t pm_probe_scan(int fd, uint64_t category);

/*
 * probe_huge.c: 1 when bit 56 of pages that a PMD maps is each page's own, 0 when it is
 * that of the first for all; -ENODATA where no huge page is to be had, or -errno. A
 * child is made for it, which copies the caller's page tables and ends at once.
 */
int32_t pm_probe_exclusive(const char *path);

/* userfaultfd: the kernel's feature bits into *features; 0 or -errno. */
int32_t pm_probe_userfaultfd(uint64_t *features);

#ifdef __cplusplus
}
#endif

#endif
