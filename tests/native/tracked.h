/*
 * A small address space for the tests of write tracking: what its mappings are, whose userfaultfd
 * has them, what each page is, and what the kernel says of that and does to it.
 */
#ifndef TRACKED_H
#define TRACKED_H

#include "scene.h"
#include "include/pagemap.h"
#include "kernel/task.h"
#include "kernel/uapi.h"
#include "library/process.cdef.h"

/* Mappings begin at page FIRST: what lies below is read as auxv. */
enum { MOST = 8, FIRST = 200, PAGES = 600, PRESENT = 1, SWAPPED = 2, MARK = 3, ZERO = 4 };

/* Mappings, and whose userfaultfd has them: 0 nobody's, 1 ours, 2 another's that tracks. */
static struct mapping {
	uint64_t start, end; /* pages */
	uint64_t flags, inode;
	int registered;
} maps[MOST];
static uint64_t maps_count;

/* What a page is, and what the kernel tells of its tracking. */
static unsigned char is[SCENE], tracked[SCENE];
static struct pm_process process;
static struct pm_span spans[3];
static uint64_t spans_count;
static int untouched, holes_are_written;

static inline struct mapping *mapping_of(uint64_t vpn)
{
	for (uint64_t i = 0; i < maps_count; i++)
		if (maps[i].start <= vpn && vpn < maps[i].end)
			return &maps[i];
	return NULL;
}

static inline int shared(const struct mapping *mapping)
{
	return !!(mapping->flags & 8);
}

static inline int in_spans(uint64_t vpn)
{
	for (uint64_t i = 0; i < spans_count; i++)
		if (spans[i].start >> 12 <= vpn && vpn < spans[i].end >> 12)
			return 1;
	return 0;
}

static inline uint64_t entry_of(uint64_t vpn)
{
	if (vpn >= SCENE)
		return 0;
	if (is[vpn] == ZERO)
		return SCENE_PRESENT | SCENE_ZERO | 1;
	return is[vpn] == PRESENT ? SCENE_PRESENT | (vpn + 1) : is[vpn] ? SCENE_SWAPPED | 5 : 0;
}

/* Have WPALLOWED and WRITTEN say what a scan says of a page. */
static inline void say(uint64_t vpn, int protected)
{
	const struct mapping *mapping = mapping_of(vpn);
	const int registered = mapping && mapping->registered;
	const int written = is[vpn] ? !protected : holes_are_written && registered;

	tracked[vpn] = (unsigned char)(registered | 2 * (written || (is[vpn] && !registered)));
}

static inline int is_protected(uint64_t vpn)
{
	return is[vpn] && tracked[vpn] == 1;
}

/* A scan leaves a mark of what is not there. */
static inline void mark(uint64_t vpn)
{
	is[vpn] = is[vpn] ? is[vpn] : MARK;
	say(vpn, 1);
}

static inline int query(struct pm_uapi_procmap_query *asked)
{
	CHECK_EQUAL(asked->size, sizeof(*asked));
	for (uint64_t i = 0; i < maps_count; i++) {
		if (maps[i].end << 12 <= asked->address)
			continue;
		if (maps[i].start << 12 > asked->address && !(asked->query_flags & 16))
			break;
		asked->start = maps[i].start << 12;
		asked->end = maps[i].end << 12;
		asked->vma_flags = maps[i].flags;
		asked->inode = maps[i].inode;
		asked->page_size = 4096;
		return 0;
	}
	return ENOENT;
}

/* What is registered is a mapping of its own. */
static inline struct mapping *split(uint64_t start, uint64_t end)
{
	struct mapping *mapping = mapping_of(start);

	CHECK(mapping && mapping->end >= end && maps_count + 2 <= MOST);
	for (int side = 0; side < 2; side++) {
		const uint64_t at = side ? end : start;

		if (mapping->start < at && at < mapping->end) {
			const uint64_t i = (uint64_t)(mapping - maps);

			memmove(mapping + 1, mapping, (maps_count - i) * sizeof(*maps));
			maps_count++;
			mapping[0].end = mapping[1].start = at;
			mapping += !side;
		}
	}
	return mapping;
}

static inline int userfault(unsigned long request, uint64_t start, uint64_t end)
{
	const uint64_t from = start >> 12, to = end >> 12;
	struct mapping *mapping = mapping_of(from);

	CHECK(from < to);
	if (request == PM_UAPI_UFFDIO_WRITEPROTECT) {
		for (uint64_t vpn = from; vpn < to; vpn++) {
			CHECK(mapping_of(vpn)->registered == 1);
			mark(vpn);
		}
		return 0;
	}
	CHECK(mapping && mapping->end >= to);
	if (mapping->registered == 2)
		return EBUSY;
	if (request == PM_UAPI_UFFDIO_REGISTER && mapping->registered)
		return 0;
	mapping = split(from, to);
	mapping->registered = request == PM_UAPI_UFFDIO_REGISTER;
	for (uint64_t vpn = from; vpn < to; vpn++) {
		is[vpn] = is[vpn] == MARK ? 0 : is[vpn];
		say(vpn, 0);
	}
	return 0;
}

static inline void map_anew(struct mapping *mapping)
{
	mapping->flags = 3 | (below(2) ? 8 : 0);
	mapping->inode = mapping->flags & 8 ? 7 : 0;
	mapping->registered = below(6) ? 0 : 2;
	for (uint64_t vpn = mapping->start; vpn < mapping->end; vpn++) {
		is[vpn] = 0;
		say(vpn, 0);
	}
}

static inline void draw(void)
{
	uint64_t at = FIRST + below(4);

	tell_truth(PAGES);
	lie.entry = entry_of;
	lie.scan = 1;
	lie.pid = 42;
	lie.query = query;
	lie.userfault = userfault;
	lie.tracked = tracked;
	lie.marks = mark;
	lie.bounce = below(3) ? 0 : 1 + below(40);
	lie.short_by = below(3) ? 0 : 1 + below(20);
	lie.scan_interrupt = (unsigned)below(2);
	memset(is, 0, sizeof(is));
	memset(tracked, 0, sizeof(tracked));
	untouched = (int)below(2);
	holes_are_written = (int)below(2); /* kernels differ */
	maps_count = 1 + below(2);
	for (uint64_t i = 0; i < maps_count; i++) {
		maps[i].start = at;
		maps[i].end = at += 20 + below(100);
		at += below(2) * below(20);
		map_anew(&maps[i]);
		maps[i].registered = 0;
	}
	spans_count = 1;
	spans[0].start = (FIRST + below(maps[0].end - FIRST)) << 12;
	spans[0].end = (maps[maps_count - 1].start + 1 + below(80)) << 12;
	if (spans[0].end <= spans[0].start)
		spans[0].end = spans[0].start + 4096;
	process = (struct pm_process){
		.pid = 42, .owner = 42, .folder = 5, .pagemap = 3, .maps = 4, .page_shift = 12
	};
	process.image_size =
		(uint32_t)pm_task_image(5, &process.thread, sizeof(process.image), process.image);
}

static inline int32_t open_tracker(struct pm_tracker **out)
{
	const struct pm_tracker_options options = {
		.size = sizeof(options),
		.flags = untouched ? PM_TRACKER_UNTOUCHED : 0,
		.spans = spans,
		.spans_count = spans_count,
		.userfaultfd = -1,
	};

	return pm_tracker_open(&process, &options, out);
}

#endif
