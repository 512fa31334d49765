"""CSV, JSON, JSON lines and Arrow: one truth, cell by cell, read back by other programs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import pagemap
from pagemap._export import arrow as arrow_format
from pagemap._export import csv as csv_format
from pagemap._export import json as json_format
from pagemap._export import jsonl as jsonl_format
from pagemap._tables.table import Table
from pagemap._vocabulary.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = Schema(
    "pagemap.example",
    3,
    [
        Column("path", "text", "", "the file", nullable=True),
        Column("address", "int", "address", "where it begins"),
        Column("perms", "text", "rights", "what is allowed"),
        Column("offset", "int", "offset", "where in the file", nullable=True),
        Column("pfn", "int", "pfn", "its frame", nullable=True),
        Column("flags", "int", "flags", "bits of it", nullable=True),
        Column("rss", "int", "bytes", "resident", nullable=True),
        Column("share", "float", "share", "of the whole", nullable=True),
        Column("huge", "bool", "", "whether it is huge", nullable=True),
        Column("nodes", "list", "", "where it lies", nullable=True),
    ],
)
HOSTILE = [
    "=1+2",
    "+1",
    "-bash",
    "@x",
    "two\nlines",
    "\x1b[2Jgone",
    "not \udcff UTF-8",
    'a "quoted", name',
    "a;=1+2",
    "\u202eright to left",
    "\t=1",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "back\\slash",
    "null",
    "",
]
NUMBERS = [0, 1, -1, 9, 10, 4096, 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 0.1, 1 / 3, 1e300, 5e-324, 1e22, 123456.0, -2.5]


def rows() -> list[tuple[Any, ...]]:
    """Every hostile name, and every kind of number, null in each column once."""
    made: list[tuple[Any, ...]] = []
    for number, path in enumerate(HOSTILE):
        word = [0, 1, 0xFFFF800000000000, 2**64 - 1, 2**63, 2**55 - 1][number % 6]
        whole, part = NUMBERS[number % len(NUMBERS)], FLOATS[number % len(FLOATS)]
        perms = ("r-xp", "---p")[number % 2]
        made.append(
            (path, word, perms, word, word, word, whole, part, number % 2 == 0, (number, 7))
        )
    for at in range(len(SCHEMA)):
        if SCHEMA.columns[at].nullable:
            made.append(tuple(None if i == at else cell for i, cell in enumerate(made[3])))
    made.append((*made[0][:-1], ()))
    return made


def table() -> Table:
    return Table.of_rows(SCHEMA, rows(), about={"pid": 7, "host": "caf\xe9"})


def written(write: Callable[..., None], *arguments: object, **options: object) -> bytes:
    out: list[bytes] = []
    write(*arguments, out.append, **options)
    return b"".join(out)


def in_csv(column: Column, cell: Any) -> str:
    """As the documents say, spelled by hand."""
    if cell is None:
        return ""
    if column.type == "int":
        return hex(cell) if column.unit in ("address", "offset", "pfn", "flags") else str(cell)
    if column.type == "list":
        return " ".join(str(each) for each in cell)
    if column.type == "bool":
        return "1" if cell else "0"
    if column.type == "float" or column.unit == "rights":  # the kernel's own, and no formula
        return str(cell)
    return cell_of_name(cell)


def cell_of_name(name: str) -> str:
    """Every byte that is no printable character, and what begins a formula, in octal."""
    text = ""
    for at, character in enumerate(name):
        harmless = character.isprintable() and character != ";"
        if harmless and not (at == 0 and character in "=+-@"):
            text += character
        else:
            for byte in character.encode("utf-8", "surrogateescape"):
                text += f"\\{byte:03o}"
    return text


def in_json(column: Column, cell: Any) -> Any:
    if cell is None:
        return None
    if column.type == "int":
        return hex(cell) if column.unit in ("address", "offset", "pfn", "flags") else cell
    if column.type == "text":
        return cell.replace("\udcff", "\\377")
    return list(cell) if column.type == "list" else cell


def test_csv() -> None:
    text = written(csv_format.write, [table()])
    assert text.isascii() is False  # what is printable stays as it is
    assert all(character.isprintable() or character == "\n" for character in text.decode())
    header, *got = csv.reader(io.StringIO(text.decode()), strict=True)
    assert header == list(SCHEMA.names)
    assert got == [
        [in_csv(column, cell) for column, cell in zip(SCHEMA, row, strict=True)] for row in rows()
    ]


POLARS = """
import io, json, sys
import polars as pl
frame = pl.read_csv(io.BytesIO(sys.stdin.buffer.read()), infer_schema=False)
print(json.dumps([frame.columns, frame.rows()]))
"""


def test_csv_as_polars_reads_it() -> None:
    """In a process of its own: its threads end when they like, and other tests count theirs."""
    text = written(csv_format.write, [table()])
    run = subprocess.run(
        [sys.executable, "-c", POLARS], input=text, capture_output=True, check=True, timeout=60
    )
    names, got = json.loads(run.stdout)
    assert names == list(SCHEMA.names)
    assert got == [
        [in_csv(column, cell) or None for column, cell in zip(SCHEMA, row, strict=True)]
        for row in rows()
    ]


def json_lines_of() -> list[Any]:
    return [json.loads(line) for line in written(jsonl_format.write, [table()]).splitlines()]


def json_document_of() -> list[Any]:
    document = json.loads(written(json_format.write, [table()]))
    assert list(document) == ["schema", "version", "about", "rows"]
    assert document["schema"] == "pagemap.example"
    assert document["version"] == 3
    assert document["about"] == {"pid": 7, "host": "caf\xe9"}
    rows: list[Any] = document["rows"]
    return rows


def several_of() -> list[Any]:
    text = written(
        json_format.write_several, {"a": table(), "b": table().top(0)}, "pagemap.two", 1, {"x": 1}
    )
    document = json.loads(text)
    assert list(document) == ["schema", "version", "about", "a", "b"]
    assert document["b"] == []
    rows: list[Any] = document["a"]
    return rows


@pytest.mark.parametrize("form", [json_lines_of, json_document_of, several_of])
def test_json(form: Callable[[], list[Any]]) -> None:
    got = form()
    for row, cells in zip(got, rows(), strict=True):
        assert list(row) == list(SCHEMA.names)
        for column, cell in zip(SCHEMA, cells, strict=True):
            assert repr(row[column.name]) == repr(in_json(column, cell)), column


def signed(word: int | None) -> int | None:
    return word if word is None or word < 2**63 else word - 2**64


def in_arrow(column: Column, cell: Any) -> Any:
    if cell is None:
        return None
    if column.type == "int":
        return signed(cell)
    if column.name == "path":  # bytes, for not all are UTF-8
        return cell.encode("utf-8", "surrogateescape")
    return " ".join(map(str, cell)) if column.type == "list" else cell


def test_arrow() -> None:
    got = pa.ipc.open_stream(written(arrow_format.write, [table()])).read_all()
    got.validate(full=True)
    assert got.column_names == list(SCHEMA.names)
    assert got.to_pylist() == [
        {column.name: in_arrow(column, cell) for column, cell in zip(SCHEMA, cells, strict=True)}
        for cells in rows()
    ]


def test_a_stream_of_tables_is_as_one() -> None:
    whole = table()
    pieces = [
        whole.where(lambda row: row.huge),
        whole.top(0),
        whole.where(lambda row: not row.huge),
    ]
    joined = Table.of_rows(SCHEMA, [*pieces[0], *pieces[2]], about=whole.about)
    for form in (csv_format, jsonl_format, json_format):
        assert written(form.write, iter(pieces)) == written(form.write, [joined])
    got = pa.ipc.open_stream(written(arrow_format.write, iter(pieces))).read_all()
    assert got.to_pylist() == pa.table(joined).to_pylist()


@pytest.mark.parametrize("odd_first", [True, False])
def test_arrow_of_names_that_are_utf8_and_of_others(*, odd_first: bool) -> None:
    """The first table decides what the column is; both are read back."""
    schema = Schema("pagemap.example", 1, [Column("path", "text", "", "the file", nullable=True)])
    odd = Table.of_rows(schema, [("not \udcff UTF-8",), (None,), ("caf\xe9",)])
    plain = Table.of_rows(schema, [("/bin/sh",), ("caf\xe9",), (None,)])
    tables = [odd, plain] if odd_first else [plain, odd]
    got = pa.ipc.open_stream(written(arrow_format.write, tables)).read_all()
    got.validate(full=True)
    odd_names: list[Any] = [b"not \xff UTF-8", None, b"caf\xc3\xa9"]
    if odd_first:
        wanted = [*odd_names, b"/bin/sh", b"caf\xc3\xa9", None]
    else:
        wanted = ["/bin/sh", "caf\xe9", None, "not \\377 UTF-8", None, "caf\xe9"]
    assert got["path"].to_pylist() == wanted


def test_a_time_comes_first() -> None:
    extra = {"time": "12:00", "note": '=a "b"'}
    text = written(csv_format.write, [table()], extra=extra)
    header, *got = csv.reader(io.StringIO(text.decode()), strict=True)
    assert header[:3] == ["time", "note", "path"]
    assert {tuple(row[:2]) for row in got} == {("12:00", '\\075a "b"')}
    for line in written(jsonl_format.write, [table()], extra=extra).splitlines():
        row = json.loads(line)
        assert list(row)[:3] == ["time", "note", "path"]
        assert row["note"] == '=a "b"'


def test_without_the_header() -> None:
    whole = written(csv_format.write, [table()])
    assert written(csv_format.write, [table()], header=False) == whole.partition(b"\n")[2]


@pytest.mark.parametrize("name", ["path", "rss", "nodes"])
def test_an_empty_cell_alone_is_a_row_of_csv(name: str) -> None:
    """An empty line is none to most readers."""
    chosen = table().select([name])
    _, *got = written(csv_format.write, [chosen]).decode().splitlines()
    assert len(got) == len(chosen)
    assert '""' in got
    assert "" not in got
    assert [row[0] for row in csv.reader(got)] == [in_csv(SCHEMA[name], row[0]) for row in chosen]


def test_what_is_no_number_is_not_known() -> None:
    schema = Schema("pagemap.example", 1, [Column("share", "float", "share", "of it")])
    odd = Table.of_rows(schema, [(float("nan"),), (float("inf"),), (-float("inf"),), (1.0,)])
    assert written(csv_format.write, [odd]) == b'share\n""\n""\n""\n1.0\n'
    rows = [json.loads(line) for line in written(jsonl_format.write, [odd]).splitlines()]
    assert [row["share"] for row in rows] == [None, None, None, 1.0]


@pytest.mark.parametrize("of_function", [False, True])
def test_the_total_has_what_adds(*, of_function: bool) -> None:
    small = table().top(2)
    total = small.total() if not of_function else small.total
    document = json.loads(written(json_format.write, [small], total=total))
    assert list(document) == ["schema", "version", "about", "rows", "total"]
    assert document["total"] == {"rss": 1, "share": 0.0}


def test_a_target_that_vanishes_leaves_a_whole_document() -> None:
    def tables() -> Iterator[Table]:
        yield table()
        raise pagemap.TargetVanished("process 7 exited", pid=7)

    out: list[bytes] = []
    with pytest.raises(pagemap.TargetVanished):
        json_format.write(tables(), out.append, total=table().total())
    document = json.loads(b"".join(out))
    assert list(document) == ["schema", "version", "about", "rows"]
    assert len(document["rows"]) == len(rows())


@pytest.mark.parametrize("form", [csv_format, json_format, jsonl_format, arrow_format])
def test_nothing_is_written_before_there_is_a_table(form: Any) -> None:
    def tables() -> Iterator[Table]:
        yield from ()
        raise pagemap.TargetVanished("process 7 exited", pid=7)

    out: list[bytes] = []
    with pytest.raises(pagemap.TargetVanished):
        form.write(tables(), out.append)
    assert out == []


def test_who_writes_stops_it_by_raising() -> None:
    def full(_: bytes) -> None:
        raise BrokenPipeError(32, "nobody reads")

    for form in (csv_format, json_format, jsonl_format, arrow_format):
        with pytest.raises(BrokenPipeError):
            form.write([table()], full)


def test_without_pyarrow() -> None:
    script = """
import sys
sys.modules["pyarrow"] = None
import pagemap
from pagemap._export import arrow
try:
    arrow.write([], print)
except pagemap.Unsupported as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == (
        "cannot write Arrow: pyarrow is not installed; "
        "install the extra: pip install 'linux-pagemap[arrow]'\n"
    )
