/*
 * What is cached of files: by whom it is told, that nothing is told which is not known,
 * and that every descriptor is closed again.
 */
#define _GNU_SOURCE /* O_NOATIME */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "analyses/cache.cdef.h"

enum { PAGES = 10000, SHIFT = 12 };

static const int64_t OVERLAY = 0x794c7630, HUGETLBFS = 0x958458f6, EXT4 = 0xef53;
static unsigned char cached[PAGES + (8 << 18)];
static int64_t truth;

static void file_of(int64_t fs_type)
{
	tell_truth(1 << 20);
	lie.mode = S_IFREG;
	lie.file_pages = PAGES;
	lie.file_size = ((int64_t)PAGES << SHIFT) - 100;
	lie.fs_type = fs_type;
	lie.cached = cached;
	lie.evicted = 5;
}

static struct pm_cache_file asked(int32_t owned)
{
	struct pm_cache_file out;
	int64_t known;

	memset(&out, 0xff, sizeof(out));
	known = pm_cache_of(3, SHIFT, owned, NULL, &out);

	CHECK_EQUAL(known, out.told != PM_CACHE_UNTOLD);
	return out;
}

static void check_untold(struct pm_cache_file out, int error)
{
	CHECK_EQUAL(out.told, PM_CACHE_UNTOLD);
	CHECK_EQUAL(out.error, error);
}

static void test_who_tells(void)
{
	static const int lacking[] = { ENOSYS, EPERM, EOPNOTSUPP };
	struct pm_cache_file out;

	file_of(EXT4);
	out = asked(0);
	CHECK_EQUAL(out.told, PM_CACHE_CACHESTAT);
	CHECK_EQUAL(out.cached, truth << SHIFT);
	CHECK_EQUAL(out.dirty, 6 << SHIFT);
	CHECK_EQUAL(out.writeback, 7 << SHIFT);
	CHECK_EQUAL(out.evicted, 5 << SHIFT);
	CHECK_EQUAL(out.recently_evicted, 8 << SHIFT);
	CHECK_EQUAL(out.size, lie.file_size);
	CHECK_EQUAL(out.device, 41);
	CHECK_EQUAL(out.inode, 42);
	CHECK_EQUAL(out.links, 43);
	CHECK_EQUAL((int64_t)(out.share * PAGES + 0.5), truth);
	CHECK_EQUAL(lie.mapped, 0);

	for (size_t i = 0; i < sizeof(lacking) / sizeof(*lacking); i++) {
		file_of(EXT4);
		lie.cachestat_error = lacking[i];
		out = asked(1);
		CHECK_EQUAL(out.told, PM_CACHE_MINCORE);
		CHECK_EQUAL(out.cached, truth << SHIFT);
		CHECK_EQUAL(out.dirty, 0);
		CHECK_EQUAL(lie.mapped, lie.unmapped);
		/* to others mincore says that all is cached */
		check_untold(asked(0), EPERM);
	}
	file_of(OVERLAY);
	lie.cachestat_error = EIO; /* it is not asked */
	out = asked(1);
	CHECK_EQUAL(out.told, PM_CACHE_MINCORE);
	CHECK_EQUAL(out.cached, truth << SHIFT);
	check_untold(asked(0), EPERM);
}

static void test_errors(void)
{
	file_of(EXT4);
	lie.cachestat_error = EIO;
	check_untold(asked(1), EIO);
	file_of(HUGETLBFS);
	check_untold(asked(1), EOPNOTSUPP);
	file_of(EXT4);
	lie.fs_error = EACCES;
	check_untold(asked(1), EACCES);
	file_of(EXT4);
	lie.stat_error = EIO;
	check_untold(asked(1), EIO);
	file_of(OVERLAY);
	lie.mincore_error = EAGAIN;
	check_untold(asked(1), EAGAIN);
	CHECK_EQUAL(lie.mapped, lie.unmapped);
	file_of(OVERLAY);
	lie.map_error = ENOMEM;
	check_untold(asked(1), ENOMEM);
	file_of(EXT4);
	lie.mode = S_IFIFO;
	check_untold(asked(1), 0);
	file_of(EXT4);
	lie.mode = S_IFBLK;
	CHECK_EQUAL(asked(1).told, PM_CACHE_CACHESTAT);
	lie.file_size = -1;
	check_untold(asked(1), ESPIPE);
}

static void test_entries_of_a_folder(void)
{
	static const char names[] = "a\0\0some name\0c"; /* one of them is empty */
	enum { COUNT = 4 };
	struct pm_cache_file *out = exactly(COUNT * sizeof(*out));

	file_of(EXT4);
	CHECK_EQUAL(pm_cache_below(3, names, COUNT, SHIFT, NULL, out), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		CHECK_EQUAL(out[i].cached, truth << SHIFT);
	CHECK_EQUAL(lie.opened, COUNT);
	CHECK_EQUAL(lie.closed, COUNT);
	CHECK((lie.last_open_flags & O_NOFOLLOW) && (lie.last_open_flags & O_NONBLOCK));
	CHECK(lie.last_open_flags & O_NOATIME);

	file_of(OVERLAY); /* somebody else's: opened, and not believed */
	lie.noatime_error = EPERM;
	CHECK_EQUAL(pm_cache_below(3, names, COUNT, SHIFT, NULL, out), 0);
	check_untold(out[0], EPERM);
	CHECK_EQUAL(lie.opened, COUNT);
	CHECK_EQUAL(lie.closed, COUNT);

	file_of(EXT4);
	lie.open_error = EACCES;
	CHECK_EQUAL(pm_cache_below(3, names, COUNT, SHIFT, NULL, out), 0);
	check_untold(out[COUNT - 1], EACCES);
	lie.open_error = ELOOP;
	CHECK_EQUAL(pm_cache_below(3, names, 1, SHIFT, NULL, out), 0);
	check_untold(out[0], 0);
	file_of(EXT4);
	lie.mode = S_IFBLK; /* which nobody has named */
	CHECK_EQUAL(pm_cache_below(3, names, 1, SHIFT, NULL, out), 0);
	check_untold(out[0], 0);
	CHECK_EQUAL(lie.opened, lie.closed);
	free(out);
}

/* How much of each part of a file is cached, against a count of its pages. */
static void check_parts(int64_t pages, int32_t told)
{
	uint8_t *parts = exactly(PM_CACHE_PARTS);
	const int64_t count = pages < PM_CACHE_PARTS ? pages : PM_CACHE_PARTS;
	struct pm_cache_file out;
	int64_t at = 0;

	lie.file_pages = (uint64_t)pages;
	lie.file_size = pages << SHIFT;
	CHECK_EQUAL(pm_cache_of(3, SHIFT, 1, parts, &out), 1);
	CHECK_EQUAL(out.told, told);
	for (int64_t part = 0; part < count; part++) {
		const int64_t first = at, end = pages * (part + 1) / count;
		int64_t found = 0, percent;

		for (; at < end; at++)
			found += cached[at] & 1;
		percent = found * 100 / (end - first);
		if (found && !percent)
			percent = 1;
		CHECK_EQUAL(parts[part], percent);
	}
	CHECK_EQUAL(at, pages);
	for (int64_t part = count; part < PM_CACHE_PARTS; part++)
		CHECK_EQUAL(parts[part], PM_CACHE_NO_PART);
	free(parts);
}

static void test_parts(void)
{
	static const int64_t pages[] = { 0, 1, 2, 31, 32, 33, 100, 5000, PAGES };
	static const char names[] = "a\0b";
	uint8_t *parts = exactly(2 * PM_CACHE_PARTS);
	struct pm_cache_file out[2];

	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		file_of(EXT4);
		check_parts(pages[i], PM_CACHE_CACHESTAT);
		file_of(OVERLAY);
		check_parts(pages[i], PM_CACHE_MINCORE);
		CHECK_EQUAL(lie.mapped, lie.unmapped);
	}
	file_of(EXT4);
	CHECK_EQUAL(pm_cache_below(3, names, 2, SHIFT, parts, out), 2);
	CHECK(!memcmp(parts, parts + PM_CACHE_PARTS, PM_CACHE_PARTS));
	CHECK(parts[0] > 0 && parts[0] < 100);
	file_of(EXT4);
	lie.open_error = EACCES;
	CHECK_EQUAL(pm_cache_below(3, names, 2, SHIFT, parts, out), 0);
	for (size_t i = 0; i < 2 * PM_CACHE_PARTS; i++)
		CHECK_EQUAL(parts[i], PM_CACHE_NO_PART);
	free(parts);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (size_t at = 0; at < PAGES; at++) {
		cached[at] = rand() % 3 > 0;
		truth += cached[at];
	}
	test_who_tells();
	test_errors();
	test_entries_of_a_folder();
	test_parts();
	return 0;
}
