/*
 * Rounds of write tracking, against what each page of a small address space was said to go through:
 * pages are written, read, evicted, thrown away, mapped to the zero page, mapped anew and taken by
 * others at random, however many regions fit and wherever walk_end falls short.
 */
#include "tracked.h"

/* Whether a page was populated when the last round ended, or in private memory ever. */
static unsigned char before[SCENE];

static void touch(uint64_t vpn)
{
	struct mapping *mapping = mapping_of(vpn);
	const int mark = is[vpn] == MARK, protected = is_protected(vpn);

	if (!mapping)
		return;
	switch (below(mapping->registered == 2 ? 2 : 7)) {
	case 0: /* read */
		if (!is[vpn] && !shared(mapping))
			is[vpn] = ZERO;
		is[vpn] = is[vpn] == ZERO ? ZERO : PRESENT;
		say(vpn, protected);
		break;
	case 1:
	case 2: /* write */
		is[vpn] = PRESENT;
		say(vpn, 0);
		break;
	case 3:
	case 4: /* evict: a mark of protection is left of what is shared */
		if (!is[vpn] || mark || is[vpn] == ZERO)
			break;
		is[vpn] = !shared(mapping) ? SWAPPED : protected ? MARK : 0;
		say(vpn, protected);
		break;
	case 5: /* of all zeros, in a huge page that is split: some kernels forget the protection */
		if (is[vpn] == PRESENT && !shared(mapping)) {
			is[vpn] = ZERO;
			say(vpn, protected && below(2));
		}
		break;
	default: /* throw away what is private */
		if (!shared(mapping)) {
			is[vpn] = 0;
			say(vpn, 0);
		}
	}
}

/* How a page is to be found now: enum pm_written, or 0. */
static unsigned wanted(uint64_t vpn)
{
	const struct mapping *mapping = mapping_of(vpn);
	const int populated = is[vpn] && (is[vpn] != ZERO || untouched);

	if (!mapping || !in_spans(vpn))
		return 0;
	if (mapping->registered == 2)
		return populated ? PM_WRITTEN_UNTRACKED : 0;
	if (!mapping->registered)
		return untouched || populated ? PM_WRITTEN_NEW : 0;
	if (is[vpn] == ZERO && !untouched)
		return before[vpn] && !is_protected(vpn) ? PM_WRITTEN_TRACKED : 0;
	if (is[vpn])
		return is_protected(vpn) ? 0 : PM_WRITTEN_TRACKED;
	return untouched || (shared(mapping) && before[vpn]) ? PM_WRITTEN_GONE : 0;
}

static void collect(struct pm_tracker *tracker, int peek)
{
	static unsigned char want[PAGES], got[PAGES], was[PAGES], said[PAGES];
	const uint64_t capacity = 1 + below(below(2) ? 4 : 600);
	struct pm_region *out = exactly(capacity * sizeof(*out));
	struct pm_tracker_cursor cursor = { { 0 } };
	int64_t count;

	for (uint64_t vpn = 0; vpn < PAGES; vpn++)
		want[vpn] = (unsigned char)wanted(vpn);
	memset(got, 0, sizeof(got));
	memcpy(was, is, sizeof(was));
	memcpy(said, tracked, sizeof(said));
	errno = 1234;
	while ((count = pm_tracker_collect(tracker, &cursor, peek ? PM_TRACK_PEEK : 0, out,
					   capacity)) > 0) {
		CHECK((uint64_t)count <= capacity);
		for (int64_t i = 0; i < count; i++) {
			CHECK(out[i].start < out[i].end);
			for (uint64_t vpn = out[i].start >> 12; vpn < out[i].end >> 12; vpn++) {
				CHECK_EQUAL(got[vpn], 0);
				got[vpn] = (unsigned char)out[i].categories;
			}
		}
	}
	CHECK_EQUAL(count, 0);
	CHECK_EQUAL(errno, 1234);
	for (uint64_t i = 0; i < 8; i++)
		CHECK_EQUAL(cursor.state[i], 0);
	for (uint64_t vpn = 0; vpn < PAGES; vpn++)
		CHECK_EQUAL(got[vpn], want[vpn]);
	free(out);
	if (peek) {
		CHECK(!memcmp(was, is, sizeof(was)) && !memcmp(said, tracked, sizeof(said)));
		return;
	}
	for (uint64_t vpn = 0; vpn < PAGES; vpn++) {
		const struct mapping *mapping = mapping_of(vpn);

		if (!mapping || mapping->registered == 2 || !in_spans(vpn))
			continue;
		if (is[vpn] == ZERO && !untouched)
			CHECK(!before[vpn] || is_protected(vpn));
		else
			CHECK(is[vpn] ? is_protected(vpn) : !untouched);
		if (shared(mapping) || (is[vpn] && is[vpn] != ZERO))
			before[vpn] = !!is[vpn];
	}
}

static void rounds(void)
{
	struct pm_tracker *tracker;

	draw();
	for (uint64_t i = below(100); i; i--)
		touch(FIRST + below(PAGES - FIRST));
	CHECK_EQUAL(open_tracker(&tracker), 0);
	for (uint64_t vpn = 0; vpn < PAGES; vpn++) {
		const struct mapping *mapping = mapping_of(vpn);

		before[vpn] = mapping && in_spans(vpn) && is[vpn] && is[vpn] != ZERO;
	}
	for (unsigned round = 0; round < 6; round++) {
		for (uint64_t i = below(200); i; i--)
			touch(FIRST + below(PAGES - FIRST));
		if (!below(3)) {
			struct mapping *mapping = &maps[below(maps_count)];

			if (mapping->registered < 2) {
				map_anew(mapping);
				memset(before + mapping->start, 0, mapping->end - mapping->start);
			}
		}
		collect(tracker, 1);
		collect(tracker, 0);
		collect(tracker, 0);
	}
	pm_tracker_close(tracker);
	for (uint64_t i = 0; i < maps_count; i++)
		CHECK(maps[i].registered != 1);
	CHECK_EQUAL(lie.opened, lie.closed);
}

int main(int argc, char **argv)
{
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
	for (unsigned round = round_from(); round < round_to(300); round++)
		rounds();
	return 0;
}
