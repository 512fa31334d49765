"""Build pagemap._core: the C sources below csrc/ (not binding/) behind the API of the *.cdef.h.

cffi runs this file from the root of the source tree, before the package exists, so it imports
nothing of it and its paths begin at the root.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")

# -Wconversion and -Wmissing-prototypes, which our sources also pass, are left to `make lint`:
# the file that cffi writes does not, and a user cannot mend it.
# -g0: debug information would name the folder of the build.
COMPILE_ARGS = ["-std=gnu11", "-O3", "-g0", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wshadow"]

# pagemap.cdef.h first: the headers of single rooms use what it declares.
HEADERS = sorted(
    CSRC.rglob("*.cdef.h"), key=lambda path: (path.name != "pagemap.cdef.h", path.name)
)

ffibuilder = FFI()
for header in HEADERS:
    ffibuilder.cdef(header.read_text(encoding="ascii"))
ffibuilder.set_source(
    "pagemap._core",
    '#include "kernel/core.h"\n'
    + "".join(f'#include "{header.relative_to(CSRC)}"\n' for header in HEADERS[1:]),
    sources=sorted(str(each) for each in CSRC.rglob("*.c") if each.parent.name != "binding"),
    depends=sorted(str(path) for path in CSRC.rglob("*.h")),
    include_dirs=[str(CSRC)],
    # An offset into pagemap is eight bytes for each page, past 2 GiB on a 32-bit machine too.
    define_macros=[("_FILE_OFFSET_BITS", "64")],
    extra_compile_args=COMPILE_ARGS,
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
