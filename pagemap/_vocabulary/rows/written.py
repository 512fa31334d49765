"""The rows of `track` and of the command `writes`: what was written, by region or by mapping."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["WRITES", "WRITTEN", "WritesRow", "WrittenRow"]


class WrittenRow(Record):
    """Neighbouring pages of a mapping that were written; a row of `Tracker.written`.

    `how` is "tracked" where the kernel saw the writes; "new" where the mapping is new since the
    round before, or changed its place or its size, so all that is there counts as written;
    "untracked" where the kernel cannot track that memory, and all that is there counts as well. Of
    a shared file or shared memory, pages that were touched for the first time count as written; and
    "gone" are pages of these that were there when the round began, and left the page table since:
    they were written, or by soft-dirty bits may have been.
    """

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first page", rank=0, key=True)
    end: int = field("address", "address past the last page", rank=4)
    size: int = field("bytes", "from start to end", rank=1)
    pages: int = field("pages", "how many pages they are", rank=5)
    how: str = field("", "how it is known: tracked, new, untracked, gone", rank=3)
    perms: str = field("rights", "of the mapping, as in /proc/PID/maps", rank=6)
    mapping: int = field("address", "address at which the mapping begins")
    path: str = field("", "the file, a name in brackets, or empty", rank=2)


WRITTEN = Schema.of(WrittenRow, "pagemap.written", 1)


class WritesRow(Record):
    """What was written in a mapping; a row of `Tracker.by_mapping`. Amounts are of whole pages.

    `new`, `untracked` and `gone` are parts of `written`: see `how` in `WrittenRow`. `populated` is
    what was there right after the round, present or in swap, of which `share` is the part that was
    written and is there; None where the mapping was gone by then.
    """

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first byte", rank=4, key=True)
    end: int = field("address", "address past the last byte", rank=7)
    perms: str = field("rights", "as in /proc/PID/maps", rank=5)
    size: int = field("bytes", "virtual size, touched or not", rank=6)
    populated: int | None = field("bytes", "present or in swap", rank=3)
    written: int = field("bytes", "in pages that were written", rank=1)
    share: float | None = field(
        "share", "how much of what is populated was written", rank=2, adds=False
    )
    new: int = field("bytes", "part of written: new mappings, of which all counts", rank=8)
    untracked: int = field("bytes", "part of written: what cannot be tracked", rank=9)
    gone: int = field("bytes", "part of written: what left the page table since", rank=10)
    path: str = field("", "the file, a name in brackets, or empty", rank=0)


WRITES = Schema.of(WritesRow, "pagemap.writes", 1)
