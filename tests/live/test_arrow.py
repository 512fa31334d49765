"""The streams of pages as pyarrow, polars, pandas and DuckDB see them: the entries themselves."""

from __future__ import annotations

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
