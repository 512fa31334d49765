"""The rows of sharing: what is shared at all, by whom, of which paths, and the frames.

What is shared is told by kinds, in bytes. `shared` is the sum of all but the pages of zeros, which
are nobody's. None of it adds up: a frame may be in many rows.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "PARTS",
    "SharedFrameRow",
    "SharedGroupRow",
    "SharedPairRow",
    "SharedPathRow",
    "SharedProcessRow",
    "SharedRow",
]

_SHARED = field("bytes", "what is shared, the page of zeros apart", adds=False, rank=1)
_ANON = field("bytes", "of shared: anonymous memory", adds=False, rank=5)
_FILE = field("bytes", "of shared: page cache of files", adds=False, rank=6)
_SHMEM = field("bytes", "of shared: shmem, tmpfs, memfd", adds=False, rank=7)
_KSM = field(
    "bytes", "of shared: merged by KSM; unknown where the kernel marks all", adds=False, rank=8
)
_OTHER = field("bytes", "of shared: of no kind above", adds=False, rank=9)
_ZERO = field("bytes", "mapped pages of zeros", adds=False, rank=10)
_SAVED = field(
    "bytes", "what copies for each process, or merged page, would take more", adds=False, rank=3
)
_PATH = field("", "that of the first process's mapping; empty of anonymous memory", rank=2)


class SharedRow(Record):
    """What several processes map, or KSM merged, each frame once; the row of `Sharing.total`."""

    shared: int = _SHARED
    anon: int = _ANON
    file: int = _FILE
    shmem: int = _SHMEM
    ksm: int | None = _KSM
    other: int = _OTHER
    zero: int = _ZERO
    saved: int = _SAVED


class SharedProcessRow(Record):
    """A process, and what it shares with any other; a row of `Sharing.processes`."""

    pid: int = field("", "the process", rank=0, key=True)
    name: str = field("", "its command name", rank=2)
    shared: int = _SHARED
    anon: int = _ANON
    file: int = _FILE
    shmem: int = _SHMEM
    ksm: int | None = _KSM
    other: int = _OTHER
    zero: int = _ZERO


class SharedPairRow(Record):
    """What two processes share, with or without others; a row of `Sharing.pairs`."""

    pid: int = field("", "one process", rank=0, key=True)
    name: str = field("", "its command name", rank=3)
    other_pid: int = field("", "the other process", rank=0, key=True)
    other_name: str = field("", "its command name", rank=4)
    shared: int = _SHARED
    anon: int = _ANON
    file: int = _FILE
    shmem: int = _SHMEM
    ksm: int | None = _KSM
    other: int = _OTHER
    zero: int = _ZERO


class SharedGroupRow(Record):
    """What just these processes share, by path; a row of `Sharing.groups`."""

    processes: int = field("", "how many they are", rank=0)
    shared: int = _SHARED
    anon: int = _ANON
    file: int = _FILE
    shmem: int = _SHMEM
    ksm: int | None = _KSM
    other: int = _OTHER
    zero: int = _ZERO
    pids: tuple[int, ...] = field("", "the processes", rank=3, key=True)
    path: str = _PATH


class SharedPathRow(Record):
    """What is shared of a path, and what that saves; a row of `Sharing.paths`."""

    shared: int = _SHARED
    anon: int = _ANON
    file: int = _FILE
    shmem: int = _SHMEM
    ksm: int | None = _KSM
    other: int = _OTHER
    zero: int = _ZERO
    saved: int = _SAVED
    path: str = field("", "the file, or a name in brackets", rank=2, key=True)


class SharedFrameRow(Record):
    """A frame that several processes map; a row of `Sharing.frames`."""

    pfn: int = field("pfn", "the frame", rank=0, key=True)
    processes: int = field("", "how many processes map it", rank=1)
    mapcount: int | None = field("", "how often it is mapped, by the kernel's count", rank=3)
    kind: str = field("", "anon, file, shmem, ksm, zero or other", rank=4)
    path: str = _PATH


PARTS: dict[str, Schema] = {
    "total": Schema.of(SharedRow, "pagemap.sharing.total", 3),
    "processes": Schema.of(SharedProcessRow, "pagemap.sharing.processes", 3),
    "pairs": Schema.of(SharedPairRow, "pagemap.sharing.pairs", 3),
    "groups": Schema.of(SharedGroupRow, "pagemap.sharing.groups", 3),
    "paths": Schema.of(SharedPathRow, "pagemap.sharing.paths", 3),
    "frames": Schema.of(SharedFrameRow, "pagemap.sharing.frames", 3),
}
"""The tables of `pagemap.sharing`, in order."""
