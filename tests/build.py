"""Compile the C programs that the tests and benchmarks run, once each.

They land outside the source tree, under the temporary directory, in a folder
that only this user can write; the name of each carries a hash of everything
that went into it, so a changed source is compiled anew.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
PAGE = os.sysconf("SC_PAGESIZE")
COMMON_FLAGS = ("-std=gnu11", "-Wall", "-Wextra")
NO_LOADER = "/" + "loader" * 40  # where the path of one is written


class CompilerMissing(Exception):
    """There is no C compiler; the message says how to install one."""


class DoesNotCompile(Exception):
    """The compiler refused a source; the message is the compiler's own."""


def compiler() -> str:
    """The C compiler: $CC, else the first of cc, gcc and clang on the PATH."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return path
    raise CompilerMissing(
        "these tests compile C programs and no compiler was found: install one "
        "(Debian: apt install gcc libc6-dev; Fedora: dnf install gcc) or set CC"
    )


def cache() -> Path:
    """A folder for compiled programs that belongs to this user alone."""
    path = Path(tempfile.gettempdir()) / f"pagemap-tests-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    # Another user may have made it first, to have us run a program of theirs.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{path} is not a folder that only user {os.getuid()} can write")
    return path


def program(
    *sources: Path,
    flags: Sequence[str] = ("-O2",),
    reads: Sequence[Path] = (),
    by: str | None = None,
    libraries: Sequence[str] = ("-lpthread", "-lz"),
) -> Path:
    """The path of a program made of `sources`, compiled unless it already is.

    `reads` names the headers whose change must compile it anew; `by` is the path of another
    compiler than the usual one, which may lack `libraries`. Raises CompilerMissing or
    DoesNotCompile.
    """
    command = [by or compiler(), *COMMON_FLAGS, *flags]
    digest = hashlib.sha256("\0".join(command).encode())
    for path in (*sources, *reads):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    if "-c" in flags:
        libraries = ()
    made = cache() / f"{sources[0].stem}-{digest.hexdigest()[:16]}"
    if not made.exists():
        # Compiled aside and renamed: two test runs at once never see half a program.
        with tempfile.TemporaryDirectory(dir=cache()) as aside:
            fresh = Path(aside) / made.name
            done = subprocess.run(
                [*command, "-o", str(fresh), *map(str, sources), *libraries],
                check=False,
                capture_output=True,
                text=True,
                timeout=600,
            )
            if done.returncode:
                raise DoesNotCompile(f"{' '.join(done.args)}\n{done.stderr}")
            fresh.rename(made)
    return made


def textbook() -> Path:
    """The textbook dump, `textbook PID`: one pread and one printf per page."""
    return program(HERE / "textbook.c")


def targets() -> Path:
    """The program behind tests/workloads.py."""
    return _own_copy(compiled_targets())


def compiled_targets() -> Path:
    """The same, which is not to be run: it has not yet a loader."""
    parts = ("kinds", "treats", "folios", "zoo")
    sources = [HERE / "targets.c", *(HERE / f"target_{part}.c" for part in parts)]
    return _without_loader(*sources, reads=[HERE / "targets.h"])


def apart(source: Path) -> Path:
    """The path of a program that no stranger maps, nor its C library and its loader.

    Strangers come and go, and change what a process has alone of a file that they map too, and its
    share of it.
    """
    return _own_copy(compiled_apart(source))


def compiled_apart(source: Path) -> Path:
    """The same, which is not to be run: it has not yet a loader."""
    return _without_loader(source)


def _without_loader(*sources: Path, reads: Sequence[Path] = ()) -> Path:
    linked = (f"--dynamic-linker={NO_LOADER}", "--disable-new-dtags", "-rpath,$ORIGIN")
    return program(*sources, flags=("-O2", *(f"-Wl,{each}" for each in linked)), reads=reads)


def loaded() -> tuple[Path, list[Path]]:
    """The loader that runs what is compiled here, and the libraries that it loads."""
    done = subprocess.run(
        [textbook()],
        env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = re.findall(r"(=> )?(/.*) \(0x", done.stdout)
    (loader,) = (Path(path) for arrow, path in found if not arrow)
    return loader, [Path(path) for arrow, path in found if arrow]


@functools.cache
def _own_folder() -> tuple[Path, Path]:
    """A folder with copies of the loader and the libraries for this run alone; and the loader."""
    folder = Path(tempfile.mkdtemp(prefix="own-", dir=cache()))
    atexit.register(_remove, folder, os.getpid())
    loader, libraries = loaded()
    for path in (loader, *libraries):
        _write(folder / path.name, path.read_bytes())
    return folder, folder / loader.name


@functools.cache
def _own_copy(made: Path) -> Path:
    folder, loader = _own_folder()
    place, data = NO_LOADER.encode(), made.read_bytes()
    assert data.count(place) == 1
    own = os.fsencode(loader).ljust(len(place), b"\0")
    return _write(folder / made.name, data.replace(place, own))


def _write(path: Path, data: bytes) -> Path:
    """Write it page by page, for what is written at once may lie in large folios, and to disk.

    What is dirty would be clean a while later.
    """
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), PAGE):
            file.write(data[at : at + PAGE])
        os.fsync(file.fileno())
    path.chmod(0o700)
    return path


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
