"""`pagemap types` beside the kernel's page-types, and frames' words in any order."""

from __future__ import annotations

import random
from array import array
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pagemap import FrameReader, Process
from pagemap._kernel.frames import NO_WORD

from .commands import PASS, Stopwatch, output_of, pagemap_command
from .floor import FlagsFloor
from .race import OURS, Neighbours, Table, race, timed
from .tools import kernel_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

PAGE_TYPES = "page-types"
SORTED = "in order of PFN"
# One page in so many may change its flags meanwhile, though the target is stopped: the kernel puts
# young pages on its lists, and ages them.
CHANGING = 128
FLOOR = "C loop, two threads"

pytestmark = pytest.mark.usefixtures("visible_pfns")


def histogram(lines: list[bytes], at: int) -> dict[int, int]:
    """Counts by flags: rows that begin with 0x, the count in column `at`."""
    rows = [line.replace(b",", b" ").split() for line in lines if line.startswith(b"0x")]
    return {int(row[0], 16): int(row[at]) for row in rows}


def test_target(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    """The same histogram in a fraction of the time: page-types asks for one frame at a time."""
    tool = kernel_tool("page-types")
    dense = target("dense")
    pid = dense.pid
    ours = (*pagemap_command(), "types", str(pid), "--csv")
    theirs = (tool, "--pid", str(pid))

    got = histogram(output_of(ours, cwd=tmp_path).splitlines(), 1)
    wanted = histogram(output_of(theirs, cwd=tmp_path).splitlines(), 1)
    assert sum(got.values()) == sum(wanted.values())
    differ = sum(abs(got.get(f, 0) - wanted.get(f, 0)) for f in {*got, *wanted})
    assert differ <= 2 * sum(got.values()) // CHANGING

    neighbours = Neighbours()
    with closing(FlagsFloor(pid, dense.first)) as floor:
        assert floor.read()[1] >= dense.first.pages
        figures = race(
            benchmark,
            Stopwatch(ours, tmp_path),
            {
                "python -c pass": Stopwatch(PASS, tmp_path),
                PAGE_TYPES: Stopwatch(theirs, tmp_path),
                FLOOR: lambda: floor.read()[0],
            },
            rounds=9,
            every={PAGE_TYPES: 2},
        )
    neighbours.tell(table, "types dense")
    theirs_took, start = figures[PAGE_TYPES], figures["python -c pass"]
    row = table.faster("types dense", figures[OURS], PAGE_TYPES, theirs_took, at_least=6.0)
    table.faster("types dense, net", figures[OURS].less(start), PAGE_TYPES, theirs_took)
    table.cost("types dense, net", figures[OURS].less(start), FLOOR, figures[FLOOR])
    table.faster(FLOOR, figures[FLOOR], PAGE_TYPES, theirs_took)
    assert row.met, row


def test_memory(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Every frame of the machine, each read once by both."""
    tool = kernel_tool("page-types")
    ours = (*pagemap_command(), "types", "--csv")
    got = histogram(output_of(ours, cwd=tmp_path).splitlines(), 1)
    wanted = histogram(output_of((tool,), cwd=tmp_path).splitlines(), 1)
    assert sum(got.values()) == sum(wanted.values())
    neighbours = Neighbours()
    figures = race(
        benchmark,
        Stopwatch(ours, tmp_path),
        {PAGE_TYPES: Stopwatch((tool,), tmp_path)},
        rounds=7,
    )
    neighbours.tell(table, "types of all memory")
    row = table.faster(
        "types of all memory", figures[OURS], PAGE_TYPES, figures[PAGE_TYPES], at_least=1.5
    )
    assert row.met, row


def test_gather(target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture) -> None:
    """Flags of frames asked for in random order, beside the same frames in their own order."""
    dense = target("dense")
    with Process(dense.pid) as process, FrameReader() as frames:
        area = dense.first
        pfns = array("Q", process.pages((area.start, area.end)).pfns())
        random.Random(1).shuffle(pfns)
        inorder = array("Q", sorted(pfns))
        drawn, straight = memoryview(pfns), memoryview(inorder)
        by_frame = dict(zip(inorder, frames.words("flags", straight), strict=True))
        words = frames.words("flags", drawn)
        assert NO_WORD not in words
        differ = sum(by_frame[pfn] != word for pfn, word in zip(pfns, words, strict=True))
        assert differ <= len(pfns) // CHANGING
        del by_frame, words

        neighbours = Neighbours()
        figures = race(
            benchmark,
            timed(lambda: frames.words("flags", drawn)),
            {SORTED: timed(lambda: frames.words("flags", straight))},
            rounds=9,
        )
    neighbours.tell(table, "frames in random order")
    row = table.cost("frames in random order", figures[OURS], SORTED, figures[SORTED], at_most=1.5)
    assert row.met, row
