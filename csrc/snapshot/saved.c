/*
 * A page table in a file, as if it were a live one. Of each layer one block is kept decoded, and
 * where the last look at it ended: who walks through in order decodes each block once.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/read.cdef.h"
#include "snapshot/saved.cdef.h"
#include "snapshot/saved.h"

/* What is known of a layer. */
struct loaded {
	uint64_t block; /* the number of the block that is decoded, plus 1; 0: none */
	uint64_t count; /* its segments */
	uint64_t at;	/* where the last look ended */
	struct pm_segment segments[PM_BLOCK_SEGMENTS];
};

struct scratch {
	struct pm_unpacking unpack;
	struct loaded loaded[];
};

static struct scratch *scratch_of(const struct pm_saved *saved)
{
	return (struct scratch *)(void *)saved->scratch;
}

uint64_t pm_saved_scratch(uint64_t layers_count)
{
	return sizeof(struct scratch) + layers_count * sizeof(struct loaded);
}

int32_t pm_saved_check(const struct pm_saved_block *blocks, uint64_t count, uint64_t file_size)
{
	uint64_t vpn = 0;

	for (uint64_t i = 0; i < count; i++) {
		const struct pm_saved_block *block = blocks + i;

		if (block->vpn < vpn || block->end <= block->vpn ||
		    block->end > UINT64_C(1) << 52 || block->size > PM_BLOCK_BYTES ||
		    block->size < PM_CHUNK_HEADER || block->offset > file_size ||
		    block->size > file_size - block->offset)
			return -EBADMSG;
		vpn = block->end;
	}
	return 0;
}

static int load(struct pm_saved *saved, const struct pm_layer *layer,
		const struct pm_saved_block *block, struct loaded *loaded)
{
	const struct pm_within within = { layer->spans, layer->spans_count };
	struct pm_unpacking *unpack = &scratch_of(saved)->unpack;
	struct pm_saved_block found;
	int64_t got;

	loaded->block = 0;
	got = pm_read_text(saved->fd, block->offset, block->size, (char *)unpack->chunk);
	if (got < 0)
		return (int)got;
	if ((uint64_t)got < block->size)
		return -EIO;
	got = pm_unpack(unpack, unpack->chunk, block->size, within, loaded->segments, &found);
	if (got < 0)
		return (int)got;
	if (found.vpn != block->vpn || found.end != block->end || found.whose != block->whose)
		return -EBADMSG;
	loaded->count = (uint64_t)got;
	loaded->at = 0;
	return 0;
}

/* The first block of a layer that ends behind `vpn`. */
static uint64_t block_at(const struct pm_layer *layer, const struct loaded *loaded, uint64_t vpn)
{
	uint64_t low = 0, high = layer->blocks_count;

	if (loaded->block && layer->blocks[loaded->block - 1].vpn <= vpn) {
		low = loaded->block - 1;
		if (layer->blocks[low].end > vpn)
			return low;
		low++;
		if (low < high && layer->blocks[low].end > vpn)
			return low;
	}
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (layer->blocks[middle].end > vpn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The first segment that ends behind `vpn`: there is one. */
static uint64_t segment_at(struct loaded *loaded, uint64_t vpn)
{
	const struct pm_segment *segments = loaded->segments;
	uint64_t low = 0, high = loaded->count;

	for (uint64_t i = loaded->at; i < loaded->count && i < loaded->at + 2; i++) {
		if (segments[i].vpn + segments[i].count > vpn) {
			if (segments[i].vpn <= vpn || !i ||
			    segments[i - 1].vpn + segments[i - 1].count <= vpn)
				return loaded->at = i;
			break;
		}
	}
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;

		if (segments[middle].vpn + segments[middle].count > vpn)
			high = middle;
		else
			low = middle + 1;
	}
	return loaded->at = low;
}

/*
 * What a layer has at `vpn`: *segment, which begins there or before, and 1; or 0, and *next is
 * where its next segment begins, at most `end`.
 */
static int look(struct pm_saved *saved, uint64_t number, uint64_t vpn, uint64_t end,
		const struct pm_segment **segment, uint64_t *next)
{
	const struct pm_layer *layer = saved->layers + number;
	struct loaded *loaded = scratch_of(saved)->loaded + number;
	const uint64_t block = block_at(layer, loaded, vpn);
	const struct pm_segment *found;

	*next = end;
	if (block == layer->blocks_count)
		return 0;
	if (layer->blocks[block].vpn > vpn) {
		if (layer->blocks[block].vpn < end)
			*next = layer->blocks[block].vpn;
		return 0;
	}
	if (loaded->block != block + 1) {
		int error = load(saved, layer, layer->blocks + block, loaded);

		if (error)
			return error;
		loaded->block = block + 1;
	}
	found = loaded->segments + segment_at(loaded, vpn);
	if (found->vpn > vpn) {
		if (found->vpn < end)
			*next = found->vpn;
		return 0;
	}
	*segment = found;
	return 1;
}

int pm_saved_piece(struct pm_saved *saved, uint64_t vpn, uint64_t end, struct pm_piece *piece)
{
	for (uint64_t number = saved->layers_count; number--;) {
		const struct pm_segment *segment = NULL;
		uint64_t next, last, before;
		int found = look(saved, number, vpn, end, &segment, &next);

		if (found < 0)
			return found;
		if (!found) {
			end = next;
			continue;
		}
		last = segment->vpn + segment->count;
		before = vpn - segment->vpn;
		*piece = (struct pm_piece){
			.vpn = vpn,
			.count = (last < end ? last : end) - vpn,
			.entry = segment->entry + before * segment->step,
			.step = segment->step,
			.key = segment->key,
		};
		return 0;
	}
	*piece = (struct pm_piece){ .vpn = vpn, .count = end - vpn };
	return 0;
}

int64_t pm_saved_read(struct pm_saved *saved, uint64_t vpn, uint64_t count, uint64_t *out)
{
	uint64_t done = 0;

	if (vpn >= saved->end_page)
		return 0;
	if (count > saved->end_page - vpn)
		count = saved->end_page - vpn;
	while (done < count) {
		struct pm_piece piece;
		uint64_t entry;
		int error = pm_saved_piece(saved, vpn + done, vpn + count, &piece);

		if (error)
			return error;
		entry = piece.entry;
		if (saved->counted && pm_flag(entry, PM_PRESENT_BIT))
			entry = (entry & ~PM_BIT(PM_EXCLUSIVE_BIT)) |
				(piece.key & PM_KEY_ALONE ? PM_BIT(PM_EXCLUSIVE_BIT) : 0);
		for (uint64_t i = 0; i < piece.count; i++, entry += piece.step)
			out[done + i] = entry;
		done += piece.count;
	}
	return (int64_t)count;
}

int32_t pm_saved_groups(struct pm_saved *saved, uint32_t shift, uint8_t *groups, uint64_t count)
{
	struct pm_piece piece;

	for (uint64_t vpn = 0; vpn < saved->end_page; vpn += piece.count) {
		uint64_t first, last;
		int error = pm_saved_piece(saved, vpn, saved->end_page, &piece);

		if (error)
			return error;
		first = piece.entry & PM_PLACE_MASK;
		if (!pm_flag(piece.entry, PM_PRESENT_BIT) || !first)
			continue;
		last = (first + (piece.count - 1) * piece.step) >> shift;
		for (first >>= shift; first <= last && first < count; first++)
			groups[first] = 1;
	}
	return 0;
}

int64_t pm_saved_try(const uint8_t *chunk, uint64_t size, const struct pm_range *spans,
		     uint64_t spans_count, uint8_t *scratch, struct pm_saved_block *found)
{
	struct scratch *ours = (struct scratch *)(void *)scratch;
	const struct pm_within within = { spans, spans_count };

	return pm_unpack(&ours->unpack, chunk, size, within, ours->loaded[0].segments, found);
}
