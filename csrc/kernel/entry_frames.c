/*
 * What entries do not tell of their pages, and the words of the frames do.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/entry_frames.cdef.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"

enum {
	WORDS = 512, /* read at a time */
};

/* The words of `count` frames from `pfn` on, WORDS at most; returns their number or -errno. */
static int64_t words_of(int fd, uint64_t pfn, uint64_t count, uint64_t *words)
{
	if (count > WORDS)
		count = WORDS;
	if (pfn >= PM_PFN_END || count > PM_PFN_END - pfn)
		return 0;
	return pm_read(fd, pfn, count, words); /* a word for a number, as in pagemap */
}

/* Whether entries[0..count) differ in their PFNs alone, and these are in a row. */
static int in_a_row(const uint64_t *entries, uint64_t count)
{
	uint64_t differ = 0;

	if (entries[count - 1] != entries[0] + (count - 1))
		return 0;
	for (uint64_t i = 0; i < count; i++)
		differ |= entries[i] ^ (entries[0] + i);
	return !differ;
}

/* Set bit 56 of entries in a row by the counts of their frames; returns `count` or -errno. */
static int64_t look_up(int mapcounts, uint64_t *entries, uint64_t count)
{
	const uint64_t first = entries[0];
	uint64_t words[WORDS];

	for (uint64_t done = 0; done < count;) {
		int64_t got =
			words_of(mapcounts, (first & PM_PLACE_MASK) + done, count - done, words);

		if (got < 0)
			return got;
		if (!got)
			break; /* no frame of the kernel's: nobody counts its mappings */
		for (int64_t i = 0; i < got; i++) {
			uint64_t *entry = entries + done + (uint64_t)i;

			*entry &= ~PM_BIT(PM_EXCLUSIVE_BIT);
			*entry |= (uint64_t)(words[i] == 1) << PM_EXCLUSIVE_BIT;
		}
		done += (uint64_t)got;
	}
	return (int64_t)count;
}

/*
 * How many of entries[0..count), of pages from `vpn` on, a PMD may map as one with the
 * first; 0: none does. *next becomes the number up to where the next PMD begins.
 */
static uint64_t as_one(const uint64_t *entries, uint64_t count, uint64_t vpn, uint32_t page_shift,
		       uint64_t *next)
{
	/* a table of the lowest level is a page of entries: so much a PMD maps */
	const uint64_t pmd = UINT64_C(1) << (page_shift - 3);
	const uint64_t rest = pmd - (vpn & (pmd - 1));

	*next = rest < count ? rest : count;
	if (!pm_flag(*entries, PM_PRESENT_BIT) || !(*entries & PM_PLACE_MASK))
		return 0;
	/* it lies in its place: PFN and page number are alike in their low bits */
	if ((*entries ^ vpn) & (pmd - 1))
		return 0;
	return in_a_row(entries, *next) ? *next : 0;
}

int64_t pm_exclusive_by_count(int mapcounts, uint64_t vpn, uint64_t *entries, uint64_t count,
			      uint32_t page_shift)
{
	uint64_t looked = 0, next;

	for (uint64_t at = 0; at < count; at += next) {
		uint64_t size = as_one(entries + at, count - at, vpn + at, page_shift, &next);
		int64_t got = size ? look_up(mapcounts, entries + at, size) : 0;

		if (got < 0)
			return got;
		looked += (uint64_t)got;
	}
	return (int64_t)looked;
}

/* How many of `count` frames from `pfn` on are of zeros, or -errno. */
static int64_t zeros_in_a_row(int flags, uint64_t pfn, uint64_t count)
{
	uint64_t words[WORDS], zeros = 0;

	for (uint64_t done = 0; done < count;) {
		int64_t got = words_of(flags, pfn + done, count - done, words);

		if (got <= 0)
			return got < 0 ? got : (int64_t)zeros;
		for (int64_t i = 0; i < got; i++)
			zeros += words[i] != PM_NO_VALUE && pm_flag(words[i], PM_KPF_ZERO_PAGE);
		done += (uint64_t)got;
	}
	return (int64_t)zeros;
}

/* How many entries from the first on are alike with PFNs in a row, if they may be small
 * pages of zeros: of no file, and not exclusive. */
static uint64_t may_be_zero(const uint64_t *entries, uint64_t count)
{
	const uint64_t marks = PM_BIT(PM_PRESENT_BIT) | PM_BIT(PM_FILE_BIT) |
			       PM_BIT(PM_EXCLUSIVE_BIT);
	uint64_t size = 1;

	if ((*entries & marks) != PM_BIT(PM_PRESENT_BIT) || !(*entries & PM_PLACE_MASK))
		return 0;
	while (size < count && entries[size] == *entries + size)
		size++;
	return size;
}

int64_t pm_zero_pages(int flags, uint64_t vpn, const uint64_t *entries, uint64_t count,
		      uint32_t page_shift, uint64_t *marked)
{
	uint64_t zeros = 0, last = 0, next;
	int64_t got = 0;

	*marked = 0;
	for (uint64_t at = 0; at < count; at += next) {
		const uint64_t entry = entries[at];
		const int file = (int)pm_flag(entry, PM_FILE_BIT);
		uint64_t unused, size;

		/* of pages with a file's mark only huge ones can be of zeros */
		size = file ? as_one(entries + at, count - at, vpn + at, page_shift, &unused)
			    : may_be_zero(entries + at, count - at);
		next = size ? size : 1;
		if (!size || pm_flag(entry, PM_EXCLUSIVE_BIT))
			continue;
		/* most often it is the same small page again */
		if (size > 1 || entry != last)
			got = zeros_in_a_row(flags, entry & PM_PLACE_MASK, size);
		if (got < 0)
			return got;
		last = size > 1 ? 0 : entry;
		zeros += (uint64_t)got;
		*marked += file ? (uint64_t)got : 0;
	}
	return (int64_t)zeros;
}
