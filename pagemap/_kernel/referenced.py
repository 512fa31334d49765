"""The accessed marks of a process's pages: cleared by /proc/PID/clear_refs, told by smaps.

Writing 1 clears the mark of each page table entry, and those of the frames behind them
(clear_refs_write and clear_refs_pte_range in fs/proc/task_mmu.c); the processor sets that of an
entry at the next access, and smaps adds up as Referenced what has one. No TLB is flushed: memory
whose translation stays in a TLB gets no new mark, until it is evicted from there.
"""

from __future__ import annotations

from functools import partial

from pagemap._kernel import smaps
from pagemap._kernel.page_monitor import clear_refs, smaps_blocks
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

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
    clear_refs(folder, _CLEAR_ALL, "clear the accessed marks")


def read(folder: Folder) -> Iterator[Marks]:
    """Each mapping with its marks. Raises what stands for an OSError."""
    blocks = partial(smaps_blocks, folder, "read the accessed marks")
    for mapping, lines in smaps.read(blocks, _NAMES):
        yield Marks(mapping, lines.get(b"Rss"), lines.get(b"Referenced"))
