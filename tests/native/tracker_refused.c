/*
 * Write tracking where it cannot be: wrong input, each way in which the kernel can refuse, others'
 * userfaultfds, an end midway; and that no descriptor and no registration is left.
 */
#include "tracked.h"

enum { UFFD = 8 };

static void refused(struct pm_tracker_options options, int32_t error)
{
	struct pm_tracker *tracker = (void *)&options;

	lie.opened = lie.closed = 0;
	CHECK_EQUAL(pm_tracker_open(&process, &options, &tracker), error);
	CHECK(tracker == (void *)&options);
	CHECK_EQUAL(lie.opened, lie.closed);
}

static void wrong_input(void)
{
	struct pm_span two[2] = { { 4096, 8192 }, { 8192, 12288 } };
	const struct pm_tracker_options good = {
		.size = sizeof(good), .spans = two, .spans_count = 2, .userfaultfd = -1
	};
	struct pm_tracker_options bad;
	struct pm_tracker_cursor cursor = { { 0 } };
	struct pm_tracker *tracker;
	struct pm_region one;

	draw();
	CHECK_EQUAL(pm_tracker_open(NULL, &good, &tracker), -EINVAL);
	CHECK_EQUAL(pm_tracker_open(&process, NULL, &tracker), -EINVAL);
	CHECK_EQUAL(pm_tracker_open(&process, &good, NULL), -EINVAL);
	bad = good, bad.size--;
	refused(bad, -EINVAL);
	bad = good, bad.flags = 2;
	refused(bad, -EINVAL);
	bad = good, bad.reserved = 1;
	refused(bad, -EINVAL);
	bad = good, bad.spans = NULL;
	refused(bad, -EINVAL);
	bad = good, bad.spans_count = 0;
	refused(bad, -EINVAL);
	bad = good, bad.userfaultfd = -2;
	refused(bad, -EINVAL);
	two[1].start--;
	refused(good, -EINVAL);
	two[1].start = 4096; /* it overlaps */
	refused(good, -EINVAL);
	two[1].start = two[1].end;
	refused(good, -EINVAL);
	two[1].start = 8192;
	process.owner = 0; /* of another process none can be made */
	refused(good, -EINVAL);
	process.owner = 42;
	process.kernel_thread = 1;
	refused(good, -ENXIO);
	process.kernel_thread = 0;
	lie.pid = 43;
	refused(good, -ECHILD);
	lie.pid = 42;

	CHECK_EQUAL(pm_tracker_open(&process, &good, &tracker), 0);
	CHECK_EQUAL(pm_tracker_collect(NULL, &cursor, 0, &one, 1), -EINVAL);
	CHECK_EQUAL(pm_tracker_collect(tracker, NULL, 0, &one, 1), -EINVAL);
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 2, &one, 1), -EINVAL);
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, NULL, 1), -EINVAL);
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, &one, 0), -EINVAL);
	for (unsigned i = 0; i < 1000; i++) { /* a cursor that we never gave does no harm */
		for (uint64_t at = 0; at < 8; at++)
			cursor.state[at] = below(3) ? below(8) << 12 | below(3) : (uint64_t)rand();
		pm_tracker_collect(tracker, &cursor, 0, &one, 1);
	}
	/* in a child of fork it is of no use, and closing it leaves the tracking */
	memset(&cursor, 0, sizeof(cursor));
	lie.pid = 43;
	lie.closed = 0;
	lie.userfault = NULL;
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, &one, 1), -ECHILD);
	pm_tracker_close(tracker);
	CHECK_EQUAL(lie.closed, 1);
	CHECK_EQUAL(lie.unregistered, 0);
	pm_tracker_close(NULL);
}

static void kernel_refuses(void)
{
	static const struct {
		int userfaultfd, ioctl, scan;
		int32_t error;
	} ways[] = {
		{ ENOSYS, 0, 0, -ENOTTY }, { 0, EINVAL, 0, -ENOTTY }, { 0, 0, ENOTTY, -ENOTTY },
		{ EPERM, 0, 0, -EPERM },   { EMFILE, 0, 0, -EMFILE }, { 0, 0, ESRCH, -ESRCH },
	};
	struct pm_tracker *tracker;

	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		draw();
		lie.userfaultfd_error = ways[i].userfaultfd;
		lie.ioctl_error = ways[i].ioctl;
		lie.scan_error = ways[i].scan;
		CHECK_EQUAL(open_tracker(&tracker), ways[i].error);
		CHECK_EQUAL(lie.opened, lie.closed);
	}
	/* another userfaultfd has the last mapping: the first is let go */
	draw();
	spans[0] = (struct pm_span){ maps[0].start << 12, maps[maps_count - 1].end << 12 };
	maps[maps_count - 1].registered = 2;
	CHECK_EQUAL(open_tracker(&tracker), -EBUSY);
	for (uint64_t i = 0; i < maps_count; i++)
		CHECK(maps[i].registered != 1);
	CHECK_EQUAL(lie.opened, lie.closed);
}

/* Given by the caller: it may be agreed upon, but must track, and be of this process. */
static void adopted(void)
{
	struct pm_span span;
	struct pm_tracker_options options = {
		.size = sizeof(options), .spans = &span, .spans_count = 1, .userfaultfd = UFFD
	};
	struct pm_tracker *tracker;

	for (int agreed = 0; agreed < 2; agreed++) {
		draw();
		untouched = 0;
		process.owner = 0;
		span = (struct pm_span){ maps[0].start << 12, maps[0].end << 12 };
		lie.ioctl_error = agreed ? EINVAL : 0;
		CHECK_EQUAL(pm_tracker_open(&process, &options, &tracker), 0);
		CHECK_EQUAL(lie.closed, lie.opened);
		pm_tracker_close(tracker);
		CHECK_EQUAL(lie.closed, lie.opened + 1);
		lie.closed--;
		/* it registers something, but nothing is tracked by that */
		lie.userfault = NULL;
		CHECK_EQUAL(pm_tracker_open(&process, &options, &tracker), -EINVAL);
		lie.ioctl_error = ENOTTY; /* it is none */
		CHECK_EQUAL(pm_tracker_open(&process, &options, &tracker), -EINVAL);
		/* nor is this, which nothing could be tried by: nothing is mapped there */
		lie.ioctl_error = EINVAL;
		lie.another_file = 1;
		span = (struct pm_span){ PAGES << 12, (PAGES + 9) << 12 };
		CHECK_EQUAL(pm_tracker_open(&process, &options, &tracker), -EINVAL);
		CHECK_EQUAL(lie.closed, lie.opened);
	}
}

/* What was found before an error is given first, since no other round has it. */
static void dies_midway(void)
{
	struct pm_tracker_cursor cursor = { { 0 } };
	struct pm_region out[4];
	struct pm_tracker *tracker;

	draw();
	maps_count = 2;
	maps[0] = (struct mapping){ 201, 209, 3, 0, 0 };
	maps[1] = (struct mapping){ 209, 220, 3 | 8, 7, 0 };
	spans[0] = (struct pm_span){ 201 << 12, 220 << 12 };
	untouched = 0;
	CHECK_EQUAL(open_tracker(&tracker), 0);
	is[203] = is[215] = PRESENT;
	say(203, 0);
	say(215, 0);
	lie.bounce = lie.short_by = 0;
	lie.scan_error = ESRCH;
	lie.scan_error_from = lie.scans + 3; /* in the second mapping */
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, out, 4), 1);
	CHECK_EQUAL(out[0].start, 203 << 12);
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, out, 4), -ESRCH);
	lie.scan_error = 0;
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, out, 4), 1);
	CHECK_EQUAL(out[0].start, 215 << 12);
	/* the end of the round says that exec replaced the program */
	process.image[0]++;
	CHECK_EQUAL(pm_tracker_collect(tracker, &cursor, 0, out, 4), -ESTALE);
	lie.scan_error = ESRCH;
	pm_tracker_close(tracker);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = 0; round < 20; round++) {
		wrong_input();
		kernel_refuses();
		adopted();
		dies_midway();
	}
	return 0;
}
