"""Terabytes reserved and 64 pages touched: the cost is that of the pages."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from pagemap import Process
from tests.workloads import PAGE

from . import naive
from .commands import PASS, Stopwatch, output_of, pagemap_command
from .floor import Floor, first_of
from .race import OURS, Table, race, timed
from .stage import TOUCHED
from .tools import kernel_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Area, Target

GIB = 1 << 30
SCAN, PREADS, PAGE_TYPES = "C scan loop", "C loop of preads", "page-types -L"
ROUNDS = 200
# The preads of a terabyte take more than a second: two of them tell enough.
EVERY = {PREADS: ROUNDS // 2}


def touched(area: Area) -> list[int]:
    """The virtual page numbers that the target has written."""
    return list(range(area.start // PAGE, area.end // PAGE, area.pages // TOUCHED))


@pytest.mark.parametrize("name", ["1 TiB", "20 TiB"])
def test_populated(
    name: str, target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture
) -> None:
    """Little more than the kernel's own walk over the whole address space."""
    reserved = target(name)
    area, pid = reserved.first, reserved.pid
    with ExitStack() as stack:
        process = stack.enter_context(Process(pid))
        everywhere = stack.enter_context(closing(Floor(pid)))
        fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
        stack.callback(os.close, fd)

        found = [
            (pages.start // PAGE + index, entry)
            for _, pages in process.populated()
            for index, entry in enumerate(pages.entries)
        ]
        assert len(found) == everywhere.scan()[1]
        inside = [(vpn, entry) for vpn, entry in found if area.start <= vpn * PAGE < area.end]
        assert inside == [(vpn, naive.bulk(fd, vpn, 1)[0]) for vpn in touched(area)]

        rivals = {SCAN: lambda: everywhere.scan()[0]}
        if name == "1 TiB":
            sample = stack.enter_context(closing(Floor(pid, first_of(area, GIB))))
            bulk = stack.enter_context(closing(Floor(pid, area)))
            rivals[PREADS] = lambda: bulk.read("window", sample.best_chunk)[0]
        figures = race(
            benchmark,
            timed(lambda: sum(len(pages) for _, pages in process.populated())),
            rivals,
            rounds=ROUNDS,
            every=EVERY,
        )

    title = f"populated(), {name} reserved"
    rows = [table.cost(title, figures[OURS], SCAN, figures[SCAN], at_most=5.0)]
    if PREADS in figures:
        rows.append(table.faster(title, figures[OURS], PREADS, figures[PREADS], at_least=500.0))
    assert [row for row in rows if not row.met] == []


@pytest.mark.usefixtures("visible_pfns")
# A run of page-types takes as long as reading all entries does: 20 times as long for the larger.
@pytest.mark.parametrize(("name", "rounds", "every"), [("1 TiB", 20, 7), ("20 TiB", 20, 20)])
def test_dump(
    name: str,
    rounds: int,
    every: int,
    target: Callable[[str], Target],
    table: Table,
    benchmark: BenchmarkFixture,
    tmp_path: Path,
) -> None:
    """The rows of what is there, where the kernel's own tool looks at every page."""
    tool = kernel_tool("page-types")
    pid = target(name).pid
    dump = (*pagemap_command(), "dump", str(pid), "--populated", "--no-header")
    theirs = (tool, "--pid", str(pid), "--list-each", "--no-summary")

    rows = [line.split()[:2] for line in output_of(dump, cwd=tmp_path).splitlines()]
    listed = [line.split()[:2] for line in output_of(theirs, cwd=tmp_path).splitlines()[1:]]
    assert [(int(address, 16) // PAGE, int(pfn, 16)) for address, pfn in rows] == [
        (int(vpn, 16), int(pfn, 16)) for vpn, pfn in listed
    ]

    figures = race(
        benchmark,
        Stopwatch(dump, tmp_path),
        {"python -c pass": Stopwatch(PASS, tmp_path), PAGE_TYPES: Stopwatch(theirs, tmp_path)},
        rounds=rounds,
        every={PAGE_TYPES: every},
    )
    start = figures["python -c pass"]
    row = table.faster(
        f"dump --populated, {name} reserved, net",
        figures[OURS].less(start),
        PAGE_TYPES,
        figures[PAGE_TYPES],
        at_least=10.0,
    )
    table.cost(f"dump --populated, {name} reserved, whole", figures[OURS], "python -c pass", start)
    assert row.met, row
