"""The rows of `segments`: pages in a row whose frames are in a row too."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["SEGMENTS", "SegmentRow"]


class SegmentRow(Record):
    """A range of addresses that is contiguous in physical memory; a row of `Process.segments`."""

    start: int = field("address", "address of its first page", rank=0, key=True)
    end: int = field("address", "address past its last page", rank=4)
    size: int = field("bytes", "from start to end", rank=2)
    physical: int = field("address", "physical address of its first page", rank=1)
    node: int | None = field("", "the NUMA node of its first page", rank=3)
    transfers: int = field(
        "", "transfers that it takes, if each is at most as large as was asked", adds=True, rank=5
    )


SEGMENTS = Schema.of(SegmentRow, "pagemap.segments", 1)
