/*
 * A thread that samples, and the ring that others read meanwhile.
 *
 * Nobody waits for anybody. Before the thread writes the words of sample n it says so in
 * `claimed`; each word is stored so that who reads it sees that too. So a reader that looks at
 * `claimed` afterwards knows which of the words that it copied may have been overwritten.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kernel/sys.h"
#include "history/sampled.cdef.h"

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void keep(struct pm_sampled *sampled, uint64_t time, uint64_t took,
		 const struct pm_sample *sample)
{
	const uint64_t number = sampled->taken;
	uint64_t *words = sampled->words + number % sampled->capacity * PM_SAMPLED_WORDS;
	uint64_t values[PM_SAMPLED_WORDS] = { sample->known, time, took };

	memcpy(values + 3, sample->amounts, sizeof(sample->amounts));
	__atomic_store_n(&sampled->claimed, number + 1, __ATOMIC_RELEASE);
	for (int i = 0; i < PM_SAMPLED_WORDS; i++)
		__atomic_store_n(words + i, values[i], __ATOMIC_RELEASE);
	__atomic_store_n(&sampled->taken, number + 1, __ATOMIC_RELEASE);
}

static int is_stopped(const struct pm_sampled *sampled)
{
	return __atomic_load_n(&sampled->stop, __ATOMIC_ACQUIRE) != 0;
}

/* Sleep until the next moment, which is a whole number of steps after `began`. */
static void wait_for_next(struct pm_sampled *sampled, uint64_t *step)
{
	const uint64_t since = pm_sys_now() - sampled->began;
	const uint64_t next = since / sampled->every + 1;

	if (next > *step + 1)
		__atomic_fetch_add(&sampled->missed, next - *step - 1, __ATOMIC_RELEASE);
	*step = next;
	while (!is_stopped(sampled)) {
		const uint64_t moment = sampled->began + next * sampled->every;

		if (pm_sys_now() >= moment)
			return;
		pm_sys_wait(&sampled->stop, moment);
	}
}

static int64_t take_all(struct pm_sampled *sampled)
{
	const struct pm_sample_part whole = { .swap_used = -1 };
	uint64_t step = 0;

	while (!is_stopped(sampled)) {
		const uint64_t began = pm_sys_now();
		struct pm_sample sample;
		int64_t error = pm_sample_take(&sampled->job, &whole, sampled->scratch, &sample);

		if (error)
			return error;
		keep(sampled, began - sampled->began, pm_sys_now() - began, &sample);
		wait_for_next(sampled, &step);
	}
	return 0;
}

static void *run(void *of)
{
	struct pm_sampled *sampled = of;
	const int64_t error = take_all(sampled);

	sampled->error = error == -ECANCELED ? 0 : (int32_t)-error;
	__atomic_store_n(&sampled->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

int64_t pm_sampled_begin(struct pm_sampled *sampled)
{
	pthread_t thread;
	int error;

	sampled->job.stop = &sampled->stop;
	sampled->began = pm_sys_now();
	error = pm_sys_thread_begin(&thread, run, sampled);
	if (error)
		return -error;
	sampled->thread = (uint64_t)(uintptr_t)thread;
	sampled->begun = 1;
	return 0;
}

void pm_sampled_end(struct pm_sampled *sampled)
{
	if (!sampled->begun)
		return;
	sampled->begun = 0;
	__atomic_store_n(&sampled->stop, 1, __ATOMIC_RELEASE);
	pm_sys_wake(&sampled->stop);
	pm_sys_thread_end((pthread_t)(uintptr_t)sampled->thread);
}

void pm_sampled_look(const struct pm_sampled *sampled, struct pm_sampled_state *out)
{
	out->ended = __atomic_load_n(&sampled->ended, __ATOMIC_ACQUIRE);
	out->error = out->ended ? sampled->error : 0;
	out->taken = load(&sampled->taken);
	out->missed = load(&sampled->missed);
}

int64_t pm_sampled_copy(const struct pm_sampled *sampled, uint64_t first, uint64_t count,
			int64_t *columns, uint8_t *known)
{
	uint64_t claimed, gone;

	for (uint64_t i = 0; i < count; i++) {
		const uint64_t place = (first + i) % sampled->capacity;
		const uint64_t *words = sampled->words + place * PM_SAMPLED_WORDS;
		/* a sample has its times in any case */
		const uint64_t told = load(words++) << PM_SAMPLED_AMOUNT | 3;

		for (uint64_t column = 0; column < PM_SAMPLED_COLUMNS; column++) {
			columns[column * count + i] = (int64_t)load(words++);
			known[column * count + i] = told >> column & 1;
		}
	}
	claimed = load(&sampled->claimed);
	gone = claimed > sampled->capacity ? claimed - sampled->capacity : 0;
	if (gone <= first)
		return 0;
	return (int64_t)(gone - first < count ? gone - first : count);
}
