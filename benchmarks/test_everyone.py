"""Who maps a frame, and who shares what, on a machine of 300 processes."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import build, workloads
from tests.everyone import word
from tests.workloads import PAGE

from .commands import PASS, Stopwatch, output_of, pagemap_command
from .race import OURS, Table, race, timed
from .stage import free_gib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

    from .stage import Stage

PROGRAM = Path(__file__).resolve().with_name("everyone.c")
PROCESSES = 300
GIB = 1 << 30
HEADROOM_GIB = 2
ROUNDS = 7
FLOOR = "C loop of preads, all processes"

pytestmark = pytest.mark.usefixtures("visible_pfns")


class Everyone:
    """Reads the pagemaps of all processes again and again: see everyone.c."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [build.program(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self) -> tuple[float, int, int]:
        """The seconds that it took, the processes read, and the present pages they had."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        nanoseconds, processes, _, present = map(int, self._process.stdout.readline().split())
        return nanoseconds / 1e9, processes, present

    def close(self) -> None:
        """End the program, by closing its input."""
        self._process.communicate()


@pytest.fixture(scope="module")
def crowd(stage: Stage, table: Table) -> Iterator[list[Target]]:
    """So many processes, stopped, that hold `stage.gib` GiB together, none of it shared."""
    stage.end_big()
    gib = min(stage.gib, free_gib() - HEADROOM_GIB)
    if gib < 1:
        pytest.skip(f"{PROCESSES} processes: less than {1 + HEADROOM_GIB} GiB are free")
    if gib < stage.gib:
        table.note(f"{PROCESSES} processes hold {gib} GiB together, for want of memory")
    size = gib * GIB // PROCESSES // PAGE * PAGE
    with ExitStack() as stack:
        targets = [stack.enter_context(workloads.dense(size)) for _ in range(PROCESSES)]
        for target in targets:
            target.stop()
        yield targets


@pytest.fixture(scope="module")
def everyone(crowd: list[Target]) -> Iterator[Everyone]:
    """The rival, which has read them all once."""
    floor = Everyone()
    _, processes, present = floor.read()
    assert processes >= len(crowd)
    assert present >= sum(target.first.pages for target in crowd)
    yield floor
    floor.close()


def frame_of(target: Target, path: str) -> int:
    """The frame of the first present page of a mapping of `path`."""
    with pagemap.Process(target.pid) as process:
        for mapping in process.maps():
            if path in mapping.path:
                for page in process.pages(mapping):
                    if page.pfn is not None:
                        return page.pfn
    raise LookupError(path)


@pytest.mark.parametrize("what", ["libc", "private", "zeros"])
def test_who(
    what: str,
    crowd: list[Target],
    everyone: Everyone,
    table: Table,
    benchmark: BenchmarkFixture,
) -> None:
    """A page of everybody's, the page of the one looked at last, and one that may be anywhere."""
    with pagemap.Process(crowd[-1].pid) as process:
        private = process.virt_to_phys(crowd[-1].first.start) // PAGE
    pfn = {"libc": frame_of(crowd[0], "libc"), "private": private, "zeros": 0}[what]
    found = {each.pid for each in pagemap.owners([pfn])}
    if what == "libc":
        assert {target.pid for target in crowd} <= found
        assert len(found) <= word("kpagecount", pfn)
    else:
        assert found == ({crowd[-1].pid} if what == "private" else set())
    figures = race(
        benchmark,
        timed(lambda: pagemap.owners([pfn])),
        {FLOOR: lambda: everyone.read()[0]},
        rounds=ROUNDS,
    )
    name = {"libc": "a page of libc", "private": "a private page", "zeros": "a kernel's page"}[what]
    row = table.cost(
        f"Owners of {name}, {len(crowd)} processes",
        figures[OURS],
        FLOOR,
        figures[FLOOR],
        at_most=3.0,
    )
    assert row.met, row


def test_sharing(
    crowd: list[Target], everyone: Everyone, table: Table, benchmark: BenchmarkFixture
) -> None:
    """Sets of processes for each frame that is not exclusive."""
    told = pagemap.sharing(top=1000)
    assert {target.pid for target in crowd} <= {each.pid for each in told.processes}
    assert max(each.processes for each in told.frames) >= len(crowd)
    figures = race(
        benchmark,
        timed(lambda: pagemap.sharing(top=10)),
        {FLOOR: lambda: everyone.read()[0]},
        rounds=ROUNDS,
    )
    row = table.cost(
        f"Sharing, {len(crowd)} processes", figures[OURS], FLOOR, figures[FLOOR], at_most=3.0
    )
    assert row.met, row


@pytest.mark.parametrize("of", ["the group", "all groups"])
def test_freed(
    of: str,
    crowd: list[Target],
    everyone: Everyone,
    table: Table,
    benchmark: BenchmarkFixture,
    tmp_path: Path,
) -> None:
    """What comes back if they end, all at once, or each group of the machine for itself."""
    pids = [target.pid for target in crowd]
    asked: dict[str, Any] = {"targets": pids} if of == "the group" else {"by": "name"}
    rows = pagemap.freed(**asked)
    name = Path(f"/proc/{pids[0]}/comm").read_text().strip()
    row = next(each for each in rows if each.group == name)
    touched = sum(target.first.pages for target in crowd) * PAGE
    assert row.processes >= len(crowd)
    assert touched <= row.anon <= touched * 1.01 + (len(crowd) << 20)
    rivals: dict[str, Any] = {FLOOR: lambda: everyone.read()[0]}
    smem = shutil.which("smem")
    if smem is not None:  # which has uss of each process, in Python
        rivals["smem"] = Stopwatch((smem, "-c", "pid uss"), tmp_path)
    figures = race(benchmark, timed(lambda: pagemap.freed(**asked)), rivals, rounds=ROUNDS)
    made = table.cost(
        f"What {of} of {len(crowd)} processes frees",
        figures[OURS],
        FLOOR,
        figures[FLOOR],
        at_most=4.0,
    )
    if smem is not None:
        table.cost(f"What {of} frees", figures[OURS], "smem", figures["smem"])
    assert made.met, made


@pytest.mark.parametrize("command", ["who", "sharing"])
def test_commands(
    command: str,
    crowd: list[Target],
    everyone: Everyone,
    table: Table,
    benchmark: BenchmarkFixture,
    tmp_path: Path,
) -> None:
    """The start of Python and the output included."""
    ours = (*pagemap_command(), command)
    ours += ("--pfn", hex(frame_of(crowd[0], "libc"))) if command == "who" else ()
    told = json.loads(output_of((*ours, "--json"), cwd=tmp_path))
    listed = told["rows" if command == "who" else "processes"]
    assert {target.pid for target in crowd} <= {each["pid"] for each in listed}
    watch, start = Stopwatch(ours, tmp_path), Stopwatch(PASS, tmp_path)
    figures = race(
        benchmark,
        watch,
        {FLOOR: lambda: everyone.read()[0], "python -c pass": start},
        rounds=ROUNDS,
    )
    row = table.cost(
        f"{command}, whole, {len(crowd)} processes",
        figures[OURS],
        FLOOR,
        figures[FLOOR],
        at_most=3.0,
    )
    present = everyone.read()[2]
    more = max(watch.peaks) - max(start.peaks)
    table.note(
        f"{command}: {max(watch.peaks) >> 20} MiB at its peak, {more / present:.1f} bytes more "
        f"than Python for each of {present} resident pages"
    )
    assert row.met, row
