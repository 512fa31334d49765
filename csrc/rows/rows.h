/* What the files of rows share: the rows of one block of entries. */
#ifndef PM_ROWS_H
#define PM_ROWS_H

#include <stdint.h>

#include "rows/rows.cdef.h"

#ifdef __cplusplus
extern "C" {
#endif

/* rows.c: the rows of those of a block that pass the filter; adds their number
 * to *pages, returns the end. */
char *pm_rows_put(const struct pm_rows *rows, const uint64_t *entries, uint64_t count, uint64_t vpn,
		  const char *label, uint64_t label_size, char *out, uint64_t *pages);

/* rows_text.c, rows_csv.c, rows_jsonl.c: the rows of one block; they return the end
 * of what they wrote. */
char *pm_rows_text(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		   uint64_t vpn, const char *label, uint64_t label_size, char *out);
char *pm_rows_csv(const struct pm_rows *rows, const uint64_t *entries, uint64_t count, uint64_t vpn,
		  const char *label, uint64_t label_size, char *out);
char *pm_rows_jsonl(const struct pm_rows *rows, const uint64_t *entries, uint64_t count,
		    uint64_t vpn, const char *label, uint64_t label_size, char *out);

#ifdef __cplusplus
}
#endif

#endif
