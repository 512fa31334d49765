/*
 * Entries out of an open /proc/PID/pagemap.
 *
 * This and every other *.cdef.h is read twice: the compiler includes it, and cffi builds
 * the Python binding out of it, so there is one truth. Hence their narrow form: plain
 * declarations and enums, no macro and no condition but the guard and `extern "C"`
 * (csrc/binding/build_ffi.py leaves preprocessor lines out). Widths are fixed, because
 * cffi and the compiler must agree.
 *
 * Conventions of all. A function that can fail returns a count >= 0, or -errno. The caller
 * owns every buffer. Capacities are in entries, or in bytes where the name says so. Nothing
 * keeps state, so any thread may call it.
 */
#ifndef PM_KERNEL_READ_CDEF_H
#define PM_KERNEL_READ_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pm_read_limits {
	PM_READ_BLOCK = 4096, /* entries of a block: what the scratch of most walks holds */
};

/* `count` pages from virtual page number `vpn` on. */
struct pm_range {
	uint64_t vpn;
	uint64_t count;
};

/*
 * Read the entries of `count` pages from virtual page `vpn` on.
 *
 * Returns the number of whole entries stored, fewer than `count` only where
 * the address space ends or the target is gone (see pm_alive), or -errno.
 * Entries past the returned number are untouched; after a failure `out` holds
 * those read before it, and nobody knows how many.
 */
int64_t pm_read(int fd, uint64_t vpn, uint64_t count, uint64_t *out);

/*
 * Read text, of maps say, from byte `offset` on until `size` bytes are there or
 * the file ends: the kernel gives a page of it at a time. Returns the number of
 * bytes or -errno; after a failure nobody knows how many were read before it.
 */
int64_t pm_read_text(int fd, uint64_t offset, uint64_t size, char *out);

/*
 * Read the entries of `count` ranges, one after another, into `out`.
 *
 * `capacity` is what `out` holds, in entries; ranges that do not fit give
 * -ENOSPC before anything is read. stored[i] becomes the number of entries of
 * range i; they follow those of range i - 1 without a gap. Ranges that touch
 * cost one system call together. Returns the sum of `stored`, or -errno; after
 * a failed read `out` and `stored` hold a part that nobody knows the end of.
 */
int64_t pm_read_ranges(int fd, const struct pm_range *ranges, uint64_t count, uint64_t *out,
		       uint64_t capacity, uint64_t *stored);

/*
 * The physical address behind `address` (bytes), or -errno: -ENXIO where the
 * entry is not a present page with a visible PFN (read the entry to learn
 * which), -ENODATA where there is no entry, -EOVERFLOW past 63 bits.
 */
int64_t pm_translate(int fd, uint64_t address, uint32_t page_shift);

/*
 * 1 while the address space behind `fd` lives, 0 when it is gone, or -errno.
 * The page at address 0 has an entry, mapped or not, for as long as it does.
 */
int32_t pm_alive(int fd);

/* The first page number past the address space behind `fd`, or -errno; 0 when
 * that is gone. Found by trying, since it depends on machine and process. */
int64_t pm_end(int fd, uint32_t page_shift);

#ifdef __cplusplus
}
#endif

#endif
