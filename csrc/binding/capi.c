/*
 * The library's functions in a capsule, for the extension modules of others: see pagemap_capi.h.
 * They come out of the archive that the package carries, so this module is the library once more,
 * and nobody's symbols meet.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "binding/pagemap_capi.h"

static const struct pm_capi TABLE = {
	.size = sizeof(TABLE),
	.abi = PM_ABI,
	.version = pm_version,
	.strerror = pm_strerror,
	.process_open = pm_process_open,
	.process_close = pm_process_close,
	.process_pid = pm_process_pid,
	.process_check = pm_process_check,
	.process_fileno = pm_process_fileno,
	.process_capabilities = pm_process_capabilities,
	.maps_next = pm_maps_next,
	.process_entries = pm_process_entries,
	.process_entries_of = pm_process_entries_of,
	.process_translate = pm_process_translate,
	.process_regions = pm_process_regions,
	.process_populated = pm_process_populated,
	.process_tally = pm_process_tally,
	.frames_open = pm_frames_open,
	.frames_words = pm_frames_words,
	.frames_close = pm_frames_close,
	.sampler_open = pm_sampler_open,
	.sampler_sample = pm_sampler_sample,
	.sampler_rss = pm_sampler_rss,
	.sampler_close = pm_sampler_close,
	.tracker_open = pm_tracker_open,
	.tracker_collect = pm_tracker_collect,
	.tracker_close = pm_tracker_close,
};

/* PyModule_AddObjectRef is not in the stable ABI of 3.10. */
static int fill(PyObject *module)
{
	PyObject *capsule = PyCapsule_New((void *)&TABLE, "pagemap._capi.table", NULL);
	int result = capsule ? PyObject_SetAttrString(module, "table", capsule) : -1;

	Py_XDECREF(capsule);
	return result;
}

static PyModuleDef_Slot slots[] = {
	{ Py_mod_exec, (void *)fill },
	{ 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "pagemap._capi",
	.m_doc = "The functions of libpagemap as a capsule, `table`: see pagemap_capi.h.",
	.m_slots = slots,
};

PyMODINIT_FUNC PyInit__capi(void)
{
	return PyModuleDef_Init(&module);
}
