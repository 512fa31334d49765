/*
 * Patches. To read what was saved before costs as much as a look at the page table itself, and most
 * of it did not change: so it is read only of windows whose hash is another one now.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "snapshot/patch.cdef.h"
#include "snapshot/patch.h"
#include "snapshot/saved.h"
#include "snapshot/take.h"
#include "walk/spans.h"

struct memory {
	struct pm_take_memory take;
	struct pm_patching patching;
};

/* What of a key no entry tells. */
static const uint64_t extra_bits = PM_KEY_HUGE | PM_KEY_ZERO;

uint64_t pm_patch_scratch(void)
{
	return sizeof(struct memory);
}

static uint64_t hash_of(const struct pm_patching *patching)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < PM_WINDOW_PAGES; i++) {
		const uint64_t word = patching->entries[i] ^ patching->extras[i] << 40;

		/* each step is a bijection of the hash, so that one changed page always shows */
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

/* What was saved of a window. */
static int read_old(struct pm_patching *patching, uint64_t number)
{
	const uint64_t first = number * PM_WINDOW_PAGES, end = first + PM_WINDOW_PAGES;
	struct pm_saved *saved = patching->patch->saved;
	uint64_t vpn = first;

	while (vpn < end) {
		struct pm_piece piece = { .vpn = vpn, .count = end - vpn };
		uint64_t entry;
		int error = saved ? pm_saved_piece(saved, vpn, end, &piece) : 0;

		if (error)
			return error;
		entry = piece.entry;
		for (uint64_t i = vpn - first; i < vpn - first + piece.count; i++) {
			patching->old_entries[i] = entry;
			patching->old_extras[i] = piece.key & extra_bits;
			entry += piece.step;
		}
		vpn += piece.count;
	}
	return 0;
}

static int is_old(const struct pm_patching *patching, unsigned i)
{
	return patching->entries[i] == patching->old_entries[i] &&
	       patching->extras[i] == patching->old_extras[i];
}

/* Put into blocks what is another than it was. */
static int put_changes(struct pm_patching *patching, uint64_t number)
{
	const uint64_t first = number * PM_WINDOW_PAGES;
	int error = read_old(patching, number);

	if (error)
		return error;
	for (unsigned i = 0, next; i < PM_WINDOW_PAGES; i = next) {
		const uint64_t extra = patching->extras[i];
		const int none = !patching->entries[i] && !extra;

		next = i + 1;
		if (is_old(patching, i))
			continue;
		while (next < PM_WINDOW_PAGES && !is_old(patching, next) &&
		       patching->extras[next] == extra &&
		       (!patching->entries[next] && !extra) == none)
			next++;
		if (none)
			pm_pack_alike(patching->pack, first + i, next - i, 0);
		else
			pm_pack_entries(patching->pack, first + i, patching->entries + i, next - i,
					extra);
	}
	return patching->pack->error;
}

/* Windows of before that come before this one: nothing is there any more. Returns 1, 0 where the
 * blocks are full, or -errno. */
static int drop_before(struct pm_patching *patching, uint64_t number)
{
	struct pm_patch *patch = patching->patch;

	while (patch->before_at < patch->before_count &&
	       patch->before[patch->before_at].number < number) {
		int error;

		if (!pm_pack_fits(patching->pack))
			return 0;
		memset(patching->entries, 0, sizeof(patching->entries));
		memset(patching->extras, 0, sizeof(patching->extras));
		error = put_changes(patching, patch->before[patch->before_at].number);
		if (error)
			return error;
		patch->before_at++;
	}
	return 1;
}

/* Be done with the window that is filled; as drop_before. */
static int finish(struct pm_patching *patching)
{
	struct pm_patch *patch = patching->patch;
	const struct pm_window *old = NULL;
	struct pm_window now = { .number = patching->number };
	int error = 0;

	if (!patching->filled)
		return 1;
	if (patch->windows_count == PM_PATCH_WINDOWS || !pm_pack_fits(patching->pack))
		return 0;
	now.hash = hash_of(patching);
	if (patch->before_at < patch->before_count &&
	    patch->before[patch->before_at].number == now.number)
		old = patch->before + patch->before_at;
	if (!old || old->hash != now.hash)
		error = put_changes(patching, now.number);
	if (error)
		return error;
	patch->before_at += old != NULL;
	patch->windows[patch->windows_count++] = now;
	patching->filled = 0;
	return 1;
}

int pm_patch_reach(struct pm_patching *patching, const uint64_t *first, uint64_t *last)
{
	const uint64_t number = *first / PM_WINDOW_PAGES;
	const uint64_t end = (number + 1) * PM_WINDOW_PAGES;
	int got;

	if (*last > end)
		*last = end;
	if (patching->filled && patching->number == number)
		return 1;
	got = finish(patching);
	if (got > 0)
		got = drop_before(patching, number);
	if (got <= 0) {
		patching->full = 1;
		return got;
	}
	memset(patching->entries, 0, sizeof(patching->entries));
	memset(patching->extras, 0, sizeof(patching->extras));
	patching->number = number;
	patching->filled = 1;
	return 1;
}

void pm_patch_add(struct pm_patching *patching, uint64_t vpn, const uint64_t *entries,
		  uint64_t count, uint64_t extra)
{
	const uint64_t from = vpn % PM_WINDOW_PAGES;

	memcpy(patching->entries + from, entries, count * sizeof(*entries));
	for (uint64_t i = 0; i < count; i++) {
		/* as pm_pack_entries: a zero page may have gone since the scan */
		const int present = pm_flag(entries[i], PM_PRESENT_BIT) != 0;

		patching->extras[from + i] = present ? extra : extra & ~PM_KEY_ZERO;
	}
}

int64_t pm_patch_step(const struct pm_taking *take, struct pm_patch *patch, struct pm_place *at,
		      const struct pm_place *to, uint8_t *scratch, uint8_t *out,
		      struct pm_saved_block *blocks, uint64_t *stored, uint64_t *ended,
		      uint32_t *done)
{
	struct memory *memory = (struct memory *)(void *)scratch;
	struct pm_patching *patching = &memory->patching;
	struct pm_pack *pack = &memory->take.pack;
	struct pm_step step = {
		.take = take,
		.to = to,
		.at = *at,
		.memory = &memory->take,
		.patch = patching,
		.ended = ended,
	};
	int error = pm_pack_begin(pack, take->whose), got = 0;

	if (error)
		return error;
	if (!patch->saved) /* all of it is new, and lies in mappings */
		pm_pack_within(pack, take->spans, take->spans_count);
	pm_pack_into(pack, out, PM_TAKE_BYTES, blocks, PM_TAKE_BLOCKS);
	patching->patch = patch;
	patching->pack = pack;
	patching->full = 0;
	patch->windows_count = 0;
	error = pm_take_walk(&step);
	if (error)
		return error;
	if (!pm_before(&step.at, to)) {
		got = finish(patching);
		if (got > 0)
			got = drop_before(patching, UINT64_MAX);
		if (got < 0)
			return got;
	}
	error = pm_pack_end(pack);
	if (error)
		return error;
	*at = step.at;
	*stored = pack->blocks_count;
	*done = got > 0;
	return (int64_t)pack->size;
}
