"""Build pagemap._core: the C sources below csrc/ (not binding/) behind the API of the *.cdef.h.

cffi runs this file from the root of the source tree, before the package exists, so it imports
nothing of it and its paths begin at the root.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

CSRC = Path("csrc")

# -Wconversion and -Wmissing-prototypes, which our sources also pass, are left to `make lint`:
# the file that cffi writes does not, and a user cannot mend it.
# -g0: debug information would name the folder of the build.
COMPILE_ARGS = ["-std=gnu11", "-O3", "-g0", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wshadow"]

HEADERS = [CSRC / "include" / "pagemap.h", *sorted(CSRC.rglob("*.cdef.h"))]


def declarations(header: Path, seen: set[Path]) -> str:
    """What cffi takes of a header, which knows no preprocessor: behind what it includes, its text.

    Left out are its preprocessor lines (the guard and the includes, no other) and what stands
    there for C++ alone.
    """
    if header in seen:
        return ""
    seen.add(header)
    text = header.read_text(encoding="ascii")
    needed = re.findall(r'^#include "(.+)"$', text, re.MULTILINE)
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^#(?:ifndef|define|include|endif)\b.*\n", "", text, flags=re.MULTILINE)
    return "".join(declarations(CSRC / name, seen) for name in needed) + text


ffibuilder = FFI()
included: set[Path] = set()
for each in HEADERS:
    ffibuilder.cdef(declarations(each, included))
ffibuilder.set_source(
    "pagemap._core",
    "".join(f'#include "{each.relative_to(CSRC)}"\n' for each in HEADERS),
    sources=sorted(str(each) for each in CSRC.rglob("*.c") if each.parent.name != "binding"),
    depends=sorted(str(path) for path in CSRC.rglob("*.h")),
    include_dirs=[str(CSRC)],
    # An offset into pagemap is eight bytes for each page, past 2 GiB on a 32-bit machine too.
    define_macros=[("_FILE_OFFSET_BITS", "64")],
    extra_compile_args=COMPILE_ARGS,
    libraries=["z"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
