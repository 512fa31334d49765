"""Plain files in the place of the kernel's: every entry is known, and nothing moves."""

from __future__ import annotations

import array
import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def pagemap_of(entries: list[int]) -> Iterator[int]:
    """A descriptor that reads as the pagemap of an address space of these pages."""
    fd = os.memfd_create("pagemap")
    try:
        os.write(fd, array.array("Q", entries).tobytes())
        yield fd
    finally:
        os.close(fd)


def write_process(procfs: Path, pid: int, entries: list[int], maps: bytes) -> None:
    """A process in a fake /proc, with the files that `pagemap.Process` looks at."""
    folder = procfs / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "pagemap").write_bytes(array.array("Q", entries).tobytes())
    (folder / "maps").write_bytes(maps)
    (folder / "auxv").write_bytes(b"\1" * 32)
    (folder / "comm").write_bytes(b"fake\n")
    (folder / "stat").write_bytes(b"%d (fake) S 1 1 1 0 -1 0 0 0\n" % pid)
    (folder / "statm").write_bytes(b"%d 0 0 0 0 0 0\n" % len(entries))
