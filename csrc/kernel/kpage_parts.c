/*
 * Wishes in parts by PFN, which threads sort and read at the same time.
 *
 * A sort of all of them is one thread's work, half as long as two threads' reading. So
 * one pass parts them by their highest bits, and each thread sorts the stretch that it
 * reads next, which fits its processor's cache.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/kpage.h"

enum {
	PART_BITS = 10,	      /* 1,024 streams to write at a time */
	LARGE_PART = 1 << 16, /* wishes that one thread should not sort alone, */
	FEW = 8,	      /* where they are more than an eighth */
	UNPACKED = 1024,      /* wishes that are read at a time */
};

static_assert(1 << PART_BITS == PM_PARTS, "a part for each value of its bits");

int64_t pm_kpage_part(const uint64_t *pfns, uint64_t count, uint64_t *words, uint64_t *spare,
		      uint64_t *ends, uint64_t *out)
{
	const struct pm_survey seen = pm_kpage_survey(pfns, count);
	const unsigned bits = pm_place_bits(count);
	const unsigned width = seen.differ ? 64 - (unsigned)__builtin_clzll(seen.differ) : 0;
	const unsigned shift = bits + (width > PART_BITS ? width - PART_BITS : 0);
	uint64_t places[PM_PARTS] = { 0 };
	uint64_t stored = 0, place = 0, most = 0;

	if (!bits || seen.all >> (64 - bits) || !seen.descents || seen.runs <= count / PM_LONG_RUN)
		return -ERANGE;
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t pfn = pm_load(pfns + i);

		if (!pm_is_wish(&seen, pfn)) {
			out[i] = PM_NO_VALUE;
			continue;
		}
		spare[stored] = pfn << bits | i;
		places[spare[stored++] >> shift & (PM_PARTS - 1)]++;
	}
	for (unsigned part = 0; part < PM_PARTS; part++) {
		const uint64_t here = places[part];

		places[part] = place;
		ends[part] = place += here;
		most = here > most ? here : most;
	}
	if (most > LARGE_PART && most > stored / FEW)
		return -ERANGE; /* one far from the others, such as a device's, leaves no parts */
	for (uint64_t i = 0; i < stored; i++)
		words[places[spare[i] >> shift & (PM_PARTS - 1)]++] = spare[i];
	return (int64_t)stored;
}

/* Sort a stretch where it is. */
static void sort_stretch(uint64_t *words, uint64_t count, unsigned bits, uint64_t *spare)
{
	uint64_t differ = 0, descents = 0;
	const uint64_t *sorted;

	for (uint64_t i = 1; i < count; i++) {
		differ |= words[i] ^ words[0];
		descents += words[i] < words[i - 1];
	}
	if (!descents)
		return;
	sorted = pm_kpage_sort_words(words, count, differ >> bits, bits, spare);
	if (sorted != words)
		memcpy(words, sorted, count * sizeof(*words));
}

int64_t pm_kpage_gather_part(int fd, uint64_t *words, uint64_t count, uint64_t size,
			     uint64_t *spare, uint64_t *scratch, uint64_t *out)
{
	const unsigned bits = pm_place_bits(size);
	struct pm_wish wishes[UNPACKED];
	int64_t found = 0;

	sort_stretch(words, count, bits, spare);
	for (uint64_t i = 0, next; i < count; i = next) {
		int64_t got;

		for (next = i; next < count && next - i < UNPACKED; next++)
			wishes[next - i] = (struct pm_wish){ words[next] >> bits,
							     words[next] & (PM_BIT(bits) - 1) };
		got = pm_kpage_gather(fd, wishes, next - i, scratch, out);
		if (got < 0)
			return got;
		found += got;
	}
	return found;
}
