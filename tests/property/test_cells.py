"""Tables as CSV and JSON lines, in pieces of any size, against a twin made of json and str."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from pagemap._export import cells
from pagemap._native.cells import write_cells
from pagemap._tables.table import Table
from pagemap._vocabulary.schema import HEXADECIMAL, Column, Schema
from pagemap._vocabulary.text import csv_cell
from tests import oracle
from tests.property import strategies

NAMES = strategies.raw_labels.map(lambda raw: raw.decode("utf-8", "surrogateescape"))
CELLS = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "hex": st.integers(0, 2**64 - 1),
    "unsigned": st.integers(0, 2**64 - 1),
    "float": st.floats(),
    "bool": st.booleans(),
    "text": NAMES,
    "list": st.lists(st.integers(0, 2**40), max_size=4).map(tuple),
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=7))
    columns, values = [], []
    count = draw(st.integers(0, 20))
    for number, kind in enumerate(kinds):
        nullable = draw(st.booleans())
        unit = draw(st.sampled_from(HEXADECIMAL)) if kind == "hex" else "bytes"
        unit = "inode" if kind == "unsigned" else unit
        type_ = "int" if kind in ("hex", "unsigned") else kind
        columns.append(Column(f"c{number}", type_, unit, "a column", nullable=nullable))
        cell = st.none() | CELLS[kind] if nullable else CELLS[kind]
        values.append(draw(st.lists(cell, min_size=count, max_size=count)))
    return Table.of_rows(Schema("pagemap.drawn", 1, columns), list(zip(*values, strict=True)))


def plain(column: Column, cell: Any) -> Any:
    """A cell as json takes it."""
    if cell is None or (column.type == "float" and not math.isfinite(cell)):
        return None
    if column.unit in HEXADECIMAL:
        return hex(cell)
    if column.type == "text":
        return oracle.in_json(cell)
    return list(cell) if column.type == "list" else cell


def text(column: Column, cell: Any) -> str:
    """A cell as csv reads it; what is guarded in a text is for the tests of text."""
    cell = plain(column, cell)
    if cell is None:
        return ""
    if column.type == "text":
        return "".join(next(csv.reader([csv_cell(cell)])))
    if column.type == "list":
        return " ".join(map(str, cell))
    return str(int(cell)) if column.type == "bool" else str(cell)


@given(table=tables(), size=st.integers(1, 3000), extra=st.dictionaries(NAMES, NAMES, max_size=2))
def test_cells(table: Table, size: int, extra: dict[str, str]) -> None:
    with mock.patch.object(
        cells, "write_cells", lambda *args, **more: write_cells(*args, **more, size=size)
    ):
        lines = list(cells.json_lines(table, extra))
        rows = list(cells.csv_lines(table, extra))
        items = b"".join(cells.json_items(table))
    named = {oracle.in_json(name): oracle.in_json(each) for name, each in extra.items()}
    wanted = [
        {column.name: plain(column, cell) for column, cell in zip(table.schema, row, strict=True)}
        for row in table
    ]
    assert b"".join(lines) == b"".join(
        json.dumps({**named, **row}, separators=(",", ":")).encode() + b"\n" for row in wanted
    )
    assert all(piece.endswith(b"\n") for piece in (*lines, *rows))
    assert json.loads(b"[" + items[:-2] + b"]") == wanted
    names = [text(Column("extra", "text", "", ""), each) for each in extra.values()]
    read = csv.reader(io.StringIO(b"".join(rows).decode(), newline=""), strict=True)
    assert list(read) == [
        names + [text(column, cell) for column, cell in zip(table.schema, row, strict=True)]
        for row in table
    ]
