/*
 * The functions of the public header with what a careless program gives them, on a kernel that
 * lies: each says so, and touches no memory but what it was given.
 */
#include "check.h"
#include "include/pagemap.h"
#include "library/process.cdef.h"

enum { PAGE = 4096, FILES = 7 };

/* An open process, whose files the lying kernel has. */
static struct pm_process an_open_one(void)
{
	return (struct pm_process){
		.pid = 1234,
		.folder = FILES,
		.pagemap = FILES,
		.maps = LIE_BYTES,
		.page_shift = 12,
	};
}

static void nothing_at_all(void)
{
	struct pm_process process = an_open_one();
	struct pm_span span = { 0, PAGE };
	struct pm_region region;
	struct pm_process *opened;
	struct pm_frames *frames;
	struct pm_maps_cursor cursor = { { 0 } };
	uint64_t word = 0, stored = 0, next = 0;
	char *buffer = exactly(PM_MAPS_BUFFER);
	struct pm_mapping mapping = { .size = sizeof(mapping) };

	tell_truth(1000);
	CHECK_EQUAL(pm_process_open(0, NULL, &opened), -EINVAL);
	CHECK_EQUAL(pm_process_open(-1, NULL, &opened), -EINVAL);
	CHECK_EQUAL(pm_process_open(INT32_MIN, NULL, &opened), -EINVAL);
	CHECK_EQUAL(pm_process_open(1, NULL, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_check(NULL), -EINVAL);
	CHECK_EQUAL(pm_process_fileno(NULL), -EINVAL);
	CHECK_EQUAL(pm_process_pid(NULL), -EINVAL);
	CHECK_EQUAL(pm_process_capabilities(NULL, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_capabilities(&process, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_entries(NULL, 0, 1, &word), -EINVAL);
	CHECK_EQUAL(pm_process_entries(&process, 0, 1, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_entries(&process, 1, 1, &word), -EINVAL);
	CHECK_EQUAL(pm_process_entries(&process, 0, UINT64_MAX, &word), -EINVAL);
	CHECK_EQUAL(pm_process_entries(&process, 0, 0, NULL), 0);
	CHECK_EQUAL(pm_process_entries_of(NULL, &span, 1, &word, 1, &stored), -EINVAL);
	CHECK_EQUAL(pm_process_entries_of(&process, NULL, 1, &word, 1, &stored), -EINVAL);
	CHECK_EQUAL(pm_process_entries_of(&process, &span, 1, NULL, 1, &stored), -EINVAL);
	CHECK_EQUAL(pm_process_entries_of(&process, &span, 1, &word, 1, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_entries_of(&process, &span, 1, &word, 0, &stored), -ENOSPC);
	CHECK_EQUAL(pm_process_translate(NULL, 0, &word), -EINVAL);
	CHECK_EQUAL(pm_process_translate(&process, 0, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_populated(NULL, &next, PAGE, &word, 1, &span, 1, &stored), -EINVAL);
	CHECK_EQUAL(pm_process_populated(&process, NULL, PAGE, &word, 1, &span, 1, &stored),
		    -EINVAL);
	CHECK_EQUAL(pm_process_populated(&process, &next, PAGE, NULL, 1, &span, 1, &stored),
		    -EINVAL);
	CHECK_EQUAL(pm_process_populated(&process, &next, PAGE, &word, 1, NULL, 1, &stored),
		    -EINVAL);
	CHECK_EQUAL(pm_process_populated(&process, &next, PAGE, &word, 1, &span, 1, NULL), -EINVAL);
	CHECK_EQUAL(pm_process_populated(&process, &next, PAGE, &word, 0, &span, 1, &stored),
		    -EINVAL);
	CHECK_EQUAL(pm_process_regions(&process, NULL, 0, PAGE, &region, 1, &next), -EINVAL);
	CHECK_EQUAL(pm_process_tally(&process, 0, PAGE, 1, NULL, &word, NULL), -EINVAL);
	CHECK_EQUAL(pm_maps_next(NULL, &cursor, buffer, PM_MAPS_BUFFER, &mapping), -EINVAL);
	CHECK_EQUAL(pm_maps_next(&process, NULL, buffer, PM_MAPS_BUFFER, &mapping), -EINVAL);
	CHECK_EQUAL(pm_maps_next(&process, &cursor, NULL, PM_MAPS_BUFFER, &mapping), -EINVAL);
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER - 1, &mapping), -EINVAL);
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, NULL), -EINVAL);
	CHECK_EQUAL(pm_frames_open(NULL, 0, &frames), -EINVAL);
	CHECK_EQUAL(pm_frames_open(NULL, 1 << 3, &frames), -EINVAL);
	CHECK_EQUAL(pm_frames_open(NULL, 1, NULL), -EINVAL);
	CHECK_EQUAL(pm_frames_words(NULL, 1, &word, 1, &word, 1, &word), -EINVAL);
	CHECK(pm_strerror(INT32_MIN) && pm_strerror(-EINVAL) && pm_strerror(4711));
	pm_process_close(NULL);
	pm_frames_close(NULL);
	free(buffer);
}

/* Structs of an older program, of a newer one, and of none. */
static void sizes(void)
{
	struct pm_process process = an_open_one();
	struct pm_region_query query = { .size = sizeof(query), .all_of = PM_IS_PRESENT };
	unsigned char *larger = exactly(sizeof(query) + 16);
	uint64_t *scratch = exactly(PM_SCRATCH * sizeof(*scratch));
	struct pm_amounts amounts = { .size = sizeof(amounts) };
	struct pm_limits limits = { .size = sizeof(limits) };
	struct pm_region *region = exactly(sizeof(*region));
	uint64_t next;

	tell_truth(1000);
	lie.scan = 1;
	for (uint32_t size = 0; size < sizeof(query); size++) {
		query.size = size;
		CHECK_EQUAL(pm_process_regions(&process, &query, 0, PAGE, region, 1, &next),
			    -EINVAL);
		limits.size = size < sizeof(limits) ? size : 0;
		CHECK_EQUAL(pm_process_tally(&process, 0, PAGE, 1, &limits, scratch, &amounts),
			    -EINVAL);
	}
	query.size = sizeof(query);
	CHECK(pm_process_regions(&process, &query, 0, PAGE, region, 1, &next) >= 0);

	/* what a newer program has more must be zero */
	memcpy(larger, &query, sizeof(query));
	memset(larger + sizeof(query), 0, 16);
	next = sizeof(query) + 16;
	memcpy(larger, &(uint32_t){ sizeof(query) + 16 }, sizeof(uint32_t));
	CHECK(pm_process_regions(&process, (void *)larger, 0, PAGE, region, 1, &next) >= 0);
	larger[sizeof(query) + 15] = 1;
	CHECK_EQUAL(pm_process_regions(&process, (void *)larger, 0, PAGE, region, 1, &next),
		    -EINVAL);
	query.size = UINT32_MAX; /* no such program */
	CHECK_EQUAL(pm_process_regions(&process, &query, 0, PAGE, region, 1, &next), -EINVAL);

	query.size = sizeof(query);
	query.flags = 1;
	CHECK_EQUAL(pm_process_regions(&process, &query, 0, PAGE, region, 1, &next), -EINVAL);
	query.flags = 0;
	CHECK_EQUAL(pm_process_regions(&process, &query, 1, PAGE, region, 1, &next), -EINVAL);
	CHECK_EQUAL(pm_process_regions(&process, &query, PAGE, 0, region, 1, &next), -EINVAL);
	CHECK_EQUAL(pm_process_regions(&process, &query, 0, PAGE, region, 0, &next), -EINVAL);
	CHECK_EQUAL(pm_process_tally(&process, 0, PAGE, 1 << 9, NULL, scratch, &amounts), -EINVAL);
	CHECK_EQUAL(pm_process_tally(&process, 0, PAGE, 1, NULL, NULL, &amounts), -EINVAL);
	CHECK_EQUAL(pm_process_tally(&process, PAGE, 0, 1, NULL, scratch, &amounts), -EINVAL);
	free(larger);
	free(scratch);
	free(region);
}

/* A newer program's struct is given back with zeros where we know nothing. */
static void larger_results(void)
{
	struct pm_process process = an_open_one();
	const uint32_t size = sizeof(struct pm_amounts) + 24;
	unsigned char *larger = exactly(size);
	uint64_t *scratch = exactly(PM_SCRATCH * sizeof(*scratch));
	struct pm_amounts known;

	tell_truth(1000);
	lie.own_entry = PM_PAGE_PRESENT;
	lie.scan = 1;
	process.can = PM_CAN_SCAN;
	memcpy(larger, &size, sizeof(size));
	CHECK_EQUAL(pm_process_tally(&process, 0, 10 * PAGE, PM_AMOUNT_PRESENT, NULL, scratch,
				     (void *)larger),
		    0);
	memcpy(&known, larger, sizeof(known));
	CHECK_EQUAL(known.size, size);
	CHECK_EQUAL(known.present, 10 * PAGE);
	CHECK_EQUAL(known.known, PM_AMOUNT_PRESENT);
	for (uint32_t i = sizeof(known); i < size; i++)
		CHECK_EQUAL(larger[i], 0);
	free(larger);
	free(scratch);
}

/* More spans than are ranges at a time, and a kernel that gives little, late, or not at all. */
static void many_spans(void)
{
	enum { COUNT = 150 };
	struct pm_process process = an_open_one();
	struct pm_span *spans = exactly(COUNT * sizeof(*spans));
	uint64_t *stored = exactly(COUNT * sizeof(*stored));
	uint64_t *out = exactly(2 * COUNT * sizeof(*out));

	for (uint64_t i = 0; i < COUNT; i++)
		spans[i] = (struct pm_span){ (7 + 3 * i) * PAGE, (9 + 3 * i) * PAGE };
	tell_truth(1 << 20);
	lie.most = 8;
	lie.interrupt = 2;
	CHECK_EQUAL(pm_process_entries_of(&process, spans, COUNT, out, 2 * COUNT, stored),
		    2 * COUNT);
	for (uint64_t i = 0; i < COUNT; i++) {
		CHECK_EQUAL(stored[i], 2);
		check_entries(out + 2 * i, 7 + 3 * i, 2);
	}
	lie.reads = 0;
	CHECK_EQUAL(pm_process_entries_of(&process, spans, COUNT, out, 2 * COUNT - 1, stored),
		    -ENOSPC);
	spans[COUNT - 1].end++;
	CHECK_EQUAL(pm_process_entries_of(&process, spans, COUNT, out, 2 * COUNT, stored), -EINVAL);
	CHECK_EQUAL(lie.reads, 0);
	spans[COUNT - 1].end--;
	lie.error = EIO;
	lie.error_at = 7 + 3 * 100;
	CHECK_EQUAL(pm_process_entries_of(&process, spans, COUNT, out, 2 * COUNT, stored), -EIO);
	free(spans);
	free(stored);
	free(out);
}

static void text_of_maps(void)
{
	static const char TEXT[] =
		"1000-3000 r-xp 00001000 fe:01 77                   /bin/a b\n"
		"2000-4000 r-xp 00002000 fe:01 77                   /bin/a b\n"
		"4000-5000 rw-s 00000000 00:00 0 \n"
		"5000-6000 rw-p 00000000 00:00 0                    [heap]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
	struct pm_process process = an_open_one();
	struct pm_maps_cursor cursor = { { 0 } };
	struct pm_mapping found = { .size = sizeof(found) };
	char *buffer = exactly(PM_MAPS_BUFFER);

	tell_truth(1000);
	lie.ioctl_error = ENOTTY;
	lie.bytes = (const uint8_t *)TEXT;
	lie.bytes_size = sizeof(TEXT) - 1;
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found), 1);
	CHECK(found.start == 0x1000 && found.end == 0x3000 && found.offset == 0x1000);
	CHECK(found.inode == 77 && found.dev_major == 0xfe && found.dev_minor == 1);
	CHECK(!strcmp(found.path, "/bin/a b") && found.path_size == 8);
	CHECK_EQUAL(found.flags, PM_MAPPING_READ | PM_MAPPING_EXEC);
	CHECK_EQUAL(found.kind, PM_MAPPING_FILE);
	/* another buffer has not what was read */
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer + 1, PM_MAPS_BUFFER, &found), -EINVAL);
	/* listed again because it grew: the new part alone */
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found), 1);
	CHECK(found.start == 0x3000 && found.end == 0x4000 && found.offset == 0x3000);
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found), 1);
	CHECK(found.kind == PM_MAPPING_ANONYMOUS && !*found.path && !found.path_size);
	CHECK_EQUAL(found.flags, PM_MAPPING_READ | PM_MAPPING_WRITE | PM_MAPPING_SHARED);
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found), 1);
	CHECK_EQUAL(found.kind, PM_MAPPING_HEAP);
	CHECK(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found) <= 0);

	/* never a line: that ends, too */
	cursor = (struct pm_maps_cursor){ { 0 } };
	lie.bytes = (const uint8_t *)"no line of maps\n";
	lie.bytes_size = 16;
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found), -EAGAIN);
	/* a state that is none */
	memset(&cursor, 0xee, sizeof(cursor));
	CHECK_EQUAL(pm_maps_next(&process, &cursor, buffer, PM_MAPS_BUFFER, &found), -EINVAL);
	free(buffer);
}

static uint64_t pfn_and_file(int fd, uint64_t pfn)
{
	return pfn * 10 + (uint64_t)fd % 10;
}

static void frames(void)
{
	enum { COUNT = 9, SCRATCH = PM_SCRATCH + 4 };
	static const uint64_t PFNS[COUNT] = { 5, 3, 3, 900, UINT64_MAX, 4, 77, 1 << 20, 6 };
	struct pm_frames *opened;
	uint64_t *scratch = exactly(SCRATCH * sizeof(*scratch)), *out = exactly(COUNT * 8);

	tell_truth(1000);
	lie.open_error = EACCES;
	CHECK_EQUAL(pm_frames_open("/proc", 1, &opened), -EACCES);
	lie.open_error = ENOENT;
	CHECK_EQUAL(pm_frames_open("/nowhere", 1, &opened), -EINVAL);
	lie.open_error = 0;
	lie.frames_end = 1000;
	lie.word = pfn_and_file;
	CHECK_EQUAL(pm_frames_open(NULL, PM_FRAMES_COUNTS, &opened), 0);
	CHECK_EQUAL(pm_frames_words(opened, PM_FRAMES_FLAGS, PFNS, COUNT, scratch, SCRATCH, out),
		    -EBADF);
	CHECK_EQUAL(
		pm_frames_words(opened, PM_FRAMES_COUNTS, PFNS, COUNT, scratch, SCRATCH - 1, out),
		-EINVAL);
	CHECK_EQUAL(pm_frames_words(opened, 3, PFNS, COUNT, scratch, SCRATCH, out), -EINVAL);
	/* there is scratch for one at a time; descriptors below LIE_FRAMES have entries */
	CHECK_EQUAL(pm_frames_words(opened, PM_FRAMES_COUNTS, PFNS, COUNT, scratch, SCRATCH, out),
		    COUNT - 2);
	for (unsigned i = 0; i < COUNT; i++)
		CHECK(out[i] == (PFNS[i] < 1000 ? lie_entry(PFNS[i]) : PM_FRAMES_NO_WORD));
	pm_frames_close(opened);
	free(scratch);
	free(out);
}

int main(void)
{
	nothing_at_all();
	sizes();
	larger_results();
	many_spans();
	text_of_maps();
	frames();
	return 0;
}
