"""Footprints of everybody beside smem, and what a gentle walk costs those who are looked at."""

from __future__ import annotations

import shutil
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import pagemap
from pagemap._analyses.gentle import Gentle
from tests import build, oracle, workloads
from tests.workloads import run

from .commands import PASS, Stopwatch, output_of, pagemap_command
from .race import OURS, Figure, Neighbours, Table, race
from .stage import free_gib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

    from .stage import Stage

GIB, MIB = 1 << 30, 1 << 20
PROCESSES = 300
LIMIT = 0.005  # seconds
HEADROOM_GIB = 2
ROUNDS = 3
FAULTS = 10_000  # of fewer the one in a thousand would say little
PROGRAM = Path(__file__).resolve().with_name("faulting.c")
SMEM, ROLLUP = "smem", "smaps_rollup"


def test_everybody(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """All processes of the machine, 300 of ours among them."""
    smem = shutil.which(SMEM)
    if smem is None:
        pytest.skip("smem: not on the PATH (Debian: apt install smem)")
    with ExitStack() as stack:
        ours = [stack.enter_context(workloads.idle()).pid for _ in range(PROCESSES)]
        told = (*pagemap_command(), "footprint")
        columns = ("--columns", "pid,rss,uss,swap", "--csv")
        rows = numbers(output_of((*told, *columns), cwd=tmp_path).replace(b",", b" "))
        theirs = (smem, "-H", "-c", "pid rss uss swap")
        listed = numbers(output_of(theirs, cwd=tmp_path))
        for pid in ours:
            assert rows[pid] == [1024 * kib for kib in listed[pid]]

        neighbours = Neighbours()
        figures = race(
            benchmark,
            Stopwatch(told, tmp_path),
            {SMEM: Stopwatch((smem,), tmp_path), "python -c pass": Stopwatch(PASS, tmp_path)},
            rounds=10,
        )
    title = f"footprint, {PROCESSES} processes"
    row = table.faster(title, figures[OURS], SMEM, figures[SMEM], at_least=2.0)
    table.cost(title, figures[OURS], "python -c pass", figures["python -c pass"])
    neighbours.tell(table, title)
    assert row.met, row


def numbers(text: bytes) -> dict[int, list[int]]:
    """By the first number of each line that begins with one, the others."""
    lines = (line.split() for line in text.splitlines())
    return {int(words[0]): list(map(int, words[1:])) for words in lines if words[0].isdigit()}


class Times(NamedTuple):
    """How long something took in the target, in seconds."""

    events: int
    median: float
    p999: float
    longest: float


def recorded(target: Target, look: Callable[[], object]) -> tuple[Times, Times]:
    """What faults took in the target during `look`, and what mmap() and munmap()."""
    target.tell("g")
    look()
    target.tell("s")
    words = [int(word) for word in target.read_line().split()]
    faults, changes = (
        Times(part[0], *(ns / 1e9 for ns in part[1:])) for part in (words[:4], words[4:])
    )
    return faults, changes


@pytest.fixture
def faulting(stage: Stage) -> Iterator[Target]:
    """A process of some GiB that faults pages in without a pause."""
    stage.end_big()
    gib = min(stage.gib, free_gib() - HEADROOM_GIB)
    if gib < 1:
        pytest.skip(f"faulting: less than {1 + HEADROOM_GIB} GiB are free")
    with run(build.program(PROGRAM), str(gib * GIB)) as target:
        yield target


@pytest.mark.usefixtures("visible_pfns")
def test_gentle(faulting: Target, table: Table, benchmark: BenchmarkFixture) -> None:
    """No hold of the target's lock is long, and nothing in the target waits for it."""
    pid, size = faulting.pid, faulting.first.end - faulting.first.start
    beside: dict[str, list[tuple[Times, Times]]] = {OURS: [], ROLLUP: []}
    longest, held, walked = [], [], []
    with pagemap.Process(pid) as process:

        def walk() -> None:
            with Gentle() as gentle:
                walked.append(process.footprint(gentle=gentle))
            longest.append(gentle.longest)
            held.append(gentle.held)

        def sum_up() -> None:
            beside[ROLLUP].append(recorded(faulting, process.footprint))
            # at most so much is mapped and unmapped meanwhile
            for each in walked:
                assert abs((each.rss or 0) - oracle.smaps_rollup(pid)["Rss"]) < MIB
                assert (each.uss or 0) >= size

        pedantic: Any = benchmark.pedantic  # pytest-benchmark has no types
        pedantic(lambda: beside[OURS].append(recorded(faulting, walk)), setup=sum_up, rounds=ROUNDS)
    assert min(faults.events for faults, _ in beside[OURS]) > FAULTS
    benchmark.extra_info["samples"] = {"longest": longest, "held": held, **beside}

    title = f"footprint --gentle, {size // GIB} GiB dense"
    limit = Figure(LIMIT, LIMIT)
    # of what must never be long the longest counts, and not the shortest
    chunk_title = f"{title}: longest chunk"
    rows = [table.cost(chunk_title, worst_of(longest), "limit", limit, at_most=1.0)]
    for number, what in enumerate(("faults", "mmap and munmap")):
        # while the lock is held there are few, so of smaps_rollup only the longest tell
        ours = worst_of(each[number].p999 for each in beside[OURS])
        at_most = 1.0 if what == "faults" else None
        rows.append(table.cost(f"{title}: {what}, p99.9", ours, "limit", limit, at_most=at_most))
        ours = worst_of(each[number].longest for each in beside[OURS])
        theirs = worst_of(each[number].longest for each in beside[ROLLUP])
        table.cost(f"{title}: {what}, longest", ours, ROLLUP, theirs)
    assert [row for row in rows if not row.met] == []


def worst_of(values: Iterable[float]) -> Figure:
    """The largest, where others have the least; and the median."""
    known = list(values)
    return Figure(max(known), statistics.median(known))
