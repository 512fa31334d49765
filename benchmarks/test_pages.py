"""`Process.pages` over resident pages beside a bare C loop of preads, and the ways of Python."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pagemap import Process
from tests.workloads import PAGE, Area

from . import naive
from .floor import Floor
from .naive import ENTRY_SIZE
from .race import OURS, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

# The least that any reader does: each chunk overwrites the one before.
WINDOW = "C loop"
INTO = "read_into"
GIB = 1 << 30
ROUNDS = 40
# Rivals of which fewer rounds tell enough: they take ten times as long and more.
EVERY = {"python, one bulk read": 4, "python, read by read": 8}


def checksum(entries: Sequence[int] | memoryview) -> int:
    """The sum that floor.c makes of the same entries."""
    return sum(entries) % 2**64


def test_pages_of_one_gib(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture
) -> None:
    """It costs what the system calls beneath it cost, nearly."""
    dense = target("dense")
    area = Area("first GiB", dense.first.start, dense.first.start + GIB)
    span, vpn = (area.start, area.end), area.start // PAGE

    with ExitStack() as stack:
        process = stack.enter_context(Process(dense.pid))
        floor = stack.enter_context(closing(Floor(dense.pid, area)))
        fd = os.open(f"/proc/{dense.pid}/pagemap", os.O_RDONLY)
        stack.callback(os.close, fd)
        kept = bytearray(area.pages * ENTRY_SIZE)

        expected = floor.read("window")[1]
        pages = process.pages(span)
        assert len(pages) == pages.count("present") == area.pages
        assert checksum(pages.entries) == expected
        assert process.read_into(kept, area.start) == area.pages
        assert checksum(memoryview(kept).cast("Q")) == expected
        assert floor.read("reused")[1] == floor.read("fresh")[1] == expected
        assert checksum(naive.bulk(fd, vpn, area.pages)) == expected
        assert checksum(naive.one_by_one(fd, vpn, area.pages)) == expected

        figures = race(
            benchmark,
            timed(lambda: process.pages(span)),
            {
                WINDOW: lambda: floor.read("window")[0],
                "C loop, buffer kept": lambda: floor.read("reused")[0],
                "C loop, fresh buffer": lambda: floor.read("fresh")[0],
                INTO: timed(lambda: process.read_into(kept, area.start)),
                "python, one bulk read": timed(lambda: naive.bulk(fd, vpn, area.pages)),
                "python, read by read": timed(lambda: naive.one_by_one(fd, vpn, area.pages)),
            },
            rounds=ROUNDS,
            every=EVERY,
        )

    ours, window = figures[OURS], figures[WINDOW]
    table.note(
        f"C loop over 1 GiB: {window.least / area.pages * 1e9:.1f} ns a page at best, "
        f"{floor.best_chunk} entries a read; Process.pages {ours.least / area.pages * 1e9:.1f} ns"
    )
    row = table.cost("Process.pages, 1 GiB", ours, WINDOW, window, at_most=1.15)
    table.cost("Process.read_into, 1 GiB", figures[INTO], WINDOW, window)
    for name in ("C loop, buffer kept", "C loop, fresh buffer"):
        table.cost("Process.pages, 1 GiB", ours, name, figures[name])
    for name in EVERY:
        table.faster("Process.pages, 1 GiB", ours, name, figures[name])
    assert row.met, row
