"""The accessed marks of a process's pages: cleared by /proc/PID/clear_refs, told by smaps.

Writing 1 clears the mark of each page table entry, and those of the frames behind them
(clear_refs_write and clear_refs_pte_range in fs/proc/task_mmu.c); the processor sets that of an
entry at the next access, and smaps adds up as Referenced what has one. No TLB is flushed: memory
whose translation stays in a TLB gets no new mark, until it is evicted from there.
"""

from __future__ import annotations

import os
from errno import ENOENT

from pagemap._errors import Unsupported
from pagemap._kernel import smaps
from pagemap._kernel.maps_blocks import read_blocks
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pagemap._kernel.folder import Folder
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Marks", "clear", "read"]

_NAMES = frozenset((b"Rss", b"Referenced"))
_CLEAR_ALL = b"1"  # CLEAR_REFS_ALL


class Marks(Record):
    """How much of a mapping is resident, and how much of that has a mark, in bytes."""

    mapping: Mapping = field("", "the mapping")
    rss: int | None = field("bytes", "resident; None where the kernel did not tell")
    referenced: int | None = field("bytes", "marked as accessed")


def clear(folder: Folder) -> None:
    """Clear all marks of the process whose folder this is. Raises what stands for an OSError."""
    operation = "clear the accessed marks"
    try:
        fd = folder.open("clear_refs", os.O_WRONLY)
        try:
            os.write(fd, _CLEAR_ALL)
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno == ENOENT and folder.read("stat", operation):
            raise _unsupported(folder, "clear_refs") from None
        raise folder.error(error, operation, "clear_refs") from None


def read(folder: Folder) -> Iterator[Marks]:
    """Each mapping with its marks. Raises what stands for an OSError."""
    for mapping, lines in smaps.read(lambda: _blocks(folder), _NAMES):
        yield Marks(mapping, lines.get(b"Rss"), lines.get(b"Referenced"))


def _blocks(folder: Folder) -> Generator[bytes, None, None]:
    operation = "read the accessed marks"
    try:
        fd = folder.open("smaps")
    except OSError as error:
        if error.errno == ENOENT and folder.read("stat", operation):
            raise _unsupported(folder, "smaps") from None
        raise folder.error(error, operation, "smaps") from None
    try:
        yield from read_blocks(fd)
    except OSError as error:
        raise folder.error(error, operation, "smaps") from None
    finally:
        os.close(fd)


def _unsupported(folder: Folder, name: str) -> Unsupported:
    return Unsupported(
        f"this kernel has no {folder.path}/{name}: it needs CONFIG_PROC_PAGE_MONITOR",
        pid=folder.pid,
        errno=ENOENT,
        operation="find the working set",
        path=f"{folder.path}/{name}",
    )
