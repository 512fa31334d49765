"""60,000 mappings read and parsed beside the reading of the file alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pagemap import Process, maps

from .race import OURS, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target

ROUNDS = 15
FILE = "the file alone"
RANGES = "ranges only"


def test_maps_of_60_000_mappings(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture
) -> None:
    """Objects cost a few times the file, and who needs only ranges does not pay for them."""
    pid = target("many").pid
    path = Path(f"/proc/{pid}/maps")

    def read() -> bytes:
        with path.open("rb", buffering=0) as file:
            return file.readall()

    def ranges() -> list[tuple[int, int, bytes]]:
        return [found for block in process.maps_blocks() for found in maps.parse_labels(block)]

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

    row = table.cost("maps(), 60,000 mappings", figures[OURS], FILE, figures[FILE], at_most=5.0)
    cheaper = table.cost(
        "ranges(), 60,000 mappings", figures[RANGES], "maps()", figures[OURS], at_most=1.0
    )
    table.cost("ranges(), 60,000 mappings", figures[RANGES], FILE, figures[FILE])
    assert row.met, row
    assert cheaper.met, cheaper
