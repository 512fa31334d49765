"""The streams of pages as pyarrow, polars, pandas and DuckDB see them: the entries themselves."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.conftest import Start


PAGE = oracle.PAGE
LIMIT_ROWS, LIMIT_BYTES = 1 << 20, 1 << 24


@pytest.fixture
def target(start: Start) -> workloads.Target:
    stopped = start(workloads.file())
    stopped.stop()
    return stopped


def wanted(pid: int) -> list[tuple[int, int | None, bool, str]]:
    rows = []
    for line in oracle.maps(pid):
        for number, entry in enumerate(oracle.entries(pid, line.start, line.end)):
            if oracle.has(entry, "present") or oracle.has(entry, "swapped"):
                present = oracle.has(entry, "present")  # exclusive is others' to change
                address = line.start + number * PAGE
                rows.append((address, oracle.pfn(entry), present, line.path))
    return rows


NAMES = ["address", "pfn", "present", "path"]


def test_pyarrow(target: workloads.Target) -> None:
    with pagemap.Process(target.pid) as process:
        table = pa.table(process.columns(NAMES))
    table.validate(full=True)
    assert [tuple(row.values()) for row in table.to_pylist()] == wanted(target.pid)


def test_polars(target: workloads.Target) -> None:
    with pagemap.Process(target.pid) as process:
        frame = pl.DataFrame(process.columns(NAMES))
    assert frame.rows() == wanted(target.pid)


def test_pages_are_tables_too(target: workloads.Target) -> None:
    """The same columns as of a stream, under the same names; they outlive their Process."""
    with pagemap.Process(target.pid) as process:
        area = process.maps()[0]
        stream = process.columns(ranges=[(area.start, area.end)], populated=False)
        names = [name for name in stream.schema.names if name not in ("mapping", "path")]
        wanted_table = pa.table(process.columns(names, ranges=[(area.start, area.end)]))
        pages = process.pages(area)
    table = pa.table(pages)
    table.validate(full=True)
    assert table.schema.equals(pa.schema(pages), check_metadata=True)
    # exclusive is by map counts there, and others' to change
    assert table.drop_columns(["exclusive"]) == wanted_table.drop_columns(["exclusive"])
    assert pl.DataFrame(pages).get_column("address").to_list() == list(pages.addresses())


def pages_of(entries: list[int], **more: Any) -> pagemap.Pages:
    view = memoryview(array("Q", entries)).toreadonly()
    settings = {"start": 16 * PAGE, "page_size": PAGE, "pfns_visible": True, **more}
    return pagemap.Pages(view, **settings)


def test_pages_of_made_up_entries() -> None:
    """Every kind of value, known and unknown, in words made by hand."""
    pages = pages_of([1 << 63 | 1 << 55 | 77, 1 << 62 | 9 << 5 | 2, 0, 1 << 63])
    rows = pa.table(pages).to_pylist()
    assert [row["address"] // PAGE for row in rows] == [16, 17, 18, 19]
    assert [row["pfn"] for row in rows] == [77, None, None, None]
    assert [row["soft_dirty"] for row in rows] == [True, False, False, False]
    assert [row["swapped"] for row in rows] == [False, True, False, False]
    assert [row["kind"] for row in rows] == ["present", "swap", "none", "present"]
    assert [row["swap_type"] for row in rows] == [None, 2, None, None]
    assert [row["swap_offset"] for row in rows] == [None, 9, None, None]
    untold = pa.table(pages_of([1 << 63 | 1 << 55, 1 << 62], told=0b111 << 61, pfns_visible=False))
    assert untold["soft_dirty"].to_pylist() == [None, None]
    assert untold["kind"].to_pylist() == ["present", None]
    assert untold["swap_type"].null_count == 2


def test_many_pages_come_in_batches() -> None:
    entries = array("Q", [1 << 63 | number for number in range(1, (1 << 18) + 5)])
    stream = pa.RecordBatchReader.from_stream(pages_of(list(entries)))
    batches = list(stream)
    assert len(batches) > 1
    assert all(batch.nbytes <= LIMIT_BYTES for batch in batches)
    pfns = pa.Table.from_batches(batches)["pfn"].to_numpy()
    assert pfns.tolist() == list(range(1, (1 << 18) + 5))


def test_no_pages_and_those_that_begin_inside_one() -> None:
    assert pa.table(pages_of([])).num_rows == 0
    with pytest.raises(pagemap.UsageError, match="not the address of a page"):
        pa.table(pages_of([0], start=5))


def test_pandas(target: workloads.Target) -> None:
    with pagemap.Process(target.pid) as process:
        frame = pd.DataFrame.from_arrow(process.columns(["address", "present", "path"]))
    got = list(frame.itertuples(index=False, name=None))
    assert got == [(row[0], row[2], row[3]) for row in wanted(target.pid)]


def test_duckdb(target: workloads.Target) -> None:
    with pagemap.Process(target.pid) as process:
        stream = process.columns(NAMES)
        assert stream is not None
        found = duckdb.sql("select * from stream order by address")
        assert found is not None
        rows = found.fetchall()
    assert rows == wanted(target.pid)


def test_limits_of_batches(start: Start) -> None:
    target = start(workloads.sparse(4 << 30, 1 << 26))
    target.stop()
    area = target.first
    for names in (None, ["present"], ["address"]):
        with pagemap.Process(target.pid) as process:
            stream: Any = process.columns(names, populated=False, ranges=[(area.start, area.end)])
            reader = pa.RecordBatchReader.from_stream(stream)
        rows = 0
        for batch in reader:
            assert batch.num_rows <= LIMIT_ROWS
            data = sum(
                each.size
                for column in batch.columns
                for each in column.buffers()[:2]
                if each is not None
            )
            assert data <= LIMIT_BYTES
            rows += batch.num_rows
        assert rows == area.pages


def test_a_target_that_dies_in_the_middle(start: Start) -> None:
    """A consumer sees an error, never a short table."""
    target = start(workloads.sparse(4 << 30, 1 << 26))
    with pagemap.Process(target.pid) as process:
        reader = pa.RecordBatchReader.from_stream(process.columns(populated=False))
    reader.read_next_batch()
    target.kill()
    with pytest.raises(Exception, match=f"process {target.pid} exited or called exec"):
        reader.read_all()


def test_a_stream_goes_on_when_the_process_is_closed(target: workloads.Target) -> None:
    with pagemap.Process(target.pid) as process:
        reader = pa.RecordBatchReader.from_stream(process.columns(NAMES))
    rows = [tuple(row.values()) for row in reader.read_all().to_pylist()]
    assert rows == wanted(target.pid)
