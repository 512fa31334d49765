"""What setup.py puts into the package for programs in C, C++ and Cython.

The sources of the library are those of the Makefile, and a test compares them. Cython's
declarations are made from the headers: nothing is written twice.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FLAGS", "declarations", "sources"]

FLAGS = ["-std=gnu11", "-O2", "-g0", "-fPIC", "-fvisibility=hidden", "-ffunction-sections"]
_PARTS = (
    "kernel/*.c",
    "walk/*.c",
    "analyses/tally*.c",
    "analyses/sample*.c",
    "history/writes*.c",
    "library/*.c",
)


def sources(csrc: Path) -> list[str]:
    """The paths of the sources, below the folder csrc/."""
    return sorted(str(path) for part in _PARTS for path in csrc.glob(part))


_HEAD = '''"""libpagemap for Cython, out of the installed package: pagemap_capi.h and pagemap.h.

    from pagemap.pagemap cimport pm_capi, pm_capi_import

    cdef const pm_capi *pm = pm_capi_import()
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "pagemap_capi.h" nogil:
'''


def declarations(csrc: Path) -> str:
    """The text of pagemap.pxd."""
    public, table = (
        re.sub(r"/\*.*?\*/", "", (csrc / name).read_text(encoding="ascii"), flags=re.DOTALL)
        for name in ("include/pagemap.h", "binding/pagemap_capi.h")
    )
    found = [
        f"    const {'int' if name[:6] in ('PM_VER', 'PM_ABI') else 'uint64_t'} {name}"
        for name in re.findall(r"^#define (PM_\w+)[ \t]", public, re.MULTILINE)
    ]
    for name, body in re.findall(r"^enum (\w*) ?\{(.*?)^\};", public, re.MULTILINE | re.DOTALL):
        found.append(f"\n    enum {name}".rstrip() + ":")
        found += [f"        {value}" for value in re.findall(r"(\w+) =", body)]
    for name in re.findall(r"^struct (\w+);", public, re.MULTILINE):
        found.append(f"\n    struct {name}:\n        pass")
    for name, body in re.findall(
        r"^struct (\w+) \{(.*?)^\};", public + table, re.MULTILINE | re.DOTALL
    ):
        found.append(f"\n    struct {name}:")
        for member in body.split(";")[:-1]:
            text = " ".join(member.split()).replace("struct ", "").replace("(void)", "()")
            found.append(f"        {text}" + (" noexcept nogil" if "(*" in text else ""))
    found.append("\n    const pm_capi *pm_capi_import() except NULL with gil")
    return _HEAD + "\n".join(found) + "\n"
