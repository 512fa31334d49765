"""Which frames are on which NUMA node."""

from __future__ import annotations

from bisect import bisect_right
from itertools import repeat

from pagemap._analyses.memory_segments import segments
from pagemap._kernel import iomem, nodes
from pagemap._kernel.zones import zones
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["NodeParts"]


class NodeParts:
    """The frames of each node, as ranges ``(start, end, node)`` in order.

    By the zones in /proc/zoneinfo, without their holes where /proc/iomem tells these (root); where
    zoneinfo does not tell, by the memory blocks in sysfs. `nodes` are those that have memory;
    `only` is the one that has, where there are no others. `saved` are the parts of the machine of a
    snapshot, of which this machine knows nothing.
    """

    def __init__(
        self,
        procfs: str = "/proc",
        sysfs: str = "/sys",
        *,
        saved: list[tuple[int, int, int]] | None = None,
    ) -> None:
        found = zones(procfs) if saved is None else None
        if saved is not None:
            parts = saved
        elif found:
            parts = [
                (each.start, each.end, found[each.zone].node)
                for each in segments(found, iomem.system_ram(procfs), sysfs)
            ]
        else:
            memory = nodes.memory_of(sysfs)
            parts = sorted((*each, node) for node, ranges in memory.items() for each in ranges)
        self.parts: list[tuple[int, int, int]] = _joined(parts)
        self.nodes: list[int] = sorted({node for _, _, node in self.parts})
        if not self.nodes and saved is None:
            self.nodes = nodes.numbers(sysfs)
        self.only: int | None = self.nodes[0] if len(self.nodes) == 1 else None
        self._starts = [start for start, _, _ in self.parts]

    def of(self, addresses: Sequence[int]) -> Iterator[int | None]:
        """The node of each physical address; None of what is not known to be memory."""
        if self.only is not None:
            return repeat(self.only, len(addresses))
        return map(self._of, addresses)

    def _of(self, address: int) -> int | None:
        pfn = address >> PAGE_SHIFT
        at = bisect_right(self._starts, pfn) - 1
        if at < 0 or pfn >= self.parts[at][1]:
            return None
        return self.parts[at][2]


def _joined(parts: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The same parts, neighbours of one node as one; a block of two nodes is of the first."""
    found: list[tuple[int, int, int]] = []
    for first, end, node in parts:
        start = max(first, found[-1][1]) if found else first
        if start >= end:
            continue
        if found and found[-1][1:] == (start, node):
            found[-1] = found[-1][0], end, node
        else:
            found.append((start, end, node))
    return found
