"""The rows of `regions`: adjacent pages that are alike."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["REGIONS", "RegionRow"]


class RegionRow(Record):
    """Neighbouring pages that are alike; a row of `Process.regions`."""

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first page", rank=0, key=True)
    end: int = field("address", "address past the last page", rank=3)
    size: int = field("bytes", "from start to end", rank=2)
    categories: str = field("", "categories of all its pages, separated by |", rank=1)

    @property
    def words(self) -> tuple[str, ...]:
        """The categories one by one."""
        return tuple(self.categories.split("|")) if self.categories else ()


REGIONS = Schema.of(RegionRow, "pagemap.regions", 3)
