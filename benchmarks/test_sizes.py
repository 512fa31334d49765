"""How the cost grows with the size, by powers of four: of what is reserved, of what is resident."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import pagemap
from pagemap._vocabulary.units import format_size
from tests import build, workloads
from tests.workloads import PAGE

from .commands import Stopwatch, pagemap_command
from .floor import CHUNKS, Floor
from .plot import Line, log_log
from .race import OURS, Figure, Table, race, show, timed
from .stage import free_gib, reserved
from .tools import find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

    from .race import Contestant
    from .stage import Stage

MIB, GIB = 1 << 20, 1 << 30
TOUCHED = 1000
RESERVED = [GIB << shift for shift in range(0, 16, 2)]  # up to 16 TiB
RESIDENT = [16 * MIB << shift for shift in range(0, 10, 2)]  # up to 4 GiB
ROUNDS = 5
# Who took longer than this is not asked about larger sizes.
PATIENCE_SECONDS = 1.0
POPULATED, RSS, DUMP = "populated()", "tally(), rss and swapped", "dump --populated"
OURS_ARE = (POPULATED, RSS, DUMP)
FOLDER = Path(".benchmarks")


class Chart:
    """What everybody took at each size."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[str, list[tuple[int, Figure]]] = {}

    def add(self, size: int, figures: dict[str, Figure]) -> None:
        """Take in one size; sizes come in ascending order."""
        for name, figure in figures.items():
            self.lines.setdefault(name, []).append((size, figure))

    def tired(self, name: str) -> bool:
        """Whether a contestant has taken too long already."""
        return name in self.lines and self.lines[name][-1][1].least > PATIENCE_SECONDS

    def write(self, folder: Path) -> Path:
        """Draw it; returns where."""
        lines = [
            Line(name, [(size, figure.least) for size, figure in points], name not in OURS_ARE)
            for name, points in self.lines.items()
        ]
        title = f"Seconds as {self.name} memory grows"
        path = folder / f"sizes-{self.name}.svg"
        folder.mkdir(exist_ok=True)
        path.write_text(
            log_log(title, f"{self.name} size", lines, show_x=short_size, show_y=short_time)
        )
        return path


class Charts(NamedTuple):
    """One for each way to grow."""

    reserved: Chart
    resident: Chart


def short_size(size: float) -> str:
    """1 GiB, not 1.0 GiB: all sizes are powers of two."""
    return format_size(int(size)).replace(".0 ", " ")


def short_time(seconds: float) -> str:
    """A power of ten."""
    return show(seconds * 1.000001, "s")


@pytest.fixture(scope="module")
def charts(table: Table, pytestconfig: pytest.Config) -> Iterator[Charts]:
    """The charts, drawn when the last size is done."""
    charts = Charts(Chart("reserved"), Chart("resident"))
    yield charts
    for chart in charts:
        if not chart.lines:
            continue
        table.note(f"chart: {chart.write(pytestconfig.rootpath / FOLDER)}")
        for name in (POPULATED, RSS):
            (small, least), (large, most) = chart.lines[name][0], chart.lines[name][-1]
            table.cost(f"{name}, {short_size(large)} {chart.name}", most, short_size(small), least)


def contest(target: Target, stack: ExitStack, folder: Path) -> dict[str, Contestant]:
    """Everybody, for one target."""
    pid = target.pid
    process = stack.enter_context(pagemap.Process(pid))
    preads = stack.enter_context(closing(Floor(pid, target.first)))
    everywhere = stack.enter_context(closing(Floor(pid)))

    def entries() -> int:
        return sum(len(pages) for _, pages in process.populated())

    def counts() -> int:
        present: int = process.tally(("present", "swap")).total().present or 0
        return present // PAGE

    expected = everywhere.scan()[1]
    assert entries() == counts() == expected
    contestants: dict[str, Contestant] = {
        POPULATED: timed(entries),
        RSS: timed(counts),
        DUMP: Stopwatch((*pagemap_command(), "dump", str(pid), "--populated"), folder),
        "C scan loop": lambda: everywhere.scan()[0],
        "C loop of preads": lambda: preads.read("window", CHUNKS[1])[0],
        "smaps_rollup": timed(Path(f"/proc/{pid}/smaps_rollup").read_bytes),
        "textbook program": Stopwatch((str(build.textbook()), str(pid)), folder),
    }
    if tool := find_tool("page-types"):
        listing = (tool, "--pid", str(pid), "--list-each", "--no-summary")
        contestants["page-types -L"] = Stopwatch(listing, folder)
    return contestants


def grow(
    chart: Chart, size: int, target: Target, benchmark: BenchmarkFixture, folder: Path
) -> None:
    """Time everybody who is not tired at one size."""
    with ExitStack() as stack:
        contestants = {
            name: contestant
            for name, contestant in contest(target, stack, folder).items()
            if not chart.tired(name)
        }
        ours = contestants.pop(POPULATED)
        figures = race(benchmark, ours, contestants, rounds=ROUNDS)
    chart.add(size, {POPULATED: figures.pop(OURS), **figures})


@pytest.mark.usefixtures("visible_pfns")
@pytest.mark.parametrize("size", RESERVED, ids=short_size)
def test_reserved(size: int, charts: Charts, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """A thousand pages among ever more that were never touched."""
    with reserved(size, TOUCHED) as target:
        target.stop()
        grow(charts.reserved, size, target, benchmark, tmp_path)


@pytest.mark.usefixtures("visible_pfns")
@pytest.mark.parametrize("size", RESIDENT, ids=short_size)
def test_resident(
    size: int, charts: Charts, stage: Stage, benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    """Ever more pages, all of them there."""
    if size > stage.gib * GIB:
        pytest.skip(f"{short_size(size)}: larger than this run's targets")
    stage.end_big()
    if size > free_gib() * GIB:
        pytest.skip(f"{short_size(size)}: so much memory is not free")
    with workloads.dense(size) as target:
        target.stop()
        grow(charts.resident, size, target, benchmark, tmp_path)
