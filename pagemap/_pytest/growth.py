"""How many pages an area has more than before: present ones, and those in swap."""

from __future__ import annotations

from pagemap._analyses.regions import RegionStream
from pagemap._pytest.areas import Area, plural
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._space.address_space import AddressSpace

__all__ = ["Growth", "populated", "regions"]

_ROUNDS = 3


def populated(process: AddressSpace, ranges: list[tuple[int, int]]) -> int:
    """How many pages of these ranges are there, or in swap."""
    return regions(process, "present/swap", ranges)


def regions(process: AddressSpace, what: str, ranges: list[tuple[int, int]]) -> int:
    """How many pages of these ranges are so. Raises Unsupported where the kernel cannot tell."""
    stream = RegionStream(process, only=[what], without=[], tell=[], ranges=ranges, max_pages=None)
    return sum(sum(table["size"]) for table in stream) >> PAGE_SHIFT


class Growth:
    """The pages of what `of` refers to, from now on; `area` is that, as of now.

    `noise` is the most that it grew while an empty function ran, None of a buffer.
    """

    def __init__(self, process: AddressSpace, area: Area, of: Any, what: str) -> None:
        self._process = process
        self._of, self._what = of, what
        self._area = area
        self.noise: int | None = None
        self._before = self._look()
        if area.start is None:
            self.noise = 0
            for _ in range(_ROUNDS):
                _nothing()
                now = self._look()
                self.noise = max(self.noise, now - self._before)
                self._before = now

    def _look(self) -> int:
        return populated(self._process, self._area.ranges(self._process))

    def end(self) -> int:
        """How many more there are by now. A buffer may have got other memory meanwhile."""
        if self._area.start is not None:
            self._area = Area(self._of, self._what, may_be_all=True)
        return self._look() - self._before

    def judged(self, more: int, at_most: int) -> str:
        """Why the limit is not held; empty where it is."""
        if more - (self.noise or 0) <= at_most:
            return ""
        noise = "" if self.noise is None else f" ({self.noise} by an empty function)"
        return f"{plural(more)} more than before{noise}, at most {at_most} allowed: {self._area}"


def _nothing() -> None:
    pass
