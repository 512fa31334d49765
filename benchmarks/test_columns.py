"""`Process.columns` into consumers of Arrow, beside the bare reads, and beside CSV."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from pagemap import Process
from tests import workloads
from tests.workloads import PAGE

from .floor import Floor
from .race import OURS, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.workloads import Target


ENTRY = 8
COPIED = 16  # bytes for each page: two columns of 8
FLOOR = "read_into and a copy"
PREADS = "bare preads of two threads"
SCATTERED = 300_000  # pages, each a run of its own
CSV = "dump --format csv, read by polars"


def drained(process: Process, names: list[str] | None, where: tuple[int, int]) -> int:
    """Read all batches and drop them; the number of rows."""
    stream: Any = process.columns(names, ranges=[where])
    return sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(stream))


def test_columns_of_dense(
    target: Callable[[str], Target], table: Table, benchmark: BenchmarkFixture
) -> None:
    """A stream costs what reading its entries and copying its columns cost, nearly."""
    dense = target("dense")
    area = dense.first
    where = (area.start, min(area.end, area.start + (1 << 30)))
    pages = (where[1] - where[0]) // PAGE
    entries, column = bytearray(pages * ENTRY), bytearray(pages * COPIED)
    source = bytes(pages * COPIED)
    with Process(dense.pid) as process:

        def floor() -> None:
            process.read_into(entries, where[0])
            column[:] = source

        assert drained(process, ["address", "pfn"], where) == pages
        every = "all columns"
        figures = race(
            benchmark,
            timed(lambda: drained(process, ["address", "pfn"], where)),
            {FLOOR: timed(floor), every: timed(lambda: drained(process, None, where))},
            rounds=20,
        )
    row = table.cost("columns: address, pfn", figures[OURS], FLOOR, figures[FLOOR], at_most=1.3)
    table.cost("columns: all of an entry", figures[every], FLOOR, figures[FLOOR])
    assert row.met, row


def test_scattered_pages_to_polars(
    table: Table, benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    """Pages in as many runs as there are of them need no object for each."""
    place = tmp_path / "pages.csv"
    with workloads.sparse(2 * SCATTERED * PAGE, 2 * PAGE) as striped:
        striped.stop()
        dump = [sys.executable, "-m", "pagemap", "dump", str(striped.pid), "--populated"]

        def by_csv() -> Any:
            subprocess.run([*dump, "--format", "csv", "-o", place], check=True)
            return pl.read_csv(place)

        with Process(striped.pid) as process:

            def ours() -> Any:
                return pl.DataFrame(process.columns())

            assert ours().height == by_csv().height >= SCATTERED
            with closing(Floor(striped.pid, striped.first)) as floor:
                figures = race(
                    benchmark,
                    timed(ours),
                    {CSV: timed(by_csv), PREADS: floor.read_paired},
                    rounds=10,
                    every={CSV: 2},
                )
    # what reading the entries alone takes is the most that can be won
    row = table.faster(
        "columns, scattered, to polars", figures[OURS], CSV, figures[CSV], at_least=5
    )
    assert row.met, row
