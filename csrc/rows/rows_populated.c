/*
 * Rows of what is populated, however much is reserved around it.
 */
#include <errno.h>
#include <stdint.h>

#include "kernel/entry_frames.cdef.h"
#include "kernel/read.cdef.h"
#include "walk/populated.cdef.h"
#include "walk/spans.h"
#include "rows/rows.h"

/* The longest label: rows of any span then fit where as many of these would. */
static uint64_t longest_label(const struct pm_rows *rows, const struct pm_place *from,
			      const struct pm_place *to)
{
	uint64_t longest = 0;

	for (uint64_t i = from->span; i <= to->span && i < rows->source.spans_count; i++)
		if (rows->labels[i].size > longest)
			longest = rows->labels[i].size;
	return longest;
}

/* Write the rows of runs of spans from `span` on, at *end, which moves. Returns 0 or -errno. */
static int64_t put_runs(const struct pm_rows *rows, const struct pm_range *runs, uint64_t count,
			uint64_t span, uint64_t *entries, char **end, uint64_t *shown)
{
	for (uint64_t i = 0; i < count; i++) {
		if (rows->counted) {
			int64_t error = pm_exclusive_by_count(rows->mapcounts, runs[i].vpn, entries,
							      runs[i].count,
							      rows->source.page_shift);

			if (error < 0)
				return error;
		}
		span = pm_span_of(rows->source.spans, runs[i].vpn, span);
		*end = pm_rows_put(rows, entries, runs[i].count, runs[i].vpn,
				   rows->label_bytes + rows->labels[span].at,
				   rows->labels[span].size, *end, shown);
		entries += runs[i].count;
	}
	return 0;
}

int64_t pm_rows_populated(const struct pm_rows *rows, struct pm_place *from,
			  const struct pm_place *to, uint64_t *scratch, struct pm_range *runs,
			  char *out, uint64_t size, uint64_t *pages)
{
	const uint64_t row = pm_row_bound(rows->format) + longest_label(rows, from, to);
	uint64_t shown = 0;
	char *end = out;

	if (!pm_row_bound(rows->format))
		return -EINVAL;
	while (pm_before(from, to)) {
		const uint64_t used = (uint64_t)(end - out) + PM_ROW_SLACK;
		const uint64_t span = from->span;
		uint64_t fit = size < used ? 0 : (size - used) / row, stored;
		int64_t got;

		if (!fit && end == out)
			return -ENOSPC;
		if (!fit)
			break;
		if (fit > PM_READ_BLOCK)
			fit = PM_READ_BLOCK;
		got = pm_populated(&rows->source, from, to, scratch, fit, runs, PM_READ_BLOCK,
				   &stored);
		if (got >= 0)
			got = put_runs(rows, runs, stored, span, scratch, &end, &shown);
		if (got < 0)
			return got;
	}
	*pages = shown;
	return end - out;
}
