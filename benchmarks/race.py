"""Contestants timed in turn, and the table of how they compare.

Noise comes and goes by the second on a shared machine. So contestants run in
turn, A B A B, within the same seconds, and every sample is kept. A result is
told by its minimum, which noise can only raise, and by its median.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_benchmark.fixture import BenchmarkFixture

    # One run: returns the seconds that it took, by whatever clock stands nearest to the work.
    Contestant = Callable[[], float]

OURS = "pagemap"


class Figure(NamedTuple):
    """What something took, in seconds unless the row says otherwise."""

    least: float
    median: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Figure:
        """Minimum and median of samples."""
        return cls(min(samples), statistics.median(samples))

    def less(self, other: Figure) -> Figure:
        """What is left when `other` is taken off."""
        return Figure(self.least - other.least, self.median - other.median)


def timed(call: Callable[[], object]) -> Contestant:
    """Time a call within this process."""

    def run() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return run


def race(
    benchmark: BenchmarkFixture,
    ours: Contestant,
    rivals: Mapping[str, Contestant],
    *,
    rounds: int,
    every: Mapping[str, int] | None = None,
) -> dict[str, Figure]:
    """Run `ours` and `rivals` in turn; a rival named in `every` runs in each n-th round only.

    Ours runs in pytest-benchmark's own timing, the rivals in the set-up of each
    of its rounds. All raw samples go to the JSON report, as extra_info.samples.
    """
    samples: dict[str, list[float]] = {name: [] for name in (OURS, *rivals)}
    turn = 0

    def run_rivals() -> None:
        nonlocal turn
        for name, rival in rivals.items():
            if turn % (every or {}).get(name, 1) == 0:
                samples[name].append(rival())
        turn += 1

    ours()  # what is paid once (caches, lazily loaded modules) is paid here
    pedantic: Any = benchmark.pedantic  # pytest-benchmark has no types
    pedantic(lambda: samples[OURS].append(ours()), setup=run_rivals, rounds=rounds)
    benchmark.extra_info["samples"] = samples
    return {name: Figure.of(taken) for name, taken in samples.items()}


QUIET_CORES = 0.1  # more than this is said: whoever takes every core notices a neighbour


class Neighbours:
    """How many cores other processes have kept busy since this was made."""

    def __init__(self) -> None:
        self._at = self._read()

    @staticmethod
    def _read() -> tuple[float, float]:
        # user nice system idle iowait irq softirq steal, in ticks since boot; guests are in user
        ticks = [int(word) for word in Path("/proc/stat").read_text().split(None, 9)[1:9]]
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        ours = os.times()
        return busy - sum(ours[:4]), ours.elapsed

    def cores(self) -> float:
        """Ours are this process and those children that it has waited for."""
        (then, since), (now, until) = self._at, self._read()
        return max(0.0, now - then) / (until - since)

    def tell(self, table: Table, name: str) -> None:
        """Have it said below the table, unless it was quiet."""
        if (cores := self.cores()) > QUIET_CORES:
            table.note(f"{name}: other processes kept {cores:.1f} cores busy meanwhile")


class Row(NamedTuple):
    """One line of the table; `ratio` is of the minima, `ratio_median` of the medians."""

    name: str
    ours: Figure
    rival_name: str
    rival: Figure
    ratio: float
    ratio_median: float
    at_least: float | None
    at_most: float | None
    unit: str

    @property
    def met(self) -> bool:
        """Whether the ratio of the minima is within the target; True without one."""
        if self.at_least is not None and not self.ratio >= self.at_least:
            return False
        return self.at_most is None or self.ratio <= self.at_most

    def cells(self) -> tuple[str, ...]:
        """What the table shows of this row."""
        if self.at_least is not None:
            target, verdict = f">= {self.at_least:g}", "pass" if self.met else "MISSED"
        elif self.at_most is not None:
            target, verdict = f"<= {self.at_most:g}", "pass" if self.met else "MISSED"
        else:
            target, verdict = "", ""
        return (
            self.name,
            show(self.ours.least, self.unit),
            show(self.ours.median, self.unit),
            self.rival_name,
            show(self.rival.least, self.unit),
            show(self.rival.median, self.unit),
            f"{self.ratio:.2f}",
            f"{self.ratio_median:.2f}",
            target,
            verdict,
        )


HEADER = ("benchmark", "ours", "median", "beside", "takes", "median", "ratio", "of medians",
          "target", "")  # fmt: skip


class Table:
    """The rows of one session, in the order in which they were measured."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []

    def faster(
        self,
        name: str,
        ours: Figure,
        rival_name: str,
        rival: Figure,
        *,
        at_least: float | None = None,
    ) -> Row:
        """Add how many times as fast as the rival we are."""
        ratio = Figure(rival.least / ours.least, rival.median / ours.median)
        self.rows.append(Row(name, ours, rival_name, rival, *ratio, at_least, None, "s"))
        return self.rows[-1]

    def cost(
        self,
        name: str,
        ours: Figure,
        rival_name: str,
        rival: Figure,
        *,
        at_most: float | None = None,
        unit: str = "s",
    ) -> Row:
        """Add how many times the rival's cost ours is."""
        ratio = Figure(ours.least / rival.least, ours.median / rival.median)
        self.rows.append(Row(name, ours, rival_name, rival, *ratio, None, at_most, unit))
        return self.rows[-1]

    def note(self, text: str) -> None:
        """Add a line to stand below the table, once."""
        if text not in self.notes:
            self.notes.append(text)

    def lines(self) -> list[str]:
        """The table as text."""
        cells = [HEADER, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        left = {0, 3, 8, 9}  # words stand left, numbers right
        return [
            "  ".join(
                cell.ljust(width) if column in left else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ] + self.notes


def show(value: float, unit: str) -> str:
    """Three digits and a unit: 1.23 ms; other units than seconds stand as they are."""
    if unit != "s":
        return f"{value:.1f} {unit}"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if abs(value) * factor >= 1:
            return f"{value * factor:.3g} {name}"
    return f"{value * 1e9:.3g} ns"
