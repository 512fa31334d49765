"""All memory of made-up machines: what no live one can be brought to show."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import pagemap
from pagemap._core import lib
from pagemap._kernel import hugetlb_pools, iomem, meminfo, nodes, swap_areas, vmstat, zram
from pagemap._kernel.cgroup_memory import charged
from pagemap._kernel.pagetypeinfo import block_types
from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from tests.unit.fake_machine import (
    ANON,
    FILE,
    FREE,
    HUGETLB,
    NOPAGE,
    PAGE,
    PGTABLE,
    RESERVED,
    SHMEM,
    SLAB,
    Machine,
    Zone,
    words,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KSM = 1 << 21


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """4,096 frames in two zones, with a hole, and 16 pages mapped by a PMD."""
    machine = Machine(tmp_path)
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


def test_kinds_are_those_of_c() -> None:
    for number, kind in enumerate(FRAME_KINDS):
        assert getattr(lib, f"PM_MEMORY_{kind.name.upper()}") == number
    assert len(FRAME_KINDS) == lib.PM_MEMORY_KINDS


def test_all_frames_add_up(machine: Machine) -> None:
    told = pagemap.memory(**machine.where)
    found = sizes(told)
    assert found == {
        "anon": 3,
        "file": 12,
        "shmem": 10,
        "hugetlb": 16,
        "slab": 4,
        "pagetables": 2,
        "free": 176,
        "unnamed": 4096 - 272,
        "reserved": 16,
    }
    assert sum(found.values()) == 31 + 4032  # System RAM
    assert sum(found.values()) - found["reserved"] == 79 + 3968  # managed
    kernel = {row.kind: (row.kernel, row.difference, row.source) for row in told.kinds}
    assert kernel["anon"] == (5 * PAGE, -2 * PAGE, "AnonPages")
    assert kernel["file"] == (12 * PAGE, 0, "Cached + Buffers - Shmem")
    assert kernel["unnamed"][0] == (79 + 3968 - 176 - 12 - 5 - 10 - 4 - 2) * PAGE
    assert kernel["reserved"] == (16 * PAGE, 0, "present - managed")
    assert kernel["zero"] == (None, None, None)
    assert told.about["counted"] is True
    assert (told.about["why"], told.about["changed"]) == (None, False)
    assert told.about["on_lists"] == 14 * PAGE
    assert told.about["system_ram"] == 4063 * PAGE


def test_by_zone_and_node(machine: Machine) -> None:
    told = pagemap.memory(**machine.where)
    dma, normal = told.zones
    assert (dma.zone, dma.start, dma.spanned, dma.holes) == ("DMA", 1, 127 * PAGE, 32 * PAGE)
    assert (dma.size, dma.kernel, dma.difference) == (79 * PAGE, 79 * PAGE, 0)
    assert (dma.free, dma.anon, dma.reserved, dma.file) == (76 * PAGE, 3 * PAGE, 16 * PAGE, 0)
    assert (normal.free, normal.file, normal.unnamed) == (100 * PAGE, 12 * PAGE, 3824 * PAGE)
    assert [row.size for row in told.nodes] == [told.zones.total().size]


def test_blocks_of_the_allocator(machine: Machine) -> None:
    """76 free frames: 1-31, 64-79, 96-123, and 127; buddies are not joined past the zone."""
    told = pagemap.memory(**machine.where)
    found = {
        (row.zone, row.order): (row.free_blocks, row.kernel, row.difference)
        for row in told.orders
        if row.free_blocks or row.kernel
    }
    assert found["DMA", 0] == (2, 1, 1)  # 1, 127
    assert found["DMA", 1] == (1, 1, 0)  # 2
    assert found["DMA", 2] == (2, 1, 1)  # 4, 120
    assert found["DMA", 3] == (2, 1, 1)  # 8, 112
    assert found["DMA", 4] == (3, 2, 1)  # 16, 64, 96
    # 128-227, and no block is larger than those of buddyinfo
    assert {key: found[key][0] for key in found if key[0] == "Normal"} == {
        ("Normal", 2): 1,
        ("Normal", 4): 6,
    }


def test_aligned_blocks(machine: Machine) -> None:
    told = pagemap.memory(blockers=50, runs=50, **machine.where)
    assert told.blocks is not None
    row = next(row for row in told.blocks if row.zone == "DMA" and row.block == 16 * PAGE)
    # 16, 64, 96 are free; 112 has three anonymous frames; 80 is reserved; 0 is cut by the zone
    assert (row.blocks, row.free, row.movable, row.blocked, row.reserved) == (5, 3, 1, 1, 1)
    row = next(row for row in told.blocks if row.zone == "Normal" and row.block == 16 * PAGE)
    # 128 .. 208 are free, 224 is free and file; 240 has shmem, slab, page tables; 256 hugetlb
    assert (row.free, row.movable, row.blocked) == (6, 1, 241)
    assert (row.slab, row.pagetables, row.hugetlb, row.unnamed) == (1, 1, 1, 239)
    assert told.blockers is not None
    first = told.blockers[0]
    assert (first.pfn, first.state, first.stays) == (240, "blocked", 6 * PAGE)
    assert first.gain == 10 * PAGE
    assert first.kinds.startswith(f"slab {4 * PAGE >> 10}.0 KiB, pagetables ")
    assert {row.state for row in told.blockers if row.pfn in (112, 224)} <= {"movable"}
    assert told.runs is not None
    # frame 127 is the end of its zone: a run ends there
    assert [(row.pfn, row.size // PAGE) for row in told.runs] == [
        (128, 100), (1, 31), (96, 28), (64, 16)]  # fmt: skip


def test_runs_go_on_from_step_to_step(machine: Machine) -> None:
    """A step is 2^18 frames."""
    step = 1 << 18
    machine.frames(words((step - 40, 0), (100, FREE), (step - 60, 0)))
    machine.zones(Zone(0, "Normal", 0, 2 * step, 2 * step, 2 * step))
    machine.ram((0, 2 * step))
    for threads in (1, 3):
        told = pagemap.memory(runs=5, threads=threads, **machine.where)
        assert told.runs is not None
        assert [(row.pfn, row.size) for row in told.runs] == [(step - 40, 100 * PAGE)]


def test_blockers_are_the_worst(machine: Machine) -> None:
    everything = pagemap.memory(blockers=1000, **machine.where).blockers
    some = pagemap.memory(blockers=3, **machine.where).blockers
    assert everything is not None
    assert some is not None
    assert list(some) == list(everything)[:3]
    gains = [row.gain for row in everything]
    assert gains == sorted(gains, reverse=True)
    assert len(everything) == 2 + 1 + 241


@pytest.mark.parametrize("name", ["self", "version"])
def test_ksm_is_not_counted_where_the_flag_cannot_be_tried(machine: Machine, name: str) -> None:
    assert (machine.proc / name).exists()
    flags = words((4096, ANON | KSM))
    machine.frames(flags)
    told = pagemap.memory(**machine.where)
    assert told.about["ksm_told"] is None
    assert set(sizes(told)) == {"anon"}


def test_two_nodes_inside_each_other(machine: Machine) -> None:
    """Sysfs tells which blocks of memory are on which node; without it the inner zone has all."""
    machine.frames(words((1024, ANON), (1024, FILE), (1024, SHMEM), (1024, FREE)))
    machine.zones(Zone(0, "Normal", 0, 4096, 2048, 2048), Zone(1, "Normal", 1024, 2048, 2048, 2048))
    machine.ram((0, 4096))
    told = pagemap.memory(**machine.where)
    assert [row.size for row in told.nodes] == [2048 * PAGE, 2048 * PAGE]
    assert (told.nodes[1].file, told.nodes[1].shmem) == (1024 * PAGE, 1024 * PAGE)

    write(machine.sys / "devices/system/memory/block_size_bytes", f"{1024 * PAGE:x}\n")
    for node, blocks in ((0, (0, 2)), (1, (1, 3))):
        folder = machine.sys / f"devices/system/node/node{node}"
        write(folder / "meminfo", f"Node {node} MemTotal:   {2048 * PAGE >> 10} kB\n")
        for block in blocks:
            write(folder / f"memory{block}/state", "online\n")
    machine.zones(Zone(0, "Normal", 0, 4096, 2048, 2048), Zone(1, "Normal", 1024, 3072, 2048, 2048))
    told = pagemap.memory(**machine.where)
    assert [(row.anon, row.file, row.shmem, row.free) for row in told.nodes] == [
        (1024 * PAGE, 0, 1024 * PAGE, 0),
        (0, 1024 * PAGE, 0, 1024 * PAGE),
    ]
    assert [row.kernel for row in told.nodes] == [2048 * PAGE, 2048 * PAGE]


def test_memory_added_meanwhile(machine: Machine) -> None:
    def add(done: int, total: int) -> None:
        assert 0 < done <= total
        machine.zones(Zone(0, "DMA", 1, 127, 95, 79), Zone(0, "Normal", 128, 8000, 8000, 8000))

    told = pagemap.memory(progress=add, **machine.where)
    assert told.about["changed"] is True
    assert sum(sizes(told).values()) == 4063  # as it was at the beginning


def test_memory_removed_meanwhile(machine: Machine) -> None:
    """Frames that are gone, and those past the end of the file, are missing."""
    flags = words((1000, FREE), (96, NOPAGE), (1000, 0))
    machine.frames(flags)
    machine.zones(Zone(0, "Normal", 0, 4096, 4096, 4096))
    machine.ram((0, 4096))
    told = pagemap.memory(**machine.where)
    assert sizes(told) == {"free": 1000, "unnamed": 1000, "missing": 96 + 2000}
    assert told.zones[0].missing == 2096 * PAGE


def test_addresses_of_memory_hidden(machine: Machine) -> None:
    """Without CAP_SYS_ADMIN iomem has zeros: holes cannot be told from frames of the kernel."""
    flags = words((1, RESERVED), (31, FREE), (32, 0), (16, FREE), (16, RESERVED), (32, FREE))
    machine.frames(flags)
    machine.zones(Zone(0, "DMA", 1, 127, 95, 79))
    (machine.proc / "iomem").write_text("00000000-00000000 : System RAM\n" * 3)
    told = pagemap.memory(**machine.where)
    assert told.about["system_ram"] is None
    assert sizes(told) == {"free": 79, "reserved": 16}
    assert (told.zones[0].size, told.zones[0].difference) == (79 * PAGE, 0)


REFUSED = [errno.EACCES, errno.EPERM]  # without rights, and where a security module forbids it


@pytest.mark.parametrize("code", REFUSED, ids=errno.errorcode.get)
def test_without_rights(machine: Machine, code: int) -> None:
    machine.pool(1 << 21, 6, 2, 1)
    write(machine.sys / "kernel/mm/ksm/pages_shared", "1\n")
    node = "Node 0 MemTotal: 64 kB\nNode 0 AnonPages: 8 kB\nNode 0 MemFree: 4 kB\n"
    write(machine.sys / "devices/system/node/node0/meminfo", node)
    with refused(code):
        told = pagemap.memory(cgroups=True, blockers=5, runs=5, **machine.where)
        for cgroups in (False, True):
            with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
                pagemap.memory(frames=True, cgroups=cgroups, **machine.where)
    assert told.about["counted"] is False
    assert "CAP_DAC_READ_SEARCH" in str(told.about["why"])
    assert (told.blocks, told.blockers, told.runs) == (None, None, None)
    rows = {row.kind: row for row in told.kinds}
    assert {row.size for row in told.kinds} == {row.mapped for row in told.kinds} == {None}
    assert (rows["anon"].kernel, rows["anon"].source) == (4 * PAGE, "AnonPages - pages_shared")
    assert (rows["ksm"].kernel, rows["hugetlb"].kernel) == (PAGE, 4 << 21)
    assert rows["hugetlb_idle"].kernel == 2 << 21
    total = sum(row.kernel or 0 for row in told.kinds if row.kind not in ("reserved", "missing"))
    assert total == (79 + 3968) * PAGE
    assert [row.free for row in told.zones] == [77 * PAGE, 77 * PAGE]
    assert (told.nodes[0].kernel, told.nodes[0].anon) == (64 << 10, 8 << 10)
    assert (told.nodes[0].file, told.nodes[0].size) == (None, None)
    assert [row.kernel for row in told.orders][:5] == [1, 1, 1, 1, 2]
    assert told.orders[4].free == 32 * PAGE
    assert told.cgroups is not None


def refused(code: int) -> Any:
    """Every open by descriptor is refused, as those of /proc/kpage* are."""
    return mock.patch("os.open", side_effect=OSError(code, os.strerror(code)))


@pytest.mark.parametrize("code", REFUSED, ids=errno.errorcode.get)
def test_nothing_is_left(machine: Machine, code: int) -> None:
    (machine.proc / "meminfo").unlink()

    def remove(*_: object, **__: object) -> None:
        (machine.proc / "zoneinfo").unlink(missing_ok=True)
        raise OSError(code, os.strerror(code))

    with mock.patch("os.open", side_effect=remove), pytest.raises(pagemap.AccessDenied):
        pagemap.memory(**machine.where)
    with pytest.raises(pagemap.Unsupported, match="zoneinfo"):
        pagemap.memory(**machine.where)


def test_what_a_kernel_may_lack(machine: Machine) -> None:
    """No kpageflags, no cgroups, no swap, no hugetlb, no /sys."""
    (machine.proc / "kpageflags").unlink()
    told = pagemap.memory(cgroups=True, **machine.where)
    assert "CONFIG_PROC_PAGE_MONITOR" in str(told.about["why"])
    assert told.cgroups is not None
    assert len(told.cgroups) == len(told.swaps) == 0
    assert {row.kind for row in told.kinds if row.kernel is None} >= {"ksm", "hugetlb", "offline"}
    machine.frames(words((4096, FREE)))
    told = pagemap.memory(cgroups=True, **machine.where)
    assert "CONFIG_MEMCG" in str(told.about["why"])
    told = pagemap.memory(**machine.where)
    assert sizes(told) == {"free": 31 + 4032}
    (machine.proc / "kpageflags").write_bytes(b"")
    told = pagemap.memory(**machine.where)
    assert sizes(told) == {"missing": 31 + 4032}


def test_numbers_of_the_arguments(machine: Machine) -> None:
    for name, number in (("blockers", -1), ("runs", 1 << 30), ("threads", 0)):
        with pytest.raises(pagemap.UsageError, match=name):
            pagemap.memory(**{name: number, **machine.where})


def test_cgroups(machine: Machine, tmp_path: Path) -> None:
    """Version 2 tells sums with the cgroups below; frames are charged to one alone."""
    root = tmp_path / "cgroup"
    amounts = {"": (30, 20, 6), "a": (20, 10, 6), "a/b": (5, 8, 0)}
    for name, (anon, file, shmem) in amounts.items():
        text = f"anon {anon * PAGE}\nfile {file * PAGE}\nshmem {shmem * PAGE}\nkernel 0\n"
        write(root / name / "memory.stat", text)
        if name:
            write(root / name / "memory.swap.current", f"{anon // 5 * PAGE}\n")
    write(machine.proc / "self/mounts", f"cgroup2 {root} cgroup2 rw 0 0\n")
    inodes = {name: os.stat(root / name).st_ino for name in amounts}
    flags = words((10, ANON), (6, FILE), (4, SHMEM), (4, ANON), (8, FILE), (6, 0), (7, SLAB))
    charges = words((20, inodes["a"]), (12, inodes["a/b"]), (6, inodes[""]), (7, 0))
    machine.frames([0, *flags, *[FREE] * 4050], [0, *charges, *[0] * 4050])
    machine.ram((1, 4096))
    told = pagemap.memory(cgroups=True, **machine.where).cgroups
    assert told is not None
    rows = {row.cgroup: row for row in told}
    inner = rows[f"{root}/a"]
    assert (inner.anon, inner.file, inner.shmem) == (10 * PAGE, 6 * PAGE, 4 * PAGE)
    # its own: 15 anonymous, 2 of the page cache, of it 6 - 0 shared: -4 is none
    assert inner.kernel == (15 + 0 + 6) * PAGE
    assert inner.swapped == 3 * PAGE
    assert rows[f"{root}/a/b"].kernel == 13 * PAGE
    assert rows[f"{root}/a/b"].difference == -PAGE
    assert (rows[str(root)].unnamed, rows[str(root)].swapped) == (6 * PAGE, None)
    assert rows[None].inode == 0
    assert rows[None].slab == 7 * PAGE
    assert rows[None].kernel is None


def test_more_cgroups_than_expected(machine: Machine) -> None:
    machine.frames([ANON] * 4096, [pfn % 3000 for pfn in range(4096)])
    write(machine.proc / "self/mounts", "")
    told = pagemap.memory(cgroups=True, **machine.where).cgroups
    assert told is not None
    expected = {pfn % 3000 for pfn in (*range(1, 32), *range(64, 4096))}
    assert {row.inode for row in told} == expected
    assert sum(row.anon or 0 for row in told) == 4063 * PAGE


def test_version_1_of_cgroups(tmp_path: Path) -> None:
    text = "cache 8192\nrss 4096\nshmem 4096\nswap 512\ntotal_cache 99999\ntotal_rss 99999\n"
    write(tmp_path / "memory.stat", text)
    assert charged(str(tmp_path)) == (4096, 4096, 4096, 512, False)
    assert charged(str(tmp_path / "none")) is None


def test_swap_and_what_it_takes(machine: Machine) -> None:
    machine.meminfo({"MemTotal": 4096, "Zswap": 4, "Zswapped": 16})
    lines = [
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority",
        "/dev/zram0                              partition\t8192\t\t4096\t\t100",
        "/swap\\040file\\012x                      file\t\t1024\t\t0\t\t-2",
        "nonsense",
    ]
    (machine.proc / "swaps").write_text("\n".join(lines) + "\n")
    write(machine.sys / "block/zram0/mm_stat", " 4000000 1000000 1200000 0 1300000 5 0 0 0\n")
    told = pagemap.memory(frames=False, **machine.where).swaps
    assert list(told) == [
        ("/dev/zram0", "zram", 8 << 20, 4 << 20, 1000000, 1200000, 100),
        ("/swap file\nx", "file", 1 << 20, 0, None, None, -2),
        ("zswap", "zswap", None, 16 * PAGE, None, 4 * PAGE, None),
    ]
    (machine.sys / "block/zram0/mm_stat").write_text("none\n")
    assert zram.stored("/dev/zram0", str(machine.sys)) is None
    (machine.proc / "swaps").unlink()
    assert swap_areas.areas(str(machine.proc)) is None


def test_figures(machine: Machine) -> None:
    machine.pool(16 * PAGE, 1, 0)
    (machine.proc / "vmstat").write_text("nr_foll_pin_acquired 12\nnr_foll_pin_released 9\nx y\n")
    told = pagemap.memory(**machine.where)
    figures = {(row.file, row.name): row for row in told.figures}
    assert figures["meminfo", "AnonPages"][2:5] == (5 * PAGE, 3 * PAGE, -2 * PAGE)
    assert figures["meminfo", "Cached + Buffers"].counted == 22 * PAGE
    assert figures["meminfo", "Mapped"].counted == 12 * PAGE
    assert figures["zoneinfo", "managed"].difference == 0
    assert figures["zoneinfo", "present"].difference == 0
    assert figures["zoneinfo", "spanned"].kernel == (127 + 3968) * PAGE
    assert figures["zoneinfo", "pagesets"].kernel == 14 * PAGE
    pool = figures[f"hugepages-{16 * PAGE >> 10}kB", "nr_hugepages"]
    assert pool.kernel == 16 * PAGE
    assert told.about["pinned"] == 3 * PAGE
    alone = pagemap.memory(frames=False, **machine.where)
    assert {row.name: row.kernel for row in alone.figures} == {
        row.name: row.kernel for row in told.figures
    }
    assert {row.counted for row in alone.figures} == {None}


def test_what_blocks_are_kept_for(tmp_path: Path) -> None:
    lines = [
        "Page block order: 9",
        "Free pages count per migrate type at order       0      1",
        "Node    0, zone   Normal, type    Unmovable      5     >100000",
        "",
        "Number of blocks type     Unmovable      Movable  Isolate",
        "Node 0, zone      DMA            1            7        0",
        "Node 0, zone   Normal          284         9703        2",
        "Number of mixed blocks    Unmovable      Movable  Isolate",
        "Node 0, zone      DMA            9            9        9",
    ]
    (tmp_path / "pagetypeinfo").write_text("\n".join(lines) + "\n")
    assert block_types(str(tmp_path)) == {
        (0, "DMA"): {"Unmovable": 1, "Movable": 7, "Isolate": 0},
        (0, "Normal"): {"Unmovable": 284, "Movable": 9703, "Isolate": 2},
    }


@pytest.mark.parametrize(
    ("read", "nothing"),
    [
        (iomem.system_ram, None),
        (swap_areas.areas, None),
        (vmstat.pinned, None),
        (block_types, {}),
        (hugetlb_pools.pools, None),
        (nodes.amounts, {}),
        (nodes.memory_of, {}),
        (lambda where: meminfo.amounts(procfs=where), {}),
    ],
)
def test_no_such_file(tmp_path: Path, read: Callable[[str], object], nothing: object) -> None:
    assert read(str(tmp_path)) == nothing
    assert read(str(tmp_path / "no such folder")) == nothing


def test_what_the_firmware_calls_memory(tmp_path: Path) -> None:
    """Whole frames alone; what drivers add is memory too, and what lies within it is not asked."""
    half = PAGE // 2
    lines = [
        f"{half:08x}-{4 * PAGE + half - 1:08x} : System RAM",
        f"  {PAGE:08x}-{2 * PAGE - 1:08x} : Kernel code",
        f"{8 * PAGE:08x}-{9 * PAGE - 1:08x} : System RAM",
        f"{9 * PAGE:08x}-{10 * PAGE - 1:08x} : System RAM (boot alias)",
        f"{20 * PAGE:08x}-{30 * PAGE - 1:08x} : Persistent Memory",
        f"  {22 * PAGE:08x}-{24 * PAGE - 1:08x} : System RAM (kmem)",
        "zz-yy : System RAM",
        f"{50 * PAGE:08x}-{50 * PAGE + 9:08x} : System RAM",
    ]
    (tmp_path / "iomem").write_text("\n".join(lines) + "\n")
    assert iomem.system_ram(str(tmp_path)) == [(1, 4), (8, 10), (22, 24)]
