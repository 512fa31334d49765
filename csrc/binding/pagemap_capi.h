/*
 * The functions of libpagemap out of the Python package, for extension modules: no library to link,
 * and the one that is called is that of the pagemap which is installed.
 *
 *	#include <Python.h>
 *	#include <pagemap_capi.h>
 *
 *	const struct pm_capi *pm = pm_capi_import();
 *	if (!pm)
 *		return NULL;
 *	error = pm->process_open(getpid(), NULL, &process);
 *
 * pagemap.get_include() is the folder of this header. Cython has it by
 * `from pagemap.pagemap cimport pm_capi, pm_capi_import`.
 */
#ifndef PM_PAGEMAP_CAPI_H
#define PM_PAGEMAP_CAPI_H

#include "pagemap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The table of one version is the beginning of that of the next, as long as the ABI is the same. */
struct pm_capi {
	uint32_t size; /* of this table, in bytes */
	uint32_t abi;  /* PM_ABI */

	uint32_t (*version)(void);
	const char *(*strerror)(int32_t error);

	int32_t (*process_open)(int32_t pid, const struct pm_open_options *options,
				struct pm_process **out);
	void (*process_close)(struct pm_process *process);
	int32_t (*process_pid)(const struct pm_process *process);
	int32_t (*process_check)(const struct pm_process *process);
	int32_t (*process_fileno)(const struct pm_process *process);
	int32_t (*process_capabilities)(struct pm_process *process, struct pm_capabilities *out);

	int32_t (*maps_next)(struct pm_process *process, struct pm_maps_cursor *cursor,
			     char *buffer, size_t buffer_size, struct pm_mapping *out);
	int64_t (*process_entries)(const struct pm_process *process, uint64_t address,
				   uint64_t count, uint64_t *out);
	int64_t (*process_entries_of)(const struct pm_process *process, const struct pm_span *spans,
				      uint64_t count, uint64_t *out, uint64_t capacity,
				      uint64_t *stored);
	int32_t (*process_translate)(const struct pm_process *process, uint64_t address,
				     uint64_t *physical);
	int64_t (*process_regions)(const struct pm_process *process,
				   const struct pm_region_query *query, uint64_t start,
				   uint64_t end, struct pm_region *out, uint64_t capacity,
				   uint64_t *next);
	int64_t (*process_populated)(const struct pm_process *process, uint64_t *next, uint64_t end,
				     uint64_t *entries, uint64_t capacity, struct pm_span *runs,
				     uint64_t runs_capacity, uint64_t *runs_stored);
	int32_t (*process_tally)(const struct pm_process *process, uint64_t start, uint64_t end,
				 uint64_t wanted, const struct pm_limits *limits, uint64_t *scratch,
				 struct pm_amounts *out);

	int32_t (*frames_open)(const char *procfs, uint32_t what, struct pm_frames **out);
	int64_t (*frames_words)(const struct pm_frames *frames, uint32_t what, const uint64_t *pfns,
				uint64_t count, uint64_t *scratch, uint64_t scratch_words,
				uint64_t *out);
	void (*frames_close)(struct pm_frames *frames);

	int32_t (*sampler_open)(struct pm_process *process, uint64_t wanted,
				struct pm_sampler **out);
	int32_t (*sampler_sample)(struct pm_sampler *sampler, const struct pm_limits *limits,
				  uint64_t resume, struct pm_amounts *out);
	int64_t (*sampler_rss)(struct pm_sampler *sampler);
	void (*sampler_close)(struct pm_sampler *sampler);

	int32_t (*tracker_open)(struct pm_process *process,
				const struct pm_tracker_options *options, struct pm_tracker **out);
	int64_t (*tracker_collect)(struct pm_tracker *tracker, struct pm_tracker_cursor *cursor,
				   uint32_t flags, struct pm_region *out, uint64_t capacity);
	void (*tracker_close)(struct pm_tracker *tracker);
};

#ifdef Py_PYTHON_H

/*
 * The table of the installed pagemap; NULL, with an ImportError, where there is none, or where it
 * is of another ABI, or older than this header. Call it once, while the GIL is held: the table
 * stays where it is, and its functions need no GIL.
 */
static inline const struct pm_capi *pm_capi_import(void)
{
	PyObject *module = PyImport_ImportModule("pagemap._capi");
	PyObject *capsule = module ? PyObject_GetAttrString(module, "table") : NULL;
	const struct pm_capi *table = capsule ? (const struct pm_capi *)PyCapsule_GetPointer(
							capsule, "pagemap._capi.table")
					      : NULL;
	unsigned version;

	Py_XDECREF(capsule); /* the table is no part of it */
	Py_XDECREF(module);
	if (!table || (table->abi == PM_ABI && table->size >= sizeof(*table)))
		return table;
	version = table->abi == PM_ABI ? table->version() : 0;
	if (version)
		PyErr_Format(PyExc_ImportError,
			     "this extension was built for pagemap %d.%d.%d or later, and %u.%u.%u "
			     "is "
			     "installed: pip install --upgrade linux-pagemap",
			     PM_VERSION_MAJOR, PM_VERSION_MINOR, PM_VERSION_PATCH, version >> 16,
			     version >> 8 & 0xff, version & 0xff);
	else
		PyErr_Format(PyExc_ImportError,
			     "this extension was built for ABI %d of pagemap, and the one that is "
			     "installed has ABI %d: build the extension again",
			     PM_ABI, (int)table->abi);
	return NULL;
}

#endif

#ifdef __cplusplus
}
#endif

#endif
