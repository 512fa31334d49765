"""The tables of `memory`, made of what was counted and of the kernel's figures."""

from __future__ import annotations

from pagemap._analyses import memory_figures
from pagemap._analyses.memory_cgroups import amounts_of, difference, ordered
from pagemap._analyses.memory_figures import Frames
from pagemap._kernel import nodes, swap_areas, zram
from pagemap._native.memory import MARKS, ORDERS
from pagemap._tables.table import Table
from pagemap._vocabulary.frame_kinds import FRAME_KINDS, NOT_MANAGED
from pagemap._vocabulary.rows.memory import PARTS
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from pagemap._analyses.memory_figures import Kernel
    from pagemap._analyses.memory_walk import Counted
    from pagemap._kernel.zones import Zone

__all__ = ["MOST_ORDER", "Tables"]

MOST_ORDER = ORDERS - 1
_NAMES = [kind.name for kind in FRAME_KINDS]
_MANAGED = [name for name in _NAMES if name not in NOT_MANAGED]
_OF_FOLIOS = ("anon", "file", "shmem", "hugetlb", "slab")


class Tables:
    """Makes each table. `about` is to be set before."""

    def __init__(
        self,
        kernel: Kernel,
        zones: Sequence[Zone],
        ram: Sequence[tuple[int, int]] | None,
        counted: Counted | None,
        *,
        procfs: str,
        sysfs: str,
    ) -> None:
        self.about: dict[str, object] = {}
        self._kernel, self._zones, self._ram, self._counted = kernel, zones, ram, counted
        self._procfs, self._sysfs = procfs, sysfs
        self._sizes = None if counted is None else self._of_zones(counted)

    def table(self, part: str, rows: Iterable[Sequence[Any]]) -> Table[Any]:
        """A table of these rows."""
        return Table.of_rows(PARTS[part], rows, about=self.about)

    def _of_zones(self, counted: Counted) -> list[dict[str, int]]:
        """The bytes of each kind in each zone."""
        found = []
        for zone, sums in zip(self._zones, counted.zones, strict=True):
            sizes = dict(zip(_NAMES, (each * PAGE_SIZE for each in sums.frames()), strict=True))
            if self._ram is None:  # holes look like frames of the kernel then
                named = sum(sizes[name] for name in _MANAGED if name != "unnamed")
                sizes["unnamed"] = max(zone.managed * PAGE_SIZE - named, 0)
            found.append(sizes)
        return found

    def _frames(self) -> Frames | None:
        if self._counted is None or self._sizes is None:
            return None
        sizes = {name: sum(zone[name] for zone in self._sizes) for name in _NAMES}
        marks: dict[tuple[str, str], int] = {}
        folios = {name: [0] * ORDERS for name in _NAMES}
        for zone in self._counted.zones:
            for name, of_marks, of_orders in zip(_NAMES, zone.marks(), zone.folios(), strict=True):
                for mark, frames in zip(MARKS, of_marks, strict=True):
                    marks[name, mark] = marks.get((name, mark), 0) + frames * PAGE_SIZE
                for order, frames in enumerate(of_orders):
                    folios[name][order] += frames * PAGE_SIZE
        return Frames(sizes, marks, folios)

    def kinds(self) -> Table[Any]:
        """A row for each kind."""
        frames, known = self._frames(), memory_figures.of_kinds(self._kernel)
        total = None if frames is None else sum(frames.sizes.values()) or None
        rows = []
        for name in _NAMES:
            size = None if frames is None else frames.sizes[name]
            kernel, source = known.get(name, (None, None))
            rows.append(
                [
                    name,
                    size,
                    None if size is None or total is None else size / total,
                    kernel,
                    difference(size, kernel),
                    source,
                    *(None if frames is None else frames.marks[name, mark] for mark in MARKS),
                ]
            )
        return self.table("kinds", rows)

    def zones(self) -> Table[Any]:
        """A row for each zone."""
        rows = []
        for at, zone in enumerate(self._zones):
            sizes = None if self._sizes is None else self._sizes[at]
            known = {} if zone.free is None else {"free": zone.free * PAGE_SIZE}
            rows.append(
                {
                    "node": zone.node,
                    "zone": zone.name,
                    "start": zone.start,
                    "spanned": zone.spanned * PAGE_SIZE,
                    "holes": (zone.spanned - zone.present) * PAGE_SIZE,
                    **amounts_of(sizes, known, zone.managed * PAGE_SIZE),
                }
            )
        return self.table("zones", ordered("zones", rows))

    def nodes(self) -> Table[Any]:
        """A row for each node."""
        told = nodes.amounts(self._sysfs)
        rows = []
        for node in sorted({zone.node for zone in self._zones} | set(told)):
            here = [at for at, zone in enumerate(self._zones) if zone.node == node]
            sizes = None
            if self._sizes is not None:
                sizes = {name: sum(self._sizes[at][name] for at in here) for name in _NAMES}
            managed = sum(self._zones[at].managed for at in here) * PAGE_SIZE
            info = told.get(node, {})
            known = {
                "anon": info.get("AnonPages"),
                "file": _less(info.get("FilePages"), info.get("Shmem")),
                "shmem": info.get("Shmem"),
                "slab": info.get("Slab"),
                "pagetables": info.get("PageTables"),
                "free": info.get("MemFree"),
            }
            amounts = amounts_of(sizes, known, info.get("MemTotal", managed))
            rows.append({"node": node, **amounts})
        return self.table("nodes", ordered("nodes", rows))

    def orders(self, told: Mapping[tuple[int, str], Sequence[int]]) -> Table[Any]:
        """A row for each order of each zone: those of the allocator, and those of folios."""
        rows = []
        for at, zone in enumerate(self._zones):
            kernel = told.get((zone.node, zone.name), [])
            buddies: Sequence[int] = ()
            folios: Sequence[Sequence[int]] = ()
            if self._counted is not None:
                buddies = self._counted.zones[at].buddies()
                folios = self._counted.zones[at].folios()
            for order in range(ORDERS):
                sizes = {
                    name: folios[_NAMES.index(name)][order] * PAGE_SIZE if folios else None
                    for name in _OF_FOLIOS
                }
                if folios:
                    unmapped = folios[_NAMES.index("hugetlb_idle")][order] * PAGE_SIZE
                    sizes["hugetlb"] = (sizes["hugetlb"] or 0) + unmapped
                free = buddies[order] if buddies else None
                known = kernel[order] if order < len(kernel) else None
                if known is None and not free and not any(sizes.values()):
                    continue
                block = PAGE_SIZE << order
                differs = difference(free, known)
                amount = free if free is not None else known
                size = None if amount is None else amount * block
                head = [zone.node, zone.name, order, block, free, known, differs, size]
                rows.append([*head, *sizes.values()])
        return self.table("orders", rows)

    def figures(self, pmd_order: int | None) -> Table[Any]:
        """A row for each figure of the kernel."""
        rows = memory_figures.figures(self._kernel, self._frames(), pmd_order)
        return self.table("figures", rows)

    def swaps(self) -> Table[Any]:
        """A row for each swap area, and for zswap where it holds anything."""
        rows: list[list[object]] = []
        for area in swap_areas.areas(self._procfs) or ():
            stored = zram.stored(area.path, self._sysfs)
            rows.append(
                [
                    area.path,
                    area.kind if stored is None else "zram",
                    area.size,
                    area.used,
                    None if stored is None else stored.compressed,
                    None if stored is None else stored.memory,
                    area.priority,
                ]
            )
        info = self._kernel.meminfo
        if info.get("Zswapped"):
            pool = info.get("Zswap")
            rows.append(["zswap", "zswap", None, info["Zswapped"], None, pool, None])
        return self.table("swaps", rows)


def _less(amount: int | None, part: int | None) -> int | None:
    return None if amount is None or part is None else amount - part
