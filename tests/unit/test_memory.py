"""All memory of made-up machines, counted: kinds, zones, blocks, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._core import lib
from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from tests.unit.fake_machine import ANON, FREE, PAGE, Machine, Zone, sizes, usual, words

if TYPE_CHECKING:
    from pathlib import Path

KSM = 1 << 21


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine to be changed."""
    return usual(tmp_path)


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
    assert first.kinds.startswith(f"slab {4 * PAGE >> 10}.0K, pagetables ")
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
    assert some.about["blockers"] == 2 + 1 + 241


def test_a_list_that_is_cut_has_no_sums(machine: Machine) -> None:
    """They were those of the rows that were kept."""
    told = pagemap.memory(blockers=2, runs=2, **machine.where)
    assert told.blockers is not None
    assert told.runs is not None
    assert set(told.blockers.total()) | set(told.runs.total()) == {None}
    assert told.about["runs"] == 4
    assert pagemap.memory(**machine.where).about["runs"] is None


def test_lists_of_no_rows(machine: Machine) -> None:
    told = pagemap.memory(blockers=0, runs=0, **machine.where)
    for table in (told.blockers, told.runs):
        assert table is not None
        assert len(table) == 0


def test_what_is_of_many_sizes_has_no_sum(machine: Machine) -> None:
    """Those of --blocks held the same memory once for each size of a block."""
    told = pagemap.memory(**machine.where)
    assert told.blocks is not None
    assert set(told.blocks.total()) == {None}
    assert told.orders.total().free_blocks is None
    assert told.orders.total().free == told.zones.total().free


@pytest.mark.parametrize("name", ["self", "version"])
def test_ksm_is_not_counted_where_the_flag_cannot_be_tried(machine: Machine, name: str) -> None:
    assert (machine.proc / name).exists()
    flags = words((4096, ANON | KSM))
    machine.frames(flags)
    told = pagemap.memory(**machine.where)
    assert told.about["ksm_told"] is None
    assert set(sizes(told)) == {"anon"}


def test_numbers_of_the_arguments(machine: Machine) -> None:
    for name, number in (("blockers", -1), ("runs", 1 << 30), ("threads", 0)):
        with pytest.raises(pagemap.UsageError, match=name):
            pagemap.memory(**{name: number, **machine.where})


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
    assert "nr_hugepages - free_hugepages" in [row.source for row in told.kinds]
    assert told.about["pinned"] == 3 * PAGE
    alone = pagemap.memory(frames=False, **machine.where)
    assert {row.name: row.kernel for row in alone.figures} == {
        row.name: row.kernel for row in told.figures
    }
    assert {row.counted for row in alone.figures} == {None}
