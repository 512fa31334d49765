"""A round of write tracking over a GiB of which nothing was written, beside one bulk read of it."""

from __future__ import annotations

import contextlib
from array import array
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import workloads
from tests.workloads import PAGE

from .race import OURS, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    Area = tuple[str, pagemap.Process, list[tuple[int, int]]]

SIZE = 1 << 30
ROUNDS = 15
READ = "one bulk read"


KINDS = {
    "private": lambda: workloads.dense(SIZE),
    "shared": lambda: workloads.shared(SIZE * 2 // 3),  # of two areas, one and a half are written
}


@pytest.fixture(scope="module", params=KINDS)
def area(request: pytest.FixtureRequest) -> Iterator[Area]:
    """A stopped process with a GiB of base pages, each written; where its areas are."""
    with KINDS[request.param]() as target:
        target.stop()
        with pagemap.Process(target.pid) as process:
            areas = [(each.start, each.end - each.start) for each in target.areas.values()]
            yield request.param, process, areas


def test_a_round_without_writes(area: Area, table: Table, benchmark: BenchmarkFixture) -> None:
    kind, process, areas = area
    buffers = [array("Q", bytes(size // PAGE * 8)) for _, size in areas]
    with contextlib.closing(_tracker(process)) as tracker:
        assert (tracker.by_mapping(tracker.collect()).total().populated or 0) >= SIZE
        assert tracker.collect().total().size == 0
        figures = race(
            benchmark,
            timed(tracker.collect),
            {
                READ: timed(
                    lambda: [
                        process.read_into(buffer, start)
                        for buffer, (start, _) in zip(buffers, areas, strict=True)
                    ]
                ),
                "looking alone": timed(lambda: tracker.written),
            },
            rounds=ROUNDS,
        )
        assert tracker.written.total().size == 0
    assert all(entry >> 63 for entry in buffers[-1][:: 1 << 10])
    row = table.cost(
        f"a round, 1 GiB, {kind}, none written", figures[OURS], READ, figures[READ], at_most=0.15
    )
    table.cost(f"the same, {kind}, looking alone", figures["looking alone"], READ, figures[READ])
    assert row.met, row


def _tracker(process: pagemap.Process) -> pagemap.Tracker:
    try:
        return pagemap.track(process, inject=True)
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))
