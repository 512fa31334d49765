"""`pagemap memory` beside the kernel's page-types, and its walk beside bare reads of the words."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests.workloads import PAGE

from .commands import PASS, Stopwatch, pagemap_command
from .floor import FramesFloor
from .race import OURS, Neighbours, Table, race, timed
from .tools import kernel_tool

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

PAGE_TYPES = "page-types"
FLOOR = "C loop, two threads"

pytestmark = pytest.mark.usefixtures("visible_pfns")


def system_ram() -> list[tuple[int, int]]:
    """The frames that the firmware calls memory, but for the first, which no zone has."""
    lines = re.findall(
        r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$",
        Path("/proc/iomem").read_text(),
        re.MULTILINE,
    )
    ranges = ((-(-int(first, 16) // PAGE), (int(last, 16) + 1) // PAGE) for first, last in lines)
    return [(max(start, 1), end) for start, end in ranges]


def test_command(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """All memory under names, and all blocks, in less time than page-types counts flags."""
    tool = kernel_tool("page-types")
    ours = (*pagemap_command(), "memory", "--csv")
    neighbours = Neighbours()
    figures = race(
        benchmark,
        Stopwatch(ours, tmp_path),
        {PAGE_TYPES: Stopwatch((tool,), tmp_path), "python -c pass": Stopwatch(PASS, tmp_path)},
        rounds=7,
    )
    neighbours.tell(table, "memory")
    row = table.faster("memory", figures[OURS], PAGE_TYPES, figures[PAGE_TYPES], at_least=1.5)
    assert row.met, row


def test_walk(table: Table, benchmark: BenchmarkFixture) -> None:
    """The library's call beside what no reader of these words can do without."""
    ranges = system_ram()
    frames = sum(end - start for start, end in ranges)
    told = pagemap.memory(frames=True)
    assert sum(row.size or 0 for row in told.kinds) == frames * PAGE
    neighbours = Neighbours()
    with closing(FramesFloor(ranges)) as floor:
        assert floor.read()[1] == frames
        figures = race(
            benchmark,
            timed(lambda: pagemap.memory(frames=True, threads=2)),
            {FLOOR: lambda: floor.read()[0]},
            rounds=9,
        )
    neighbours.tell(table, "walk over all frames")
    row = table.cost("walk over all frames", figures[OURS], FLOOR, figures[FLOOR], at_most=1.3)
    table.note(f"walk over all frames: {figures[OURS].least / frames * 1e9:.0f} ns for each")
    assert row.met, row
