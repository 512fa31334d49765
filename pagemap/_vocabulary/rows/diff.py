"""The rows of a diff: what changed between two looks, by mapping, path, kind, or page.

Amounts are in bytes. The columns named as those of `TallyRow` are by how much that count changed:
their sums over all rows are the changes of the counts of `maps`.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, extended, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "COUNTS",
    "DIFFS",
    "DIFF_REGIONS",
    "KIND_DIFFS",
    "PATH_DIFFS",
    "DiffRegionRow",
    "DiffRow",
    "DiffSums",
    "KindDiffRow",
    "PathDiffRow",
]


class DiffSums(Record):
    """By how much counts changed, in bytes; what all rows of `pagemap.diff` have. None: unknown."""

    size: int = field("change", "change of size", rank=5)
    rss: int | None = field("change", "change of rss", rank=4)
    anon: int | None = field("change", "change of anon", rank=7)
    file: int | None = field("change", "change of file", rank=7)
    shmem: int | None = field("change", "change of shmem", rank=8)
    uss: int | None = field("change", "change of uss", rank=9)
    huge: int | None = field("change", "change of huge", rank=10)
    present: int | None = field("change", "change of present")
    zero: int | None = field("change", "change of zero")
    hugetlb: int | None = field("change", "change of hugetlb")
    swap: int | None = field("change", "change of swap", rank=6)
    guard: int | None = field("change", "change of guard")
    marker: int | None = field("change", "change of marker")
    migrating: int | None = field("change", "change of migrating")
    poisoned: int | None = field("change", "change of poisoned")
    device: int | None = field("change", "change of device")
    soft_dirty: int | None = field("change", "change of soft_dirty")
    uffd_wp: int | None = field("change", "change of uffd_wp")


_KIND = field("", "the kind of change", rank=0, key=True)
_AMOUNT = field(
    "bytes", "how much memory changed so, or how much of the mapping", rank=1, adds=False
)
_MAPPINGS = field("mappings", "in how many mappings", rank=12, adds=False)


@extended
class DiffRow(DiffSums):
    """What one kind of change did to one mapping; a row of `pagemap.diff`, in bytes.

    A mapping that is gone is given as it was, all others as they are now.
    """

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the mapping's first byte", rank=3, key=True)
    end: int = field("address", "address past its last byte")
    perms: str = field("rights", "as in /proc/PID/maps", rank=11)
    was_start: int | None = field("address", "where it began before; null where it is new")
    was_perms: str | None = field("rights", "its permissions before; null where it is new")
    kind: str = _KIND
    amount: int = _AMOUNT
    path: str = field("", "the file, a name in brackets, or empty", "", rank=2)


@extended
class PathDiffRow(DiffSums):
    """What one kind of change did to all mappings of one path; a row of `pagemap.diff`."""

    kind: str = _KIND
    amount: int = _AMOUNT
    mappings: int = _MAPPINGS
    path: str = field("", "the file, a name in brackets, or empty", "", rank=0, key=True)


@extended
class KindDiffRow(DiffSums):
    """What one kind of change did to the whole process; a row of `pagemap.diff`."""

    kind: str = _KIND
    amount: int = _AMOUNT
    mappings: int = _MAPPINGS


class DiffRegionRow(Record):
    """Neighbouring pages that fared alike; a row of `pagemap.diff_regions`."""

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first page", rank=0, key=True)
    end: int = field("address", "address past the last page", rank=5)
    size: int = field("bytes", "from start to end", rank=2)
    kind: str = field("", "the kind of change", rank=1)
    before: str = field("", "what the pages were: none, anon, file, shmem, zero, swap ...", rank=3)
    after: str = field("", "what they are now", rank=3)
    was_start: int | None = field("address", "where they were before; null where nothing was")
    path: str = field("", "the file, a name in brackets, or empty", rank=4)


DIFFS = Schema.of(DiffRow, "pagemap.diff", 1)
PATH_DIFFS = Schema.of(PathDiffRow, "pagemap.diff.paths", 1)
KIND_DIFFS = Schema.of(KindDiffRow, "pagemap.diff.kinds", 1)
DIFF_REGIONS = Schema.of(DiffRegionRow, "pagemap.diff.regions", 1)

COUNTS = (*(column.name for column in KIND_DIFFS if column.unit == "change"),)
"""The counts, of which the first, size, is of mappings and not of pages."""
