/*
 * Words about frames: see pagemap.h.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "include/pagemap.h"
#include "kernel/kpage.cdef.h"
#include "kernel/read.cdef.h"
#include "kernel/sys.h"

enum {
	FILES = 3,
	WORDS_OF_WISHES = 2 * sizeof(struct pm_wish) /
		sizeof(uint64_t), /* of a PFN, sorted and spare */
};

_Static_assert(PM_SCRATCH - PM_READ_BLOCK >= 0, "what reads need");
_Static_assert(WORDS_OF_WISHES == 4, "as pm_frames_words says");

static const char *const NAMES[FILES] = { "kpageflags", "kpagecount", "kpagecgroup" };

struct pm_frames {
	int32_t files[FILES]; /* by the number of the bit; -1: not asked for */
};

static void close_files(const struct pm_frames *frames)
{
	for (unsigned i = 0; i < FILES; i++)
		if (frames->files[i] >= 0)
			pm_sys_close(frames->files[i]);
}

/* 0 or -errno; what was opened by then is in *frames. */
static int32_t open_files(int32_t proc, uint32_t what, struct pm_frames *frames)
{
	for (unsigned i = 0; i < FILES; i++)
		frames->files[i] = -1;
	for (unsigned i = 0; i < FILES; i++) {
		if (!(what >> i & 1))
			continue;
		frames->files[i] =
			pm_sys_open_entry(proc, NAMES[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (frames->files[i] < 0)
			return -errno;
	}
	return 0;
}

static int32_t open_frames(const char *procfs, uint32_t what, struct pm_frames **out)
{
	struct pm_frames frames, *made;
	int32_t proc, error;

	if (!out || !what || what >> FILES)
		return -EINVAL;
	proc = pm_sys_open(procfs ? procfs : "/proc", O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return errno == ENOENT || errno == ENOTDIR ? -EINVAL : -errno;
	error = open_files(proc, what, &frames);
	pm_sys_close(proc);
	made = error ? NULL : malloc(sizeof(*made));
	if (!made) {
		close_files(&frames);
		return error ? error : -ENOMEM;
	}
	*made = frames;
	*out = made;
	return 0;
}

int32_t pm_frames_open(const char *procfs, uint32_t what, struct pm_frames **out)
{
	const int before = errno;
	const int32_t error = open_frames(procfs, what, out);

	errno = before;
	return error;
}

/* The words of `count` PFNs, for which there is scratch: how many there are, or -errno. */
static int64_t read_some(int32_t fd, const uint64_t *pfns, uint64_t count, uint64_t *scratch,
			 uint64_t *out)
{
	struct pm_wish *const sorted = (struct pm_wish *)(scratch + PM_SCRATCH);
	const int64_t wishes = pm_kpage_sort(pfns, count, sorted, sorted + count, out);

	if (wishes < 0)
		return wishes;
	return pm_kpage_gather(fd, sorted, (uint64_t)wishes, scratch, out);
}

static int64_t read_words(int32_t fd, const uint64_t *pfns, uint64_t count, uint64_t *scratch,
			  uint64_t scratch_words, uint64_t *out)
{
	const uint64_t most = (scratch_words - PM_SCRATCH) / WORDS_OF_WISHES;
	int64_t total = 0;

	for (uint64_t i = 0; i < count; i += most) {
		const uint64_t some = count - i < most ? count - i : most;
		const int64_t got = read_some(fd, pfns + i, some, scratch, out + i);

		if (got < 0)
			return got;
		total += got;
	}
	return total;
}

int64_t pm_frames_words(const struct pm_frames *frames, uint32_t what, const uint64_t *pfns,
			uint64_t count, uint64_t *scratch, uint64_t scratch_words, uint64_t *out)
{
	const int before = errno;
	unsigned file = 0;
	int64_t got;

	while (file < FILES && what != 1U << file)
		file++;
	if (!frames || file == FILES || (count && (!pfns || !out)) || !scratch ||
	    scratch_words < PM_SCRATCH + WORDS_OF_WISHES)
		return -EINVAL;
	if (frames->files[file] < 0)
		return -EBADF;
	got = read_words(frames->files[file], pfns, count, scratch, scratch_words, out);
	if (got >= 0 && what == PM_FRAMES_FLAGS)
		pm_kpage_known(out, count);
	errno = before;
	return got;
}

void pm_frames_close(struct pm_frames *frames)
{
	const int before = errno;

	if (!frames)
		return;
	close_files(frames);
	free(frames);
	errno = before;
}
