"""`pagemap huge` beside thpmaps, which counts the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import naive_huge

from .commands import PASS, Stopwatch, output_of, pagemap_command
from .race import OURS, Figure, Table, race
from .tools import kernel_tool

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.naive_huge import Key
    from tests.workloads import Target

MIB = 1 << 20
PEAK_MIB = 100.0
THPMAPS = "thpmaps"
CONT = (4, 9)


def totals(about: dict[str, dict[str, int]]) -> dict[str, int]:
    """What can be compared: thpmaps tells nothing of pages of zeros."""
    sums = about["total"]
    return {name: sums[name] for name in ("pmd", "aligned", "unaligned", "partial")}


def summed(found: list[Counter[Key]]) -> dict[str, int]:
    """The same of thpmaps, in bytes."""
    sums = dict.fromkeys(("pmd", "aligned", "unaligned", "partial"), 0)
    for counts in found:
        for (_, what, _), pages in counts.items():
            if what != "cont":
                sums[what] += pages * naive_huge.PAGE
    return sums


@pytest.mark.usefixtures("visible_pfns")
@pytest.mark.parametrize(
    ("name", "rounds", "every"), [("thp", 8, 2), ("sparse", 6, 2), ("dense", 4, 2)]
)
def test_thpmaps(
    name: str,
    rounds: int,
    every: int,
    target: Callable[[str], Target],
    table: Table,
    benchmark: BenchmarkFixture,
    tmp_path: Path,
) -> None:
    """Whole commands, Python's start and all."""
    tool = kernel_tool(THPMAPS)
    pid = target(name).pid
    words = ("huge", str(pid), "--top", "0", "--cont", "64K,2M")
    ours = Stopwatch((*pagemap_command(), *words), tmp_path)
    blocks = [word for order in CONT for word in ("--cont", str(naive_huge.PAGE << order))]
    theirs = Stopwatch((tool, "--pid", str(pid), "--rollup", *blocks), tmp_path)

    about = json.loads(output_of((*ours.command, "--json"), cwd=tmp_path))
    assert totals(about) == summed(naive_huge.of_thpmaps(tool, pid))

    figures = race(
        benchmark,
        ours,
        {"python -c pass": Stopwatch(PASS, tmp_path), THPMAPS: theirs},
        rounds=rounds,
        every={THPMAPS: every},
    )
    peak, peak_theirs = max(ours.peaks) / MIB, max(theirs.peaks) / MIB
    rows = [
        table.faster(
            f"huge, {name}, whole", figures[OURS], THPMAPS, figures[THPMAPS], at_least=5.0
        ),
        table.cost(
            f"huge, {name}, peak",
            Figure(peak, peak),
            "limit",
            Figure(PEAK_MIB, PEAK_MIB),
            at_most=1.0,
            unit="MiB",
        ),
        table.cost(
            f"huge, {name}, peak",
            Figure(peak, peak),
            THPMAPS,
            Figure(peak_theirs, peak_theirs),
            unit="MiB",
        ),
    ]
    benchmark.extra_info["peak_bytes"] = max(ours.peaks)
    assert [row for row in rows if not row.met] == []
