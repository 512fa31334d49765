"""60,000 mappings read and parsed beside the reading of the file alone."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pagemap import Process
from pagemap._native.lines import Lines
from tests.workloads import PAGE

from .commands import PASS, Stopwatch, output_of, pagemap_command
from .floor import Floor
from .race import OURS, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

ROUNDS = 15
FILE = "the file alone"
RANGES = "ranges only"


def whole_file(path: Path) -> bytes:
    """The bytes, without a decoder in between."""
    with path.open("rb", buffering=0) as file:
        return file.readall()


def test_maps_of_60_000_mappings(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture
) -> None:
    """A table of them costs little more than the file: no object is made for a mapping."""
    pid = target("many").pid
    path = Path(f"/proc/{pid}/maps")

    def read() -> bytes:
        return whole_file(path)

    def ranges() -> list[tuple[int, int, str]]:
        return [found for block in process.maps_blocks() for found in Lines(block).ranges()]

    lines = read().splitlines()
    first, last = (line.split(b" ")[0].decode() for line in (lines[0], lines[-1]))
    with Process(pid) as process:
        mappings = process.maps()
        assert len(mappings) == len(ranges()) == len(lines) > 60_000
        assert f"{mappings[0].start:08x}-{mappings[0].end:08x}" == first
        assert f"{mappings[-1].start:08x}-{mappings[-1].end:08x}" == last
        assert [m[:2] for m in mappings] == [r[:2] for r in ranges()]
        del mappings

        figures = race(
            benchmark,
            timed(process.maps),
            {FILE: timed(read), RANGES: timed(ranges)},
            rounds=ROUNDS,
        )

    row = table.cost("maps(), 60,000 mappings", figures[OURS], FILE, figures[FILE], at_most=2.0)
    table.cost("ranges(), 60,000 mappings", figures[RANGES], FILE, figures[FILE])
    assert row.met, row


def test_command_over_60_000_mappings(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    """What each mapping holds, in JSON, for a few times the price of their list."""
    pid = target("many").pid
    path = Path(f"/proc/{pid}/maps")
    command = (*pagemap_command(), "maps", str(pid), "--json")

    document = json.loads(output_of(command, cwd=tmp_path))
    lines = whole_file(path).splitlines()
    assert [
        f"{int(mapping['start'], 16):08x}-{int(mapping['end'], 16):08x}"
        for mapping in document["rows"]
    ] == [line.split(b" ")[0].decode() for line in lines]
    with closing(Floor(pid)) as floor:
        assert document["total"]["present"] == floor.scan()[1] * PAGE
    del document

    figures = race(
        benchmark,
        Stopwatch(command, tmp_path),
        {"python -c pass": Stopwatch(PASS, tmp_path), FILE: timed(lambda: whole_file(path))},
        rounds=ROUNDS,
    )
    ours = figures[OURS].less(figures["python -c pass"])
    row = table.cost("maps --json, 60,000 mappings, net", ours, FILE, figures[FILE], at_most=10.0)
    assert row.met, row
