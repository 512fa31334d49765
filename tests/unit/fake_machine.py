"""A made-up machine: the files of /proc and /sys that tell of all its memory."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pagemap

PAGE = os.sysconf("SC_PAGE_SIZE")

# Words of /proc/kpageflags, as a kernel writes them.
FREE = 1 << 10
NOPAGE = 1 << 20
RESERVED = 1 << 32
SLAB = 1 << 7
PGTABLE = 1 << 26
ANON = 0x5868
FILE = 0x87C
SHMEM = 0x4038
HUGETLB = 1 << 17 | 1 << 11


class Zone(NamedTuple):
    """A zone as zoneinfo tells it; numbers of frames."""

    node: int
    name: str
    start: int
    spanned: int
    present: int
    managed: int
    lists: Sequence[int] = (3, 4)

    def text(self) -> str:
        processors = "".join(
            f"    cpu: {cpu}\n              count:    {count}\n              high:     378\n"
            for cpu, count in enumerate(self.lists)
        )
        return (
            f"Node {self.node}, zone {self.name:>8}\n  per-node stats\n"
            f"      nr_inactive_anon 5\n  pages free     77\n        boost    0\n"
            f"        min      10\n        spanned  {self.spanned}\n"
            f"        present  {self.present}\n        managed  {self.managed}\n"
            "        protection: (0, 0)\n      nr_free_pages 77\n  pagesets\n"
            f"{processors}  node_unreclaimable:  0\n  start_pfn:           {self.start}\n"
        )


def write(path: Path, text: str) -> None:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def words(*runs: tuple[int, int]) -> list[int]:
    """Words of frames: (how many, which word)."""
    return [word for count, word in runs for _ in range(count)]


class Machine:
    """Its two trees, to be changed by a test."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.sys = root / "sys"
        self.proc.mkdir(parents=True)
        (self.proc / "self").mkdir()
        (self.proc / "version").write_text("Linux version 6.18.0\n")

    @property
    def where(self) -> dict[str, Any]:
        """The arguments of `pagemap.memory`."""
        return {"procfs": str(self.proc), "sysfs": str(self.sys)}

    def frames(self, flags: Sequence[int], cgroups: Sequence[int] | None = None) -> None:
        """The words of all frames."""
        (self.proc / "kpageflags").write_bytes(struct.pack(f"={len(flags)}Q", *flags))
        if cgroups is not None:
            (self.proc / "kpagecgroup").write_bytes(struct.pack(f"={len(cgroups)}Q", *cgroups))

    def zones(self, *zones: Zone) -> None:
        """What zoneinfo tells."""
        devices = "Node 0, zone   Device\n  pages free     0\n        spanned  0\n"
        (self.proc / "zoneinfo").write_text("".join(zone.text() for zone in zones) + devices)

    def ram(self, *ranges: tuple[int, int]) -> None:
        """What iomem tells: frames that are memory, among others."""
        lines = ["00000000-00000fff : Reserved"]
        for start, end in ranges:
            lines.append(f"{start * PAGE:08x}-{end * PAGE - 1:08x} : System RAM")
            lines.append(f"  {start * PAGE:08x}-{start * PAGE + 99:08x} : Kernel code")
        (self.proc / "iomem").write_text("\n".join(lines) + "\n")

    def meminfo(self, pages: Mapping[str, int]) -> None:
        """What meminfo tells, in pages here."""
        lines = [f"{name}: {count * PAGE >> 10:>8} kB" for name, count in pages.items()]
        (self.proc / "meminfo").write_text("\n".join([*lines, "HugePages_Free:    7"]) + "\n")

    def buddyinfo(self, counts: Mapping[tuple[int, str], Iterable[int]]) -> None:
        """What buddyinfo tells."""
        lines = [
            f"Node {node}, zone {name:>8} {' '.join(f'{count:6}' for count in each)} "
            for (node, name), each in counts.items()
        ]
        (self.proc / "buddyinfo").write_text("\n".join(lines) + "\n")

    def pool(self, size: int, total: int, free: int, reserved: int = 0) -> None:
        """A pool of hugetlb pages."""
        folder = self.sys / "kernel/mm/hugepages" / f"hugepages-{size >> 10}kB"
        counts = {"nr": total, "free": free, "resv": reserved, "surplus": 0}
        for name, count in counts.items():
            write(folder / f"{name}_hugepages", f"{count}\n")

    def pmd(self, size: int) -> None:
        """What a PMD maps."""
        write(self.sys / "kernel/mm/transparent_hugepage/hpage_pmd_size", f"{size}\n")


def usual(root: Path) -> Machine:
    """4,096 frames in two zones, with a hole, and 16 pages mapped by a PMD."""
    machine = Machine(root)
    machine.frames(
        words(
            (1, RESERVED),  # in no zone
            (31, FREE),
            (32, NOPAGE),  # a hole
            (16, FREE),
            (16, RESERVED),
            (28, FREE),
            (3, ANON),
            (1, FREE),
            (100, FREE),
            (12, FILE),
            (10, SHMEM),
            (4, SLAB),
            (2, PGTABLE),
            (16, HUGETLB),
            (4096 - 272, 0),
        )
    )
    machine.zones(Zone(0, "DMA", 1, 127, 95, 79), Zone(0, "Normal", 128, 3968, 3968, 3968))
    machine.ram((1, 32), (64, 4096))
    machine.meminfo(
        {
            "MemTotal": 79 + 3968,
            "MemFree": 176,
            "Buffers": 2,
            "Cached": 20,
            "AnonPages": 5,
            "Mapped": 12,
            "Shmem": 10,
            "Slab": 4,
            "PageTables": 2,
        }
    )
    machine.buddyinfo({(0, "DMA"): [1, 1, 1, 1, 2], (0, "Normal"): [0] * 5})
    machine.pmd(16 * PAGE)
    return machine


def sizes(told: pagemap.Memory) -> dict[str, int]:
    """The pages of each kind that there is."""
    return {row.kind: row.size // PAGE for row in told.kinds if row.size}
