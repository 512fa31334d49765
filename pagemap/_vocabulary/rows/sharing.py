"""The rows of `sharing`: the total, and what is shared by process, pair, group, path and frame.

Amounts are in bytes. `shared` is the sum of all kinds but the zero pages, which belong to nobody.
Kinds are unknown where nothing tells what frames are: in a snapshot that was taken without frames.
The rows of a table do not add up to a total, because one frame may count in many rows.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, extended, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "PARTS",
    "PARTS_OF_GROUPS",
    "GroupPairRow",
    "GroupPathRow",
    "GroupSetRow",
    "GroupShareRow",
    "GroupTotalRow",
    "SharedFrameRow",
    "SharedGroupRow",
    "SharedPairRow",
    "SharedPathRow",
    "SharedProcessRow",
    "SharedRow",
]


class _Kinds(Record):
    shared: int = field(
        "bytes", "shared memory of all kinds, without zero pages", adds=False, rank=1
    )
    anon: int | None = field("bytes", "part of shared: anonymous memory", adds=False, rank=5)
    file: int | None = field("bytes", "part of shared: page cache of files", adds=False, rank=6)
    shmem: int | None = field("bytes", "part of shared: shmem, tmpfs, memfd", adds=False, rank=7)
    ksm: int | None = field(
        "bytes",
        "part of shared: merged by KSM; unknown if all anonymous pages are marked so",
        adds=False,
        rank=8,
    )
    other: int | None = field("bytes", "part of shared: of no kind above", adds=False, rank=9)
    zero: int = field("bytes", "mapped zero pages", adds=False, rank=10)


_SAVED = field(
    "bytes",
    "how much more memory would be needed without sharing and merging",
    adds=False,
    rank=3,
    last=True,
)
_PATH_MEANS = "path in the first process that maps it; empty for anonymous memory"


@extended
class SharedRow(_Kinds):
    """What several processes map, or KSM merged, each frame once; the row of `Sharing.total`."""

    saved: int = _SAVED


@extended
class SharedProcessRow(_Kinds):
    """What a process shares with any other; a row of `Sharing.processes`."""

    pid: int = field("", "the process", rank=0, key=True)
    name: str = field("", "its command name", rank=2)


@extended
class SharedPairRow(_Kinds):
    """What two processes share, with or without others; a row of `Sharing.pairs`."""

    pid: int = field("", "one process", rank=0, key=True)
    name: str = field("", "its command name", rank=3)
    other_pid: int = field("", "the other process", rank=0, key=True)
    other_name: str = field("", "its command name", rank=4)


@extended
class SharedGroupRow(_Kinds):
    """What exactly these processes share, by path; a row of `Sharing.groups`."""

    processes: int = field("", "number of processes", rank=3)
    pids: tuple[int, ...] = field("", "the processes", rank=0, key=True, last=True)
    path: str = field("", _PATH_MEANS, rank=2, key=True, last=True)


@extended
class SharedPathRow(_Kinds):
    """How much of a path is shared, and what that saves; a row of `Sharing.paths`."""

    saved: int = _SAVED
    path: str = field("", "the file, or a name in brackets", rank=2, key=True, last=True)


class SharedFrameRow(Record):
    """A frame that several processes map; a row of `Sharing.frames`."""

    pfn: int = field("pfn", "the frame", rank=0, key=True)
    processes: int = field("", "number of processes that map it", rank=1)
    mapcount: int | None = field("", "times it is mapped, as the kernel counts", rank=3)
    kind: str | None = field("", "anon, file, shmem, ksm, zero or other", rank=4)
    path: str = field("", _PATH_MEANS, rank=2)


PARTS: dict[str, Schema] = {
    "total": Schema.of(SharedRow, "pagemap.sharing.total", 3),
    "processes": Schema.of(SharedProcessRow, "pagemap.sharing.processes", 3),
    "pairs": Schema.of(SharedPairRow, "pagemap.sharing.pairs", 3),
    "groups": Schema.of(SharedGroupRow, "pagemap.sharing.groups", 3),
    "paths": Schema.of(SharedPathRow, "pagemap.sharing.paths", 3),
    "frames": Schema.of(SharedFrameRow, "pagemap.sharing.frames", 3),
}
"""The tables of `pagemap.sharing`, in order."""

_KEPT = field(
    "bytes",
    "how much more memory would be needed if no groups shared any",
    adds=False,
    rank=3,
    last=True,
)
_WITHIN_MEANS = "what several processes of one group alone share, or KSM merged there"
_LEADER = field("", "command name of who leads the session; of other groups empty", default=None)


@extended
class GroupTotalRow(_Kinds):
    """What several groups map, each frame once; the row of `GroupSharing.total`.

    `shared` and `within` are what processes share at all.
    """

    within: int = field("bytes", _WITHIN_MEANS, adds=False, rank=3, last=True)
    saved: int = _KEPT


@extended
class GroupShareRow(_Kinds):
    """What a group shares with any other, and has alone; a row of `GroupSharing.groups`."""

    group: str | None = field("", "the group; empty where nothing tells it", rank=0, key=True)
    processes: int = field("processes", "number of its processes that were read", rank=4)
    within: int | None = field("bytes", _WITHIN_MEANS, rank=2, last=True)
    alone: int | None = field(
        "bytes", "what no other group maps, within included", rank=3, last=True
    )
    name: str | None = _LEADER


@extended
class GroupPairRow(_Kinds):
    """What two groups share, with or without others; a row of `GroupSharing.pairs`."""

    group: str | None = field("", "one group", rank=0, key=True)
    other_group: str | None = field("", "the other group", rank=0, key=True)
    name: str | None = _LEADER
    other_name: str | None = _LEADER


@extended
class GroupSetRow(_Kinds):
    """What exactly these groups share, by path; a row of `GroupSharing.sets`."""

    number: int = field("", "number of groups", rank=3)
    groups: str = field(
        "", "the groups, between commas; a name with a comma in quotes", rank=0, key=True, last=True
    )
    path: str = field("", _PATH_MEANS, rank=2, key=True, last=True)


@extended
class GroupPathRow(_Kinds):
    """How much of a path groups share; a row of `GroupSharing.paths`."""

    saved: int = _KEPT
    path: str = field("", "the file, or a name in brackets", rank=2, key=True, last=True)


PARTS_OF_GROUPS: dict[str, Schema] = {
    "total": Schema.of(GroupTotalRow, "pagemap.sharing.by.total", 1),
    "groups": Schema.of(GroupShareRow, "pagemap.sharing.by.groups", 1),
    "pairs": Schema.of(GroupPairRow, "pagemap.sharing.by.pairs", 1),
    "sets": Schema.of(GroupSetRow, "pagemap.sharing.by.sets", 1),
    "paths": Schema.of(GroupPathRow, "pagemap.sharing.by.paths", 1),
}
"""The same of groups: the tables of `pagemap.sharing` with `by`."""
