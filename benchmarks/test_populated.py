"""Everything that is there, and how much that is, beside the kernel's own ways to tell it."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap import Process
from tests.workloads import PAGE

from .commands import PASS, Stopwatch, output_of, pagemap_command
from .floor import Floor
from .race import OURS, Neighbours, Table, race, timed
from .tools import kernel_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

PREADS, SCAN, ROLLUP = "C loop of preads", "C scan loop", "smaps_rollup"
LOOK = "maps and scan in C"
PAIRED = "the same, two threads"
COUNTED, ALL_COUNTED = "tally(), rss and swap", "tally()"
RSS = ("rss", "swap")
# Pages that smaps does not count as resident: those of [vdso] and [vvar].
SPECIAL = 16


def rollup(pid: int) -> bytes:
    """The kernel's own sums."""
    with Path(f"/proc/{pid}/smaps_rollup").open("rb", buffering=0) as file:
        return file.readall()


def resident_pages(text: bytes) -> int:
    """What smaps_rollup says is resident."""
    found = re.search(rb"^Rss:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 // PAGE


# Name, rounds, how many times the preads' cost `populated()` may take, and `tally()`.
@pytest.mark.parametrize(
    ("name", "rounds", "entries_at_most", "counts_at_most"),
    [
        ("dense", 30, 0.6, 0.4),
        ("striped", 30, None, None),
        ("many", 10, None, None),
        ("thp", 10, None, None),
    ],
)
def test_populated(
    name: str,
    rounds: int,
    entries_at_most: float | None,
    counts_at_most: float | None,
    target: Callable[[str], Target],
    table: Table,
    benchmark: BenchmarkFixture,
) -> None:
    """Less than one thread needs to read all the entries, and less still for two sums."""
    resident = target(name)
    area, pid = resident.first, resident.pid
    with ExitStack() as stack:
        process = stack.enter_context(Process(pid))
        preads = stack.enter_context(closing(Floor(pid, area)))
        everywhere = stack.enter_context(closing(Floor(pid)))

        def entries() -> int:
            return sum(len(pages) for _, pages in process.populated())

        pages = everywhere.scan()[1]
        assert entries() == pages
        sums = process.tally(RSS).total()
        assert 0 <= pages - (sums.rss or 0) // PAGE < SPECIAL
        assert sums.swap == 0
        assert 0 <= pages - resident_pages(rollup(pid)) < SPECIAL
        if name in {"dense", "thp"}:  # every page of the area is there
            inside = (
                found.entries
                for _, found in process.populated()
                if area.start <= found.start < area.end
            )
            assert sum(map(sum, inside)) % 2**64 == preads.read()[1]

        neighbours = Neighbours()
        figures = race(
            benchmark,
            timed(entries),
            {
                PREADS: lambda: preads.read()[0],
                PAIRED: preads.read_paired,
                SCAN: lambda: everywhere.scan()[0],
                COUNTED: timed(lambda: process.tally(RSS).total()),
                ALL_COUNTED: timed(lambda: process.tally().total()),
                ROLLUP: timed(lambda: rollup(pid)),
            },
            rounds=rounds,
        )
    neighbours.tell(table, f"populated(), {name}")

    ours, counted = figures[OURS], figures[COUNTED]
    rolled_at_least = None if counts_at_most is None else 1.0
    rows = [
        table.cost(f"populated(), {name}", ours, PREADS, figures[PREADS], at_most=entries_at_most),
        table.cost(f"populated(), {name}", ours, PAIRED, figures[PAIRED]),
        table.cost(f"{COUNTED}, {name}", counted, PREADS, figures[PREADS], at_most=counts_at_most),
        table.cost(f"{COUNTED}, {name}", counted, SCAN, figures[SCAN]),
        table.faster(
            f"{COUNTED}, {name}", counted, ROLLUP, figures[ROLLUP], at_least=rolled_at_least
        ),
        table.faster(f"{ALL_COUNTED}, {name}", figures[ALL_COUNTED], ROLLUP, figures[ROLLUP]),
    ]
    assert [row for row in rows if not row.met] == []


@pytest.mark.usefixtures("visible_pfns")
def test_huge_pages(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    """How much is mapped by huge entries; thpmaps looks at each frame for it."""
    tool = kernel_tool("thpmaps")
    pid = target("thp").pid
    ours = (*pagemap_command(), "maps", str(pid), "--json")
    theirs = (tool, "--pid", str(pid))

    huge = json.loads(output_of(ours, cwd=tmp_path))["total"]["huge"]
    listed = output_of(theirs, cwd=tmp_path)
    mapped = re.search(rb"anon-thp-pmd-aligned-\d+kB:\s+(\d+) kB", listed)
    assert mapped is not None
    assert huge == int(mapped[1]) * 1024

    figures = race(
        benchmark,
        Stopwatch(ours, tmp_path),
        {"python -c pass": Stopwatch(PASS, tmp_path), "thpmaps": Stopwatch(theirs, tmp_path)},
        rounds=6,
        every={"thpmaps": 3},
    )
    table.faster("maps --json, thp, whole", figures[OURS], "thpmaps", figures["thpmaps"])


# Name, rounds, and how many times the cost of the same in C the calls may take.
@pytest.mark.parametrize(
    ("name", "rounds", "counts_at_most", "entries_at_most"),
    [("many", 10, 2.0, None), ("thp", 30, 3.0, None), ("bash", 200, 3.0, 3.0)],
)
def test_of_an_open_process(
    name: str,
    rounds: int,
    counts_at_most: float,
    entries_at_most: float | None,
    target: Callable[[str], Target],
    table: Table,
    benchmark: BenchmarkFixture,
) -> None:
    """A table of all mappings, beside a program in C that opens, reads maps and scans."""
    pid = target(name).pid
    with ExitStack() as stack:
        process = stack.enter_context(Process(pid))
        floor = stack.enter_context(closing(Floor(pid)))
        pages = floor.look()[1]
        sums = process.tally().total()
        assert (sums.present or 0) // PAGE == pages
        assert sum(len(found) for _, found in process.populated()) == pages
        figures = race(
            benchmark,
            timed(process.tally),
            {
                LOOK: lambda: floor.look()[0],
                "populated()": timed(lambda: list(process.populated())),
            },
            rounds=rounds,
        )
    look, entries = figures[LOOK], figures["populated()"]
    rows = [
        table.cost(
            f"tally() as a Table, {name}", figures[OURS], LOOK, look, at_most=counts_at_most
        ),
        table.cost(f"populated(), {name}", entries, LOOK, look, at_most=entries_at_most),
    ]
    assert [row for row in rows if not row.met] == []
