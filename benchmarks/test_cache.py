"""The page cache of a tree of 100,000 files: beside vmtouch, and beside a bare C loop."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import build
from tests.workloads import PAGE

from .commands import Stopwatch, pagemap_command
from .race import OURS, Neighbours, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

FILES = 100_000
VMTOUCH = "vmtouch"
FLOOR = "C loop of open, cachestat, close"


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """Files of up to 5,000 bytes, a hundred in each folder, all of them cached."""
    with tempfile.TemporaryDirectory(prefix="pagemap-") as folder:
        for number in range(FILES // 100):
            below = Path(folder, str(number % 10), str(number))
            below.mkdir(parents=True)
            for each in range(100):
                (below / f"file {each}").write_bytes(b"x" * (each * 50))
        os.sync()
        yield Path(folder)


class Loop:
    """The C loop, which waits between its rounds."""

    def __init__(self, folder: Path) -> None:
        program = build.program(Path(__file__).with_name("cache_floor.c"))
        self._process = subprocess.Popen(
            [program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.files = self.pages = 0

    def __call__(self) -> float:
        """The seconds of one round."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        took, self.files, self.pages = map(int, self._process.stdout.readline().split())
        return took / 1e9

    def close(self) -> None:
        """End it, by closing its input."""
        self._process.communicate()


def test_library(table: Table, benchmark: BenchmarkFixture, tree: Path) -> None:
    neighbours = Neighbours()
    with contextlib.closing(Loop(tree)) as loop:
        loop()
        if not loop.files:
            pytest.skip("this kernel has no cachestat (6.5)")
        found = pagemap.cache([str(tree)], least=0)
        assert (len(found), found.total().cached) == (loop.files, loop.pages * PAGE)
        assert len(found) == FILES
        figures = race(
            benchmark,
            timed(lambda: pagemap.cache([str(tree)], least=0)),
            {FLOOR: loop},
            rounds=9,
        )
    neighbours.tell(table, "cache of 100,000 files")
    row = table.cost("cache of 100,000 files", figures[OURS], FLOOR, figures[FLOOR], at_most=1.5)
    assert row.met, row


def test_command(table: Table, benchmark: BenchmarkFixture, tree: Path, tmp_path: Path) -> None:
    program = shutil.which(VMTOUCH)
    if program is None:
        pytest.skip("vmtouch is not installed (Debian: apt install vmtouch)")
    ours = (*pagemap_command(), "cache", str(tree), "--top", "10")
    neighbours = Neighbours()
    figures = race(
        benchmark,
        Stopwatch(ours, tmp_path),
        {VMTOUCH: Stopwatch((program, "-q", str(tree)), tmp_path)},
        rounds=5,
    )
    neighbours.tell(table, "cache, the command")
    row = table.faster("cache, the command", figures[OURS], VMTOUCH, figures[VMTOUCH], at_least=1.0)
    assert row.met, row
