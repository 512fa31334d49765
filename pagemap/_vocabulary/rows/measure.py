"""The rows of `measure`: what there is of each path, and by how much that changed."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["MEASURED", "MEASURES", "MeasureRow"]


class MeasureRow(Record):
    """All mappings of a path after some work, and what changed; a row of `Measurement.table`.

    Amounts are those of `TallyRow`, in bytes, None where this kernel cannot tell; a change is the
    amount now without that before. `written` is None where writes were not tracked.
    """

    rss: int | None = field("bytes", "resident in memory", rank=2)
    rss_change: int | None = field("change", "change of rss", rank=1)
    anon: int | None = field("bytes", "part of rss: anonymous memory, not shared", rank=7)
    anon_change: int | None = field("change", "change of anon", rank=3)
    file: int | None = field("bytes", "part of rss: files", rank=8)
    file_change: int | None = field("change", "change of file", rank=5)
    shmem: int | None = field("bytes", "part of rss: shared memory and tmpfs", rank=9)
    shmem_change: int | None = field("change", "change of shmem", rank=6)
    huge: int | None = field("bytes", "resident, mapped by huge entries, including hugetlb")
    huge_change: int | None = field("change", "change of huge")
    swap: int | None = field("bytes", "in swap")
    swap_change: int | None = field("change", "change of swap", rank=10)
    size: int = field("bytes", "virtual size, touched or not")
    size_change: int = field("change", "change of size", rank=11)
    written: int | None = field("bytes", "in pages that were written meanwhile", rank=4)
    mappings: int = field("mappings", "how many mappings there are", rank=12)
    path: str = field("", "the file, a name in brackets, or empty", rank=0, key=True)


MEASURES = Schema.of(MeasureRow, "pagemap.measure", 1)

MEASURED = ("rss", "anon", "file", "shmem", "huge", "swap")
"""The counts of `Process.tally` that are compared."""
