"""What is resident, as ranges of addresses, and what of it was touched until which moment."""

from __future__ import annotations

from pagemap._analyses.backing import Backing
from pagemap._analyses.regions import RegionStream
from pagemap._history.intervals import common, merged, size, without
from pagemap._history.window import cells
from pagemap._kernel.maps import mappings_of
from pagemap._native.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from pagemap._history.intervals import Ranges
    from pagemap._history.window import Window
    from pagemap._space.address_space import AddressSpace

__all__ = ["Resident"]


class Resident:
    """What a process has resident now: `ranges`, without hugetlb and pages of zeros.

    Raises TargetVanished.
    """

    def __init__(self, space: AddressSpace) -> None:
        lines = Lines.of_blocks(space.maps_blocks())
        marks = Backing(space).hugetlb(lines)
        bounds = zip(lines.bounds[::2], lines.bounds[1::2], marks or (), strict=bool(marks))
        only = ["present,~pfnzero"] if space.can_find("pfnzero") else ["present"]
        stream = RegionStream(space, only=only, without=(), tell=None, ranges=None, max_pages=None)
        present = merged((row.start, row.end) for row in stream.rows())
        self.ranges: Ranges = without(
            present, merged((start, end) for start, end, mark in bounds if mark)
        )
        self._mappings = list(mappings_of(lines))
        self._pid = space.pid
        space.check()

    def rows(
        self, window: Window, found: Sequence[Ranges], method: str, *, regions: bool
    ) -> Iterator[list[Any]]:
        """A row for each mapping, or with `regions` for each part of one.

        `found` is what was touched until each moment of the window, as far as it was watched.
        """
        rest = [None] * (len(window.idle) - len(found))
        for mapping in self._mappings:
            bounds = mapping.start, mapping.end
            resident = common([bounds], self.ranges)
            for where, part in _alike(resident, found) if regions else [(bounds, resident)]:
                idle = [size(without(part, touched)) for touched in found]
                rss = size(part)
                yield cells(
                    pid=self._pid,
                    bounds=where,
                    perms=mapping.perms,
                    rss=rss,
                    touched=None if rest else rss - idle[-1],
                    idle=[*idle, *rest],
                    method=method,
                    path=mapping.path,
                )


def _alike(resident: Ranges, found: Sequence[Ranges]) -> Iterable[tuple[tuple[int, int], Ranges]]:
    """The parts of what is resident that were first touched at the same moment, in order."""
    parts: Ranges = []
    rest = resident
    for touched in found:
        parts += common(rest, touched)
        rest = without(rest, touched)
    return [(part, [part]) for part in sorted([*parts, *rest])]
