/*
 * A sample of a whole process: against a naive count, in parts that add up to the whole,
 * given up midway, of a target that dies; and maps, of whatever bytes they are.
 */
#include "scene.h"
#include "kernel/entry_kinds.cdef.h"
#include "analyses/sample.cdef.h"
#include "analyses/sample_files.h"

enum { PAGES = 5000, FD = 3 };

static const uint8_t kinds[PM_TYPES_OF_SWAP] = { [0] = PM_ENTRY_SWAP };

static struct pm_sample_job plan(uint32_t wanted, uint32_t use_scan)
{
	struct pm_sample_job job = {
		.tally = { .source = { .fd = FD, .page_shift = 12, .use_scan = use_scan },
			   .kinds = kinds,
			   .mapcounts = -1,
			   .flags = -1,
			   .end = PAGES },
		.folder = 5,
		.maps = "maps",
		.status = -1,
		.rollup = -1,
	};

	pm_sample_plan(&job, wanted);
	return job;
}

static uint64_t naive_present(void)
{
	uint64_t sum = 0;

	for (uint64_t vpn = 0; vpn < PAGES; vpn++)
		sum += scene_entry(vpn) >> PM_PRESENT_BIT;
	return sum << 12;
}

static int64_t take(const struct pm_sample_job *job, struct pm_sample_part part,
		    struct pm_sample *out)
{
	uint64_t *scratch = exactly(PM_SAMPLE_SCRATCH * 8);
	int64_t got = pm_sample_take(job, &part, scratch, out);

	free(scratch);
	return got;
}

/* Whichever amounts are asked for together, each is what it is alone; in parts too. */
static void amounts(void)
{
	static const struct pm_sample_part all = { 0 };

	for (unsigned round = round_from(); round < round_to(64); round++) {
		const uint32_t wanted = (uint32_t)rand() & ((1 << PM_SAMPLE_AMOUNTS) - 1);
		struct pm_sample_part part = { .max_pages = 1 + (uint64_t)rand() % 900 };
		uint64_t sums[PM_SAMPLE_AMOUNTS] = { 0 };
		struct pm_sample whole, piece, each;
		struct pm_sample_job job;

		draw_scene(PAGES, 40, 3);
		lie.scan = 1;
		job = plan(wanted, 1);
		CHECK_EQUAL(job.wanted, wanted);
		CHECK_EQUAL(take(&job, all, &whole), 0);
		CHECK_EQUAL(whole.known, wanted);
		CHECK(!whole.partial && !whole.resume);
		for (int amount = 0; amount < PM_SAMPLE_AMOUNTS; amount++) {
			if (!(wanted >> amount & 1)) {
				CHECK_EQUAL(whole.amounts[amount], 0);
				continue;
			}
			job = plan(1u << amount, 1);
			CHECK_EQUAL(take(&job, all, &each), 0);
			CHECK_EQUAL(each.amounts[amount], whole.amounts[amount]);
		}
		if (wanted >> PM_SAMPLE_PRESENT & 1)
			CHECK_EQUAL(whole.amounts[PM_SAMPLE_PRESENT], naive_present());
		job = plan(wanted, 1);
		do {
			CHECK_EQUAL(take(&job, part, &piece), 0);
			CHECK(!piece.resume || piece.resume > part.first);
			for (int amount = 0; amount < PM_SAMPLE_AMOUNTS; amount++)
				sums[amount] += piece.amounts[amount];
			part.first = piece.resume;
		} while (piece.resume);
		for (int amount = 0; amount < PM_SAMPLE_AMOUNTS; amount++)
			CHECK_EQUAL(sums[amount], whole.amounts[amount]);
	}
}

/* Without a scan, mappings alone are counted, and what nothing tells is not known. */
static void of_maps(void)
{
	static const char text[] = "00000000-00010000 rw-p 00000000 00:00 0 \n"
				   "00010000-00400000 r-xp 00001000 fe:01 77    /a b\n";
	const struct pm_sample_job job = plan(~0u, 0);
	struct pm_sample sample;

	draw_scene(PAGES, 40, 3);
	lie.bytes = (const uint8_t *)text;
	lie.bytes_size = strlen(text);
	lie.entry_fd = LIE_BYTES;
	CHECK_EQUAL(take(&job, (struct pm_sample_part){ 0 }, &sample), 0);
	CHECK_EQUAL(sample.known, 1 << PM_SAMPLE_SWAP | 1 << PM_SAMPLE_USS |
					  1 << PM_SAMPLE_PRESENT | 1 << PM_SAMPLE_HUGETLB);
	CHECK(sample.amounts[PM_SAMPLE_PRESENT] <= naive_present());
	CHECK_EQUAL(lie.opened, lie.closed);
	lie.bytes_size--; /* it ends amid a line, which is one all the same */
	CHECK_EQUAL(take(&job, (struct pm_sample_part){ 0 }, &sample), 0);
	lie.open_error = ENOENT;
	CHECK_EQUAL(take(&job, (struct pm_sample_part){ 0 }, &sample), -ESRCH);
}

static void ends(void)
{
	struct pm_sample_job job = plan(1 << PM_SAMPLE_PRESENT, 1);
	const uint32_t stop = 1;
	struct pm_sample sample;

	draw_scene(PAGES, 40, 3);
	lie.scan = 1;
	lie.dies_after = 1;
	CHECK_EQUAL(take(&job, (struct pm_sample_part){ 0 }, &sample), -ESRCH);
	draw_scene(PAGES, 40, 3);
	lie.scan_error = EIO;
	CHECK_EQUAL(take(&job, (struct pm_sample_part){ 0 }, &sample), -EIO);
	draw_scene(PAGES, 40, 3);
	lie.scan = 1;
	job.stop = &stop;
	CHECK_EQUAL(take(&job, (struct pm_sample_part){ 0 }, &sample), -ECANCELED);
}

/* Whatever the bytes of maps are: mappings in order, an error, or the end. */
static void any_bytes(void)
{
	static const char parts[][32] = { "1000-3000",	" rw-p ",     "00000000 ", "fe:01 ",
					  "77",		"\n",	      " ",	   "-",
					  ":",		"7fff-8000 ", "zz",	   "\t",
					  "1000-3000 ", "0",	      "",	   "/x" };

	for (unsigned round = round_from(); round < round_to(3000); round++) {
		char *text = exactly(PM_SAMPLE_TEXT), *bytes = exactly(4096);
		struct pm_sample_maps maps = { .fd = LIE_BYTES, .page_shift = 12, .text = text };
		struct pm_sample_mapping mapping;
		uint64_t end = 0;
		size_t size = 0;
		int64_t got;

		for (int i = rand() % 60; i; i--) {
			const char *part = parts[rand() % 16];

			memcpy(bytes + size, part, strlen(part));
			size += strlen(part);
		}
		lie = (struct lie){ .bytes = (const uint8_t *)bytes,
				    .bytes_size = size,
				    .most = 1 + (size_t)rand() % 64 };
		while ((got = pm_sample_maps_next(&maps, &mapping)) > 0) {
			CHECK(mapping.start >= end && mapping.end > mapping.start);
			end = mapping.end;
		}
		CHECK(got == 0 || got == -EINVAL);
		free(text);
		free(bytes);
	}
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	amounts();
	of_maps();
	ends();
	any_bytes();
	return 0;
}
