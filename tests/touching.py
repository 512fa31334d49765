"""A process that touches known pages at known times: tests/toucher.c."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pagemap
from tests import build, target
from tests.kernel_settings import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = 1024
SIZE = PAGES * target.PAGE
PERIOD_MS = 20
SLOWER = 3 if os.environ.get("PAGEMAP_VM_SERIES") else 1
"""How much longer windows are where the processor is emulated."""

_numbers = itertools.count()


def program() -> Path:
    """The compiled program."""
    return build.program(Path(__file__).with_name("toucher.c"))


class Toucher:
    """Touches `hot` all the time, `cold` never, and `warm` when it is told to; of SIZE each.

    `hot` and `cold` are the two halves of one mapping.
    """

    def __init__(self, process: target.Target) -> None:
        self.process = process
        self.pid = process.pid
        self.hot, self.cold, self.warm = (process.areas[name] for name in ("hot", "cold", "warm"))

    def touch_warm(self) -> None:
        """Have it touch each page of `warm` once, and wait for that."""
        self.process.tell("w")
        assert self.process.read_line() == "touched"

    def write_warm(self) -> None:
        """Have it write to each page of `warm` once, and wait for that."""
        self.process.tell("d")
        assert self.process.read_line() == "touched"

    def rows(self, table: pagemap.Table[Any]) -> tuple[Any, Any]:
        """The rows of the mapping with `hot` and `cold`, and of that with `warm`."""
        heap, warm = (
            next(row for row in table if row.start == area.start) for area in (self.hot, self.warm)
        )
        assert heap.end == self.cold.end
        return heap, warm


@contextlib.contextmanager
def toucher(period_ms: int = PERIOD_MS, cgroup: Path | None = None) -> Iterator[Toucher]:
    """One that runs; all of its memory is of `cgroup`, where that is given."""
    command: list[str | Path] = [program(), str(PAGES), str(period_ms)]
    if cgroup is not None:
        script = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
        command = ["/bin/sh", "-c", script, cgroup, *command]
    pagemap.load()  # who measures it begins at once, also where files are slow
    with target.run(*command) as process:
        yield Toucher(process)


@contextlib.contextmanager
def memory_cgroup() -> Iterator[Path]:
    """A new, empty cgroup with the memory controller, of whichever version; removed afterwards.

    Unavailable where none can be made. What is left in it is moved to the root.
    """
    root = _memory_root()
    # removed ones stay for a while, under their name
    folder = root / f"pagemap test {os.getpid()} {next(_numbers)}"
    try:
        control = root / "cgroup.subtree_control"
        if control.exists() and "memory" not in control.read_text().split():
            control.write_text("+memory")
        folder.mkdir()
    except OSError as error:
        raise Unavailable(f"cannot make a memory cgroup in {root}: {error.strerror}") from error
    try:
        yield folder
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (root / "cgroup.procs").write_text(pid)
        _remove(folder)


def _memory_root() -> Path:
    unified = None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, options, *_ = line.split(" ")
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(path)
        if kind == "cgroup2":
            unified = Path(path)
    if unified is None:
        raise Unavailable("no cgroup file system is mounted")
    return unified


def _remove(folder: Path) -> None:
    for _ in range(100):
        try:
            folder.rmdir()
        except OSError:  # a process that was killed is not gone yet
            time.sleep(0.05)
        else:
            return
    folder.rmdir()
