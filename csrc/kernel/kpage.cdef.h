/*
 * Words about frames: /proc/kpageflags, kpagecount and kpagecgroup, which hold one
 * 64-bit word for each PFN.
 */
#ifndef PM_KERNEL_KPAGE_CDEF_H
#define PM_KERNEL_KPAGE_CDEF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A frame asked for, and where its words go: out[at]. */
struct pm_wish {
	uint64_t pfn;
	uint64_t at;
};

/*
 * Put the wishes for `count` PFNs, in any order and with repeats, into `sorted`
 * by PFN; `spare` has room for as many. PFNs that no file can hold (PM_NO_VALUE
 * among them: a hidden PFN, or none) are left out, and out[i] of theirs is set to
 * PM_NO_VALUE. `out` may be where the PFNs are. Where another thread changes them
 * meanwhile, what comes of it is of no worth, but no memory is touched that is not
 * the caller's. Returns the number of wishes sorted.
 */
int64_t pm_kpage_sort(const uint64_t *pfns, uint64_t count, struct pm_wish *sorted,
		      struct pm_wish *spare, uint64_t *out);

/*
 * Read the words of `count` sorted wishes from `fd` (one of the files) into
 * out[wish.at], with few calls: frames near each other share one. `scratch`
 * holds PM_READ_BLOCK words. Past the machine's last frame a word is
 * PM_NO_VALUE: the kernel has none. Returns the number of words that it had, or
 * -errno. Stretches of one array of wishes may be read by several threads.
 */
int64_t pm_kpage_gather(int fd, const struct pm_wish *wishes, uint64_t count, uint64_t *scratch,
			uint64_t *out);

enum { PM_PARTS = 1024 };

/*
 * Part the wishes for `count` PFNs by the highest bits of these: wishes of part i end
 * at words[ends[i]], each in one word, and no PFN in it is less than one in the part
 * before. `words` and `spare` have room for `count`; for the rest see pm_kpage_sort.
 * Returns the number of wishes, or -ERANGE where pm_kpage_sort does better: they are
 * sorted already, come in long runs, need more than a word, or one part has too many.
 */
int64_t pm_kpage_part(const uint64_t *pfns, uint64_t count, uint64_t *words, uint64_t *spare,
		      uint64_t *ends, uint64_t *out);

/*
 * As pm_kpage_gather, of `count` words of one part or of several in a row, out of
 * wishes for `size` PFNs; these are sorted then. `spare` has room for `count` words.
 */
int64_t pm_kpage_gather_part(int fd, uint64_t *words, uint64_t count, uint64_t size,
			     uint64_t *spare, uint64_t *scratch, uint64_t *out);

/*
 * Take from `count` words of /proc/kpageflags the bits that mean nothing in them: the
 * kernel says of some frames that are its own (slab, page tables), free, offline or
 * none at all that they are anonymous or merged, on a list of reclaim, or mapped.
 */
void pm_kpage_known(uint64_t *words, uint64_t count);

/* The first PFN past those that `fd` has a word for, or -errno; found by trying. */
int64_t pm_kpage_end(int fd);

#ifdef __cplusplus
}
#endif

#endif
