"""Two snapshots compared, beside reading both; of the same process, live, beside reading it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pagemap
from tests.target import PAGE, run

from .race import OURS, Table, race, timed
from .stage import FULL_GIB

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from .stage import Stage

READ = "entries of both"
# What it does in between: of each 200 pages 5 are dropped, and 5 dropped and written again.
SCRIPT = """
import mmap, sys
size = int(sys.argv[1])
memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(15)  # MADV_NOHUGEPAGE
for at in range(0, size, mmap.PAGESIZE):
    memory[at] = 1
print("ready", flush=True)
sys.stdin.read(1)
for at in range(0, size, 200 * mmap.PAGESIZE):
    memory.madvise(mmap.MADV_DONTNEED, at, 10 * mmap.PAGESIZE)
    for page in range(5):
        memory[at + page * mmap.PAGESIZE] = 2
print("ready", flush=True)
sys.stdin.read(1)
"""


def take(pid: int, path: Path) -> None:
    command = [sys.executable, "-m", "pagemap", "snapshot", str(pid), "-o", str(path)]
    subprocess.run(command, check=True, timeout=600)


def entries_of(process: pagemap.SavedProcess | pagemap.Process) -> int:
    return sum(len(pages) for _, pages in process.populated())


def test_diff(stage: Stage, table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """At most half as much again as reading both."""
    size = stage.gib << 30
    with run(sys.executable, "-c", SCRIPT, str(size)) as target:
        take(target.pid, tmp_path / "before")
        target.tell("c")
        target.wait_ready()
        take(target.pid, tmp_path / "after")
    with (
        pagemap.Snapshot(tmp_path / "before") as first,
        pagemap.Snapshot(tmp_path / "after") as second,
    ):
        a, b = first.process(), second.process()

        def compare() -> None:
            dropped = {row.kind: row.amount for row in pagemap.diff(a, b, by="kind")}["dropped"]
            assert abs(dropped - size // 40) < 64 * PAGE

        figures = race(
            benchmark,
            timed(compare),
            {READ: timed(lambda: (entries_of(a), entries_of(b)))},
            rounds=10 if stage.gib == FULL_GIB else 20,
        )
    row = table.cost(f"diff of {stage.gib} GiB", figures[OURS], READ, figures[READ], at_most=1.5)
    assert row.met, row
