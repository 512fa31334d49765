"""What must be installed to compile the package, and what is missing of it, in words.

setup.py asks before it compiles, and so does `make lib`: what a compiler says of a missing header
stands among a hundred other lines, and names no package.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["missing"]

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

# A header of each package, and who has it: Debian and Ubuntu, Fedora, Alpine.
LIBC = ("stdint.h", "the C library's headers", "libc6-dev", "glibc-devel", "musl-dev")
OTHERS = (
    (
        "linux/kcmp.h",
        "the kernel's headers",
        "linux-libc-dev",
        "kernel-headers",
        "linux-headers",
    ),
    ("zlib.h", "zlib's headers", "zlib1g-dev", "zlib-devel", "zlib-dev"),
    ("Python.h", "Python's headers", f"{PYTHON}-dev", f"{PYTHON}-devel", "python3-dev"),
)
MUSL = """\
musl-gcc looks for headers in musl's own folder alone. Make another with links to linux, asm,
asm-generic, zlib.h and zconf.h, which are below /usr/include, and name it: CFLAGS=-I/FOLDER"""


def missing(others: Sequence[tuple[str, str, str, str, str]] = OTHERS) -> str | None:
    """What there is not, as a message; None when nothing is missing.

    `others` are what is needed beside the compiler and the headers of libc. CC, CFLAGS and
    CPPFLAGS of the environment hold, as where setuptools compiles.
    """
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    options = (os.environ.get(name, "") for name in ("CFLAGS", "CPPFLAGS"))
    command = [word for text in (compiler, *options) for word in shlex.split(text)]
    if not shutil.which(command[0]):
        return (
            f"there is no C compiler: {command[0]} was not found. Install one, or name yours by CC"
            f"{_how('gcc libc6-dev', 'gcc', 'gcc musl-dev')}"
        )
    if _finds(command, [LIBC[0], *(each[0] for each in others)]):
        return None
    absent = [LIBC] if not _finds(command, [LIBC[0]]) else []
    # the others include what the C library has
    absent = absent or [each for each in others if not _finds(command, [each[0]])]
    if not absent:
        return None  # found one by one: what is wrong with them the compiler says best
    lines = [
        f"{command[0]} does not find {header}: {what} are missing. Install them{_how(*packages)}"
        for header, what, *packages in absent
    ]
    if "musl" in os.path.basename(command[0]) and any("linux/" in line for line in lines):
        lines.append(MUSL)
    return "\n".join(lines)


def _how(debian: str, fedora: str, alpine: str) -> str:
    return f":\n  apt install {debian}    (Fedora: dnf install {fedora}; Alpine: apk add {alpine})"


def _finds(command: list[str], headers: list[str]) -> bool:
    """Whether these headers can be included, with the options that the package is compiled with."""
    folders = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "needed.c")
        with open(source, "w", encoding="ascii") as file:
            file.writelines(f"#include <{header}>\n" for header in headers)
        done = subprocess.run(  # noqa: S603 - the compiler that the user chose
            [*command, *(f"-I{each}" for each in sorted(folders)), "-E", "-o", os.devnull, source],
            check=False,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        return done.returncode == 0


if __name__ == "__main__":
    # `make lib` asks for the C library alone, which needs neither zlib nor Python
    sys.exit(missing(OTHERS[:1] if sys.argv[1:] == ["library"] else OTHERS))
