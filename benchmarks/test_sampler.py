"""A process that samples itself: the price of one sample, of many, and of those taken meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.workloads import PAGE

from .commands import ENVIRONMENT
from .floor import FILE, HUGE, PRESENT, SWAPPED, Floor
from .race import OURS, Figure, Neighbours, Table, race
from .stage import FULL_GIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from .stage import Stage

PROGRAM = Path(__file__).resolve().with_name("sampled.py")
MIB = 1 << 20
SCAN = "C scan loop"
RSS = "rss,swap"
ALONE = "without a Sampler"
RATE = 50
SAMPLES = 100_000
# What the interpreter may have allocated between a sample and the scan beside it, in pages.
SLACK = 64


class Sampled:
    """The process; it waits while it is not asked, so its memory rests."""

    def __init__(self, mib: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(mib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        self.pid = self._process.pid
        assert self._answer() == [PAGE]

    def ask(self, request: str) -> list[float]:
        """The numbers with which it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{request}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[float]:
        assert self._process.stdout is not None
        return list(map(float, self._process.stdout.readline().split()))

    def close(self) -> None:
        """End it, by closing its input."""
        self._process.communicate()


@contextlib.contextmanager
def sampled(mib: int) -> Iterator[Sampled]:
    """A process with so much resident memory of base pages."""
    with contextlib.closing(Sampled(mib)) as process:
        yield process


def test_sample(table: Table, benchmark: BenchmarkFixture) -> None:
    """No more than the kernel's own scan for the same categories."""
    with sampled(1024) as process, contextlib.closing(Floor(process.pid)) as floor:
        for counts in ("all", RSS):
            _, present, swapped = process.ask(f"sample {counts}")
            assert abs(present + swapped - floor.scan()[1]) < SLACK
        assert present > 1024 * MIB // PAGE

        figures = race(
            benchmark,
            lambda: process.ask("sample all")[0],
            {
                SCAN: lambda: floor.scan(PRESENT | SWAPPED | FILE | HUGE)[0],
                RSS: lambda: process.ask(f"sample {RSS}")[0],
                f"{SCAN}, {RSS}": lambda: floor.scan()[0],
            },
            rounds=60,
        )
    row = table.cost("sample(), 1 GiB", figures[OURS], SCAN, figures[SCAN], at_most=1.2)
    other = f"{SCAN}, {RSS}"
    table.cost(f"sample(), 1 GiB, {RSS}", figures[RSS], other, figures[other])
    assert row.met, row


def test_sample_while_busy(table: Table, benchmark: BenchmarkFixture) -> None:
    """A thread that computes in Python hardly notices."""
    asked: list[float] = []
    neighbours = Neighbours()
    with sampled(100) as process:

        def busy(rate: int) -> float:
            seconds, samples = process.ask(f"busy {rate}")
            if rate:
                asked.append(samples / seconds)
            return seconds

        figures = race(benchmark, lambda: busy(RATE), {ALONE: lambda: busy(0)}, rounds=30)
    assert min(asked) > 0.8 * RATE
    title = f"Python beside {RATE} samples/s, 100 MiB"
    neighbours.tell(table, title)
    row = table.cost(
        title,
        figures[OURS],
        ALONE,
        figures[ALONE],
        at_most=1.05,
    )
    assert row.met, row


def test_memory_stays_flat(stage: Stage, table: Table, benchmark: BenchmarkFixture) -> None:
    """What a sample needs is allocated once."""
    samples = SAMPLES if stage.gib == FULL_GIB else SAMPLES // 10
    with sampled(1) as process:
        pedantic: Any = benchmark.pedantic  # pytest-benchmark has no types
        before, after = pedantic(lambda: process.ask(f"flat {samples}"))
    row = table.cost(
        f"resident after {samples:,} samples",
        Figure(after / MIB, after / MIB),
        "after 1,000",
        Figure(before / MIB, before / MIB),
        at_most=1.01,
        unit="MiB",
    )
    assert row.met, row
