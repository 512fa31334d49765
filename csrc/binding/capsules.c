/*
 * Addresses of Arrow's structures as the capsules by which Python programs hand them on
 * (https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html). A module
 * of its own, because cffi makes no capsules; it knows the structures and nothing else.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>

#include "columns/arrow.h"

static const char SCHEMA[] = "arrow_schema";
static const char STREAM[] = "arrow_array_stream";

static void free_schema(PyObject *capsule)
{
	struct pm_arrow_schema *schema = PyCapsule_GetPointer(capsule, SCHEMA);

	if (schema->release) /* else a consumer moved it away */
		schema->release(schema);
	free(schema);
}

static void free_stream(PyObject *capsule)
{
	struct pm_arrow_stream *stream = PyCapsule_GetPointer(capsule, STREAM);

	if (stream->release)
		stream->release(stream);
	free(stream);
}

static PyObject *capsule_of(PyObject *address, const char *name, PyCapsule_Destructor end)
{
	void *pointer = PyLong_AsVoidPtr(address);

	return pointer || !PyErr_Occurred() ? PyCapsule_New(pointer, name, end) : NULL;
}

static PyObject *schema_of(PyObject *module, PyObject *address)
{
	(void)module;
	return capsule_of(address, SCHEMA, free_schema);
}

static PyObject *stream_of(PyObject *module, PyObject *address)
{
	(void)module;
	return capsule_of(address, STREAM, free_stream);
}

static PyMethodDef methods[] = {
	{ "schema", schema_of, METH_O, "The capsule of the struct ArrowSchema at an address." },
	{ "stream", stream_of, METH_O,
	  "The capsule of the struct ArrowArrayStream at an address." },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "pagemap._capsules",
	.m_doc = "Capsules of Arrow's structures; each takes the structure over.",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit__capsules(void)
{
	return PyModuleDef_Init(&module);
}
