"""The kernel's own figures of memory, each beside what the frames say."""

from __future__ import annotations

from pagemap._kernel import hugetlb_pools, ksm, meminfo, vmstat
from pagemap._vocabulary.frame_kinds import FRAME_KINDS, MOVABLE, NOT_MANAGED
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.memory import FigureRow
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._kernel.zones import Zone

__all__ = ["Frames", "Kernel", "figures", "of_kinds"]

_USERS = ("anon", "ksm", "swapcache", "shmem")  # those that swap backs
_CACHE = ("file", "shmem")

Sums = tuple[str, ...]


class Frames(Record):
    """What was counted, in bytes: by kind, by kind and mark, by kind and least order."""

    sizes: dict[str, int] = field("bytes", "of each kind")
    marks: dict[tuple[str, str], int] = field("bytes", "of each kind with each mark")
    folios: dict[str, list[int]] = field("bytes", "of each kind in folios of each order")


class Kernel(Record):
    """What files of the kernel tell, in bytes."""

    meminfo: dict[str, int] = field("bytes", "the lines of /proc/meminfo")
    pools: list[hugetlb_pools.Pool] | None = field("", "those of hugetlb pages")
    merged: int | None = field("bytes", "frames that KSM merged pages into")
    pinned: int | None = field("pages", "that are pinned")
    zones: list[Zone] | None = field("", "those of the page allocator")

    @classmethod
    def read(cls, zones: list[Zone] | None, procfs: str, sysfs: str) -> Kernel:
        """What they tell now."""
        return cls(
            meminfo.amounts(procfs=procfs),
            hugetlb_pools.pools(sysfs),
            ksm.merged(sysfs),
            vmstat.pinned(procfs),
            zones,
        )

    def of_zones(self, name: str) -> int | None:
        """The bytes of all zones: present, managed, spanned, free, on_lists."""
        amounts = [getattr(zone, name) for zone in self.zones or ()]
        return None if not amounts or None in amounts else sum(amounts) * PAGE_SIZE


def of_kinds(kernel: Kernel) -> dict[str, tuple[int, str]]:
    """The kernel's figure for each kind that has one, and what it is made of."""
    info = kernel.meminfo
    found: dict[str, tuple[int, str]] = {}

    def take(kind: str, plus: Sums, less: Sums = ()) -> None:
        if all(name in info for name in (*plus, *less)):
            amount = sum(info[name] for name in plus) - sum(info[name] for name in less)
            found[kind] = amount, " - ".join([" + ".join(plus), *less])

    take("anon", ("AnonPages",))
    take("file", ("Cached", "Buffers"), ("Shmem",))
    take("shmem", ("Shmem",))
    take("slab", ("Slab",))
    take("pagetables", ("PageTables",))
    take("offline", ("Balloon",))
    take("poisoned", ("HardwareCorrupted",))
    take("free", ("MemFree",))
    if kernel.merged is not None and "anon" in found:
        found["ksm"] = kernel.merged, "pages_shared"
        if kernel.merged:
            found["anon"] = found["anon"][0] - kernel.merged, "AnonPages - pages_shared"
    if kernel.pools is not None:
        found["hugetlb"] = sum(pool.used for pool in kernel.pools), "nr_hugepages - free_hugepages"
        idle = sum(pool.free * pool.size for pool in kernel.pools)
        found["hugetlb_idle"] = idle, "free_hugepages"
    present, managed = kernel.of_zones("present"), kernel.of_zones("managed")
    if present is not None and managed is not None:
        found["reserved"] = present - managed, "present - managed"
    if "MemTotal" in info and "free" in found:
        named = sum(found[kind][0] for kind in found if kind not in NOT_MANAGED)
        found["unnamed"] = info["MemTotal"] - named, "MemTotal - all others"
    return found


def figures(kernel: Kernel, frames: Frames | None, pmd_order: int | None) -> Iterator[FigureRow]:
    """All figures that frames can be compared with, and those that say what unnamed frames are."""
    own = _Counted(frames, pmd_order)
    for name, (counted, within) in own.of_meminfo().items():
        amounts = [kernel.meminfo.get(each) for each in name.split(" + ")]
        if None not in amounts:
            yield _row(name, "meminfo", sum(filter(None, amounts)), counted, within)
    for name, counted in (("managed", own.sum(_managed())), ("present", own.sum(_all()))):
        amount = kernel.of_zones(name)
        if amount is not None:
            yield _row(name, "zoneinfo", amount, counted, None)
    spanned, lists = kernel.of_zones("spanned"), kernel.of_zones("on_lists")
    if spanned is not None:
        yield _row("spanned", "zoneinfo", spanned, None, None)
    if lists is not None:
        yield _row("pagesets", "zoneinfo", lists, None, "unnamed")
    if kernel.pinned is not None:
        amount = kernel.pinned * PAGE_SIZE
        yield _row("nr_foll_pin_acquired - nr_foll_pin_released", "vmstat", amount, None, None)
    if kernel.merged is not None:
        yield _row("pages_shared", "ksm", kernel.merged, own.sum(("ksm",)), "ksm")
    for pool in kernel.pools or ():
        size = f"hugepages-{pool.size >> 10}kB"
        order = (pool.size // PAGE_SIZE).bit_length() - 1
        total = pool.total * pool.size
        yield _row("nr_hugepages", size, total, own.hugetlb(order), "hugetlb, hugetlb_idle")
        yield _row("free_hugepages", size, pool.free * pool.size, None, "hugetlb_idle")
        yield _row("resv_hugepages", size, pool.reserved * pool.size, None, "hugetlb_idle")


class _Counted:
    """What the frames say of each figure; None where nothing was counted."""

    def __init__(self, frames: Frames | None, pmd_order: int | None) -> None:
        self._frames, self._pmd_order = frames, pmd_order

    def of_meminfo(self) -> dict[str, tuple[int | None, str | None]]:
        """For each line of meminfo what was counted, and in which kind its frames are."""
        return {
            "MemTotal": (self.sum(_managed()), None),
            "MemFree": (self.sum(("free",)), "free"),
            "Cached + Buffers": (self.sum(_CACHE), "file, shmem"),
            "SwapCached": (self.marked("swap", MOVABLE), "swapcache, anon"),
            "Active(anon)": (self.marked("active", _USERS), "anon, shmem"),
            "Inactive(anon)": (self.marked("inactive", _USERS), "anon, shmem"),
            "Active(file)": (self.marked("active", ("file",)), "file"),
            "Inactive(file)": (self.marked("inactive", ("file",)), "file"),
            "Unevictable": (self.marked("unevictable", MOVABLE), None),
            "Mlocked": (self.marked("locked", MOVABLE), None),
            "Dirty": (self.marked("dirty", ("file",)), "file"),
            "Writeback": (self.marked("writeback", MOVABLE), None),
            "AnonPages": (self.sum(("anon", "ksm")), "anon, ksm"),
            "Mapped": (self.marked("mapped", _CACHE), "file, shmem"),
            "Shmem": (self.sum(("shmem",)), "shmem"),
            "Slab": (self.sum(("slab",)), "slab"),
            "SReclaimable": (None, "slab"),
            "SUnreclaim": (None, "slab"),
            "PageTables": (self.sum(("pagetables",)), "pagetables"),
            "SecPageTables": (None, "unnamed"),
            "KernelStack": (None, "unnamed"),
            "VmallocUsed": (None, "unnamed"),
            "Percpu": (None, "unnamed"),
            "Zswap": (None, "unnamed"),
            "HardwareCorrupted": (self.sum(("poisoned",)), "poisoned"),
            "AnonHugePages": (self.large("anon"), "anon"),
            "ShmemHugePages": (self.large("shmem"), "shmem"),
            "FileHugePages": (self.large("file"), "file"),
            "Hugetlb": (self.sum(("hugetlb", "hugetlb_idle")), "hugetlb, hugetlb_idle"),
            "CmaTotal": (None, None),
            "CmaFree": (None, "free"),
            "Balloon": (self.sum(("offline",)), "offline"),
        }

    def sum(self, kinds: Sums) -> int | None:
        if self._frames is None:
            return None
        return sum(self._frames.sizes[kind] for kind in kinds)

    def marked(self, mark: str, kinds: Sequence[str]) -> int | None:
        if self._frames is None:
            return None
        return sum(self._frames.marks[kind, mark] for kind in kinds)

    def large(self, kind: str) -> int | None:
        """What is in folios of at least what a PMD maps."""
        if self._frames is None or self._pmd_order is None:
            return None
        return sum(self._frames.folios[kind][self._pmd_order :])

    def hugetlb(self, order: int) -> int | None:
        if self._frames is None:
            return None
        folios = self._frames.folios
        both = folios["hugetlb"], folios["hugetlb_idle"]
        return sum(each[order] for each in both) if order < len(both[0]) else None


def _managed() -> Sums:
    return tuple(kind.name for kind in FRAME_KINDS if kind.name not in NOT_MANAGED)


def _all() -> Sums:
    return tuple(kind.name for kind in FRAME_KINDS if kind.name != "missing")


def _row(name: str, file: str, kernel: int, counted: int | None, within: str | None) -> FigureRow:
    difference = None if counted is None else counted - kernel
    return FigureRow(name, file, kernel, counted, difference, within)
