/* See halves.h. */
#include <stdint.h>
#include <string.h>

#include "kernel/sys.h"
#include "walk/halves.h"
#include "walk/spans.cdef.h"

struct half {
	const struct pm_source *source;
	struct pm_place at, to;
	uint64_t capacity; /* of both: the pages in it */
	uint64_t *out;
	struct pm_range *runs;
	uint64_t runs_stored;
	int64_t got;
};

static void *read_half(void *argument)
{
	struct half *half = argument;

	half->got = pm_populated(half->source, &half->at, &half->to, half->out, half->capacity,
				 half->runs, half->capacity, &half->runs_stored);
	return NULL;
}

int64_t pm_populated_by_two(const struct pm_source *source, struct pm_place *from,
			    const struct pm_place *to, uint64_t pages, uint64_t *out,
			    struct pm_range *runs, uint64_t *runs_stored)
{
	struct half one = { .source = source, .at = *from, .out = out, .runs = runs };
	struct half two = { .source = source, .to = *to };
	pthread_t thread;

	one.capacity =
		pm_spans_advance(source->spans, source->spans_count, from, pages / 2, &one.to);
	two.at = one.to;
	two.capacity = pages - one.capacity;
	two.out = out + one.capacity;
	two.runs = runs + one.capacity;
	if (pm_sys_thread_begin(&thread, read_half, &two) == 0) {
		read_half(&one);
		pm_sys_thread_end(thread);
	} else {
		read_half(&one);
		read_half(&two);
	}
	if (one.got < 0 || two.got < 0)
		return one.got < 0 ? one.got : two.got;
	memmove(out + one.got, two.out, (uint64_t)two.got * sizeof(*out));
	memmove(runs + one.runs_stored, two.runs, two.runs_stored * sizeof(*runs));
	*runs_stored = one.runs_stored + two.runs_stored;
	*from = *to;
	return one.got + two.got;
}
