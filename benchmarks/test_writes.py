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

SIZE = 1 << 30
ROUNDS = 15
READ = "one bulk read"


@pytest.fixture(scope="module")
def area() -> Iterator[tuple[pagemap.Process, int]]:
    """A stopped process with a GiB of base pages, each written, and where they begin."""
    with workloads.dense(SIZE) as target:
        target.stop()
        with pagemap.Process(target.pid) as process:
            yield process, target.first.start


def test_a_round_without_writes(
    area: tuple[pagemap.Process, int], table: Table, benchmark: BenchmarkFixture
) -> None:
    process, start = area
    buffer = array("Q", bytes(SIZE // PAGE * 8))
    with contextlib.closing(_tracker(process)) as tracker:
        assert (tracker.by_mapping(tracker.collect()).total().populated or 0) >= SIZE
        assert tracker.collect().total().size == 0
        figures = race(
            benchmark,
            timed(tracker.collect),
            {
                READ: timed(lambda: process.read_into(buffer, start)),
                "looking alone": timed(lambda: tracker.written),
            },
            rounds=ROUNDS,
        )
        assert tracker.written.total().size == 0
    assert all(entry >> 63 for entry in buffer[:: 1 << 10])
    row = table.cost(
        "a round, 1 GiB, none written", figures[OURS], READ, figures[READ], at_most=0.15
    )
    table.cost("the same, looking alone", figures["looking alone"], READ, figures[READ])
    assert row.met, row


def _tracker(process: pagemap.Process) -> pagemap.Tracker:
    try:
        return pagemap.track(process, inject=True)
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))
