"""The files that tell of memory: cgroups, swap, the firmware's map, and none of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel import hugetlb_pools, iomem, meminfo, nodes, swap_areas, vmstat, zram
from pagemap._kernel.cgroup_memory import charged
from pagemap._kernel.pagetypeinfo import block_types
from tests.unit.fake_machine import (
    ANON,
    FILE,
    FREE,
    PAGE,
    SHMEM,
    SLAB,
    Machine,
    usual,
    words,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine to be changed."""
    return usual(tmp_path)


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
    sizes = [row.size or 0 for row in told]
    assert sizes == sorted(sizes, reverse=True)
    assert rows["(none)"].inode == 0
    assert told.schema.names[-2:] == ("cgroup", "container")
    inner = rows[f"{root}/a"]
    assert (inner.anon, inner.file, inner.shmem) == (10 * PAGE, 6 * PAGE, 4 * PAGE)
    # its own: 15 anonymous, 2 of the page cache, of it 6 - 0 shared: -4 is none
    assert inner.kernel == (15 + 0 + 6) * PAGE
    assert inner.swapped == 3 * PAGE
    assert rows[f"{root}/a/b"].kernel == 13 * PAGE
    assert rows[f"{root}/a/b"].difference == -PAGE
    assert (rows[str(root)].unnamed, rows[str(root)].swapped) == (6 * PAGE, None)
    assert rows["(none)"].slab == 7 * PAGE
    assert rows["(none)"].kernel is None


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
    assert set(told.total()) == {None}  # zswap's amount is also in those of the areas
    (machine.sys / "block/zram0/mm_stat").write_text("none\n")
    assert zram.stored("/dev/zram0", str(machine.sys)) is None
    (machine.proc / "swaps").unlink()
    assert swap_areas.areas(str(machine.proc)) is None


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
