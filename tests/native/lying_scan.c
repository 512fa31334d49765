/*
 * PAGEMAP_SCAN as pagemap_scan in fs/proc/task_mmu.c answers it, its trap included:
 * regions are collected a buffer at a time, each time that is full the walk
 * stops and walk_end is set, and when the last part of the walk ends well,
 * walk_end stays as the part before it left it.
 */
#include "lying_sys.h"
#include "kernel/uapi.h"

#include <errno.h>

enum { PAGE_BITS = 12, COLLECTED = 512, CATEGORIES = 0x1ff };

/* As pagemap_page_category says, by plain divisions: no code is shared with csrc/. */
uint64_t lie_categories(uint64_t entry)
{
	const uint64_t two = UINT64_C(1) << 55;
	const uint64_t dirty = entry / two % 2, guard = entry / two / 8 % 2;
	const uint64_t file = entry / two / 64 % 2, swapped = entry / two / 128 % 2;
	const uint64_t present = entry / two / 256;
	/* no entry tells of huge pages nor of zeros: here bits do that the kernel leaves zero */
	const uint64_t huge = entry / two / 16 % 2, zero = entry / two / 32 % 2;
	/* a marker of hugetlb: the scan calls it swapped, and the entry does not */
	const uint64_t marker = (entry / two / 4 % 2) & !present & huge;

	return huge * 64 + zero * 32 + file * 4 + present * 8 + (swapped | marker) * 16 +
	       dirty * 128 + guard * 256;
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

static int strict(const struct pm_uapi_scan *scan)
{
	const uint64_t known = lie.known ? lie.known : CATEGORIES;

	const int protects = scan->flags == PM_UAPI_SCAN_WP_MATCHING;

	if (scan->size != sizeof(*scan) || (scan->flags && !(protects && lie.tracked)))
		return EINVAL;
	if ((scan->category_inverted | scan->category_mask | scan->category_anyof_mask |
	     scan->return_mask) &
	    ~known)
		return EINVAL;
	if (scan->start % (UINT64_C(1) << PAGE_BITS) || !scan->vec != !scan->vec_len)
		return EINVAL;
	if (!scan->vec && !protects)
		return EINVAL;
	return scan->end > lie.end << PAGE_BITS ? EFAULT : 0;
}

static int interesting(const struct pm_uapi_scan *scan, uint64_t categories)
{
	categories ^= scan->category_inverted;
	if ((categories & scan->category_mask) != scan->category_mask)
		return 0;
	return !scan->category_anyof_mask || (categories & scan->category_anyof_mask);
}

static void protect(const struct pm_uapi_scan *scan, uint64_t vpn)
{
	/* as pagemap_scan_pmd_entry does it, only what it calls written */
	if (!scan->flags || !(lie.tracked[vpn] & PM_UAPI_IS_WRITTEN))
		return;
	lie.tracked[vpn] &= (unsigned char)~PM_UAPI_IS_WRITTEN;
	if (lie.marks)
		lie.marks(vpn);
}

/* One part of the walk, from *at on: the regions collected. *full: it stopped early. */
static uint64_t collect(struct pm_uapi_scan *scan, uint64_t *at, struct pm_uapi_region *out,
			uint64_t room, uint64_t *found, int *full)
{
	uint64_t count = 0;

	for (*full = 0; *at < scan->end; *at += UINT64_C(1) << PAGE_BITS) {
		const uint64_t vpn = *at >> PAGE_BITS, next = *at + (UINT64_C(1) << PAGE_BITS);
		const uint64_t entry = lie.scanned ? lie.scanned(vpn) : lie_read(vpn);
		uint64_t categories = lie_categories(entry) | (lie.tracked ? lie.tracked[vpn] : 0);

		if (!interesting(scan, categories))
			continue;
		categories &= scan->return_mask;
		if (!scan->vec) {
			protect(scan, vpn);
			continue;
		}
		*full = scan->max_pages && *found == scan->max_pages;
		if (!*full && count && out[count - 1].end == *at &&
		    out[count - 1].categories == categories)
			out[count - 1].end = next;
		else if (!*full && count < room)
			out[count++] = (struct pm_uapi_region){ *at, next, categories };
		else
			*full = 1;
		if (*full)
			break;
		protect(scan, vpn);
		++*found;
	}
	return count;
}

int lie_scan(void *argument)
{
	struct pm_uapi_scan *scan = argument;
	struct pm_uapi_region *out = (struct pm_uapi_region *)(uintptr_t)scan->vec;
	const uint64_t bounce = lie.bounce ? lie.bounce : COLLECTED;
	uint64_t at = scan->start, left = scan->vec_len, found = 0, total = 0, walk_end = 0;
	int full, error = lie.scans >= lie.scan_error_from ? lie.scan_error : 0;

	if (lie.scan_interrupted < lie.scan_interrupt) {
		lie.scan_interrupted++;
		return refuse(EINTR);
	}
	lie.scan_interrupted = 0;
	lie.scans++;
	if (scan->end - scan->start > lie.most_scanned << PAGE_BITS)
		lie.most_scanned = (scan->end - scan->start) >> PAGE_BITS;
	if (!error)
		error = strict(scan);
	if (error)
		return refuse(error);
	if (!lie_lives())
		at = scan->end; /* no mappings are left: the walk ends well */
	do {
		uint64_t count = collect(scan, &at, out ? out + total : out,
					 left < bounce ? left : bounce, &found, &full);

		total += count;
		left -= count;
		if (full)
			walk_end = at;
	} while (full && left && !(scan->max_pages && found == scan->max_pages));
	scan->walk_end = walk_end ? walk_end : scan->end;
	if (lie.short_by && scan->walk_end - scan->start > lie.short_by << PAGE_BITS)
		scan->walk_end -= lie.short_by << PAGE_BITS;
	return (int)total;
}
