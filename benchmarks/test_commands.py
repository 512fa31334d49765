"""The whole command `pagemap dump PID` beside the textbook program, and its peak memory."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import build

from .commands import PASS, Stopwatch, pagemap_command, same_output
from .race import OURS, Figure, Neighbours, Table, race
from .stage import FULL_GIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

    from .stage import Stage

MIB = 1 << 20
PEAK_MIB = 64
POPULATED = "--populated"
# Name of the target, options, rounds, every how many rounds the textbook runs (it takes ~1 us a
# page), and how many times as fast we must be.
WORKLOADS = [
    ("bash", "", 30, 1, None),
    ("many", "", 15, 1, None),
    ("sparse", "", 9, 3, 80.0),
    ("sparse", POPULATED, 15, 5, 300.0),
    ("thp", "", 9, 3, None),
    ("dense", "", 15, 5, 40.0),
]
# Of a row of the textbook: neither swapped nor present.
EMPTY = "^[0-9a-f]+ [0-9a-f]+ [01] [01] 0 0 "


def pages_of(pid: int) -> int:
    """The pages of all mappings; those of the kernel's half of the addresses have no entry."""
    found = re.findall(
        rb"^([0-9a-f]+)-([0-9a-f]+) ", Path(f"/proc/{pid}/maps").read_bytes(), re.MULTILINE
    )
    ranges = ((int(start, 16), int(end, 16)) for start, end in found)
    size = sum(end - start for start, end in ranges if end < 1 << 63)
    return size // os.sysconf("SC_PAGESIZE")


@pytest.mark.usefixtures("visible_pfns")
@pytest.mark.parametrize(("name", "option", "rounds", "every", "at_least"), WORKLOADS)
def test_dump(
    name: str,
    option: str,
    rounds: int,
    every: int,
    at_least: float | None,
    target: Callable[[str], Target],
    stage: Stage,
    table: Table,
    benchmark: BenchmarkFixture,
    tmp_path: Path,
) -> None:
    """The same rows as the textbook's, in less time, the start of Python left out."""
    title = f"dump {name} {option}".rstrip()
    pid = target(name).pid
    dump = (*pagemap_command(), "dump", str(pid), *option.split())
    textbook = (str(build.textbook()), str(pid))

    if option == POPULATED:
        kept = ("sh", "-c", f"{shlex.join(textbook)} | grep -Ev '{EMPTY}'")
        rows, last = same_output(dump, kept, cwd=tmp_path)
        assert 1 < rows < pages_of(pid)
    else:
        rows, last = same_output(dump, textbook, cwd=tmp_path)
        assert rows == pages_of(pid) + 1
    assert len(last.split(b" ", 6)) == 7

    neighbours = Neighbours()
    ours = Stopwatch(dump, tmp_path)
    figures = race(
        benchmark,
        ours,
        {"python -c pass": Stopwatch(PASS, tmp_path), "textbook": Stopwatch(textbook, tmp_path)},
        rounds=rounds,
        every={"textbook": every},
    )
    neighbours.tell(table, title)
    start = figures["python -c pass"]
    if stage.gib < FULL_GIB:
        at_least = None  # too little work to weigh against the start of Python
    peak = max(ours.peaks) / MIB
    checks = [
        table.faster(
            f"{title}, net",
            figures[OURS].less(start),
            "textbook",
            figures["textbook"],
            at_least=at_least,
        ),
        table.cost(
            f"{title}, whole",
            figures[OURS],
            "python -c pass",
            start,
            at_most=3.0 if name == "bash" else None,
        ),
        table.cost(
            f"{title}, peak",
            Figure(peak, peak),
            "limit",
            Figure(PEAK_MIB, PEAK_MIB),
            at_most=1.0,
            unit="MiB",
        ),
    ]
    benchmark.extra_info["peak_bytes"] = max(ours.peaks)
    assert [row.name for row in checks if not row.met] == []
