/*
 * Samples of a process taken by a thread of its own, at even times, into a ring.
 */
#ifndef PM_HISTORY_SAMPLED_CDEF_H
#define PM_HISTORY_SAMPLED_CDEF_H

#include <stdint.h>

#include "analyses/sample.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

enum pm_sampled_column {
	PM_SAMPLED_TIME = 0,   /* when it began, in nanoseconds from `began` on */
	PM_SAMPLED_TOOK = 1,   /* how long it took, in nanoseconds */
	PM_SAMPLED_AMOUNT = 2, /* + an enum pm_sample_amount: in bytes */
	PM_SAMPLED_COLUMNS = PM_SAMPLED_AMOUNT + PM_SAMPLE_AMOUNTS,
	PM_SAMPLED_WORDS = 1 + PM_SAMPLED_COLUMNS, /* of a sample in the ring */
};

/*
 * The ring, and the thread that fills it. Sample n lies in the words from
 * (n % capacity) * PM_SAMPLED_WORDS on: the newest overwrites the oldest. One thread writes,
 * any number may read. What is `the thread's` begins as 0.
 */
struct pm_sampled {
	struct pm_sample_job job; /* its `stop` becomes ours */
	uint64_t every;		  /* nanoseconds from one sample to the next */
	uint64_t capacity;	  /* samples that `words` holds: 1 or more */
	uint64_t *words;	  /* PM_SAMPLED_WORDS for each */
	uint64_t *scratch;	  /* PM_SAMPLE_SCRATCH words */
	/* the thread's */
	uint64_t began;	  /* when it began, by CLOCK_MONOTONIC, in nanoseconds */
	uint64_t claimed; /* samples whose words are being written, or were */
	uint64_t taken;	  /* samples that are whole; those overwritten since too */
	uint64_t missed;  /* moments that passed while another sample was taken */
	uint32_t stop;
	uint32_t ended;	 /* 1: it takes no more samples, and `error` says why */
	int32_t error;	 /* 0: it was told to stop; an errno: ESRCH where the target is gone */
	uint32_t begun;	 /* 1: there is a thread that must be ended */
	uint64_t thread; /* pthread_t */
};

/* What a reader sees of it at one moment. */
struct pm_sampled_state {
	uint64_t taken;
	uint64_t missed;
	uint32_t ended;
	int32_t error;
};

/* Begin. Returns 0 or -errno. The thread gets no signals, and allocates nothing. */
int64_t pm_sampled_begin(struct pm_sampled *sampled);

/* Tell the thread to stop and wait until it has; once. */
void pm_sampled_end(struct pm_sampled *sampled);

/* All that were taken when it says `ended` are in `taken`. */
void pm_sampled_look(const struct pm_sampled *sampled, struct pm_sampled_state *out);

/*
 * Copy `count` samples from number `first` on, all of them taken: column c of sample i to
 * columns[c * count + i], and whether it is known to known[c * count + i]. Returns how many of
 * the first ones were overwritten by then, of which nothing holds.
 */
int64_t pm_sampled_copy(const struct pm_sampled *sampled, uint64_t first, uint64_t count,
			int64_t *columns, uint8_t *known);

#ifdef __cplusplus
}
#endif

#endif
