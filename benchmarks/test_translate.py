"""`virt_to_phys` on an open Process beside one bare read of the same entry."""

from __future__ import annotations

import os
import sys
import timeit
from typing import TYPE_CHECKING

import pytest

from pagemap import Process
from tests.workloads import PAGE

from .race import OURS, Figure, Table, race

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

CALLS = 2000  # in a block; blocks of both are timed in turn
BLOCKS = 100
PFN_MASK = (1 << 55) - 1
PREAD = "os.pread of 8 bytes"


@pytest.mark.usefixtures("visible_pfns")
def test_translate_one_address(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture
) -> None:
    """A system call, and not as much again."""
    small = target("small")
    address = small.first.start + 123
    offset = address // PAGE * 8
    fd = os.open(f"/proc/{small.pid}/pagemap", os.O_RDONLY)
    try:
        with Process(small.pid) as process:
            entry = int.from_bytes(os.pread(fd, 8, offset), sys.byteorder)
            assert process.virt_to_phys(address) == (entry & PFN_MASK) * PAGE + 123

            names = {"os": os, "fd": fd, "offset": offset, "process": process, "address": address}
            ours = timeit.Timer("process.virt_to_phys(address)", globals=names)
            pread = timeit.Timer("os.pread(fd, 8, offset)", globals=names)
            figures = race(
                benchmark,
                lambda: ours.timeit(CALLS),
                {PREAD: lambda: pread.timeit(CALLS)},
                rounds=BLOCKS,
            )
    finally:
        os.close(fd)

    one = {
        name: Figure(figure.least / CALLS, figure.median / CALLS)
        for name, figure in figures.items()
    }
    row = table.cost("virt_to_phys, open", one[OURS], PREAD, one[PREAD], at_most=2.0)
    assert row.met, row
