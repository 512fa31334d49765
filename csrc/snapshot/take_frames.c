/*
 * The words of the frames that the pages of a process are in, as take.c marked them.
 */
#include <stdbool.h>
#include <stdint.h>

#include "kernel/core.h"
#include "kernel/kpage_flags.h"
#include "kernel/read.cdef.h"
#include "snapshot/take.cdef.h"

static bool has_frame(const uint8_t *frames, uint64_t i)
{
	return (frames[i / 8] >> i % 8 & 1) != 0;
}

/* Mark all frames of the huge pages that have a marked one. Of a page of 1 GiB there are only tails
 * here. */
static void mark_folios(uint8_t *frames, uint64_t count, const uint64_t *flags)
{
	for (uint64_t i = 0, end; i < count; i = end) {
		bool met = has_frame(frames, i);

		for (end = i + 1; end < count && pm_flag(flags[end], PM_KPF_COMPOUND_TAIL); end++) {
			if (has_frame(frames, end))
				met = true;
		}
		for (uint64_t at = i; at < end && met; at++)
			frames[at / 8] |= (uint8_t)(1 << at % 8);
	}
}

/* Read the words of marked frames, of which `frame` is the first. Returns 0 or -errno. */
static int read_words(int fd, const uint8_t *frames, uint64_t frame, uint64_t count,
		      uint64_t *words)
{
	for (uint64_t i = 0, end; i < count; i = end) {
		const bool met = has_frame(frames, i);
		int64_t got = 0;

		for (end = i + 1; end < count && has_frame(frames, end) == met;)
			end++;
		if (met)
			got = pm_read(fd, frame + i, end - i, words + i);
		if (got < 0)
			return (int)got;
	}
	return 0;
}

/* The same for one group, with its map counts. */
static int read_group(const struct pm_frame_files *files, uint8_t *frames, uint64_t frame,
		      uint64_t count, uint64_t *flags, uint64_t *mapcounts)
{
	int failed = read_words(files->flags_fd, frames, frame, count, flags);
	uint64_t any = 0;

	for (uint64_t i = 0; i < count; i++)
		any |= flags[i];
	if (!failed && any & (PM_BIT(PM_KPF_COMPOUND_HEAD) | PM_BIT(PM_KPF_COMPOUND_TAIL))) {
		int64_t got = pm_read(files->flags_fd, frame, count, flags);

		if (got < 0)
			return (int)got;
		mark_folios(frames, count, flags);
		for (uint64_t i = 0; i < count; i++)
			flags[i] = has_frame(frames, i) ? flags[i] : 0;
	}
	return failed ? failed : read_words(files->counts_fd, frames, frame, count, mapcounts);
}

int pm_take_frames(const struct pm_frame_files *files, uint8_t *frames, uint64_t group,
		   uint64_t count, uint64_t *flags, uint64_t *mapcounts)
{
	const uint64_t size = 1ULL << files->group_shift;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t frame = (group + i) << files->group_shift;
		int failed = read_group(files, frames + frame / 8, frame, size, flags + i * size,
					mapcounts + i * size);

		if (failed)
			return failed;
	}
	return 0;
}
