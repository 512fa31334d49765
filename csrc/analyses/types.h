/*
 * What the types*.c share.
 */
#ifndef PM_TYPES_H
#define PM_TYPES_H

#include <stdint.h>

#include "analyses/types.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Read what the kernel says of the frames behind the block's `count` entries, into
 * the columns that there are. 0, or -errno.
 */
int64_t pm_types_gather(const struct pm_types_job *job, uint64_t count,
			struct pm_types_block *block);

/*
 * Count the pages of the block's `runs_count` runs, whose entries and words lie one
 * after another in its columns, or put them in rows. Returns the number found.
 */
int64_t pm_types_settle(const struct pm_types_job *job, uint64_t runs_count,
			struct pm_types_block *block);

/*
 * The same of ranges of files, a run for each: how much of each is charged to which cgroup,
 * and which of their pages lie in frames that are looked for. The latter needs no words.
 */
int64_t pm_types_share_out(uint64_t runs_count, struct pm_types_block *block);
int64_t pm_types_find(const struct pm_types_job *job, uint64_t runs_count,
		      struct pm_types_block *block);

#ifdef __cplusplus
}
#endif

#endif
