# cython: language_level=3
"""How much of a buffer is in memory, asked by a Cython extension without a call of Python's.

Build it with `pagemap.get_include()` among the include directories; no library is linked:

    from setuptools import Extension
    Extension("cython_populated", ["cython_populated.pyx"], include_dirs=[pagemap.get_include()])
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint64_t, uintptr_t
from posix.unistd cimport getpid, sysconf, _SC_PAGESIZE

from pagemap.pagemap cimport PM_PAGE_PRESENT, pm_capi, pm_capi_import, pm_process

cdef const pm_capi *pm = pm_capi_import()  # once: an ImportError says what is wrong


cdef int64_t count_present(const pm_process *process, uint64_t address, uint64_t pages) noexcept nogil:
    cdef uint64_t entries[512]
    cdef uint64_t done = 0, some
    cdef int64_t got, i, present = 0
    while done < pages:
        some = min(pages - done, <uint64_t>512)
        got = pm.process_entries(process, address, some, entries)
        if got <= 0:
            return got
        for i in range(got):
            present += (entries[i] & PM_PAGE_PRESENT) != 0
        done += got
        address += got * <uint64_t>sysconf(_SC_PAGESIZE)
    return present


def resident_pages(buffer):
    """The pages of the memory of `buffer` that are present, and all that it lies in."""
    cdef uint64_t page = sysconf(_SC_PAGESIZE)
    cdef pm_process *process = NULL
    cdef uint64_t start, pages
    cdef int64_t found
    cdef Py_buffer view
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    start = <uint64_t><uintptr_t>view.buf // page * page
    pages = (<uint64_t><uintptr_t>view.buf + <uint64_t>view.len - start + page - 1) // page
    found = pm.process_open(getpid(), NULL, &process)
    if not found:
        with nogil:
            found = count_present(process, start, pages if view.len else 0)
        pm.process_close(process)
    PyBuffer_Release(&view)
    if found < 0:
        raise OSError(-found, pm.strerror(<int>found).decode())
    return found, pages
