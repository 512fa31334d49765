"""Table: columns and rows of one result, their order, sums and groups."""

from __future__ import annotations

import copy
import json
import pickle
from array import array
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._native.columns import codes_end
from pagemap._tables.sums import Sums
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.footprint import FOOTPRINTS, MAPPING_FOOTPRINTS
from pagemap._vocabulary.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = Schema(
    "pagemap.example",
    3,
    [
        Column("path", "text", "", "the file"),
        Column("rss", "int", "bytes", "resident"),
        Column("pss", "int", "bytes", "shared out", nullable=True),
        Column("share", "float", "share", "of the whole"),
        Column("huge", "bool", "", "whether it is huge"),
    ],
)
ROWS = [
    ("/b", 8192, None, 0.5, True),
    ("/a", 4096, 100, 0.25, False),
    ("/b", 1024, 50, 0.125, True),
    ("/c", -1, None, 0.0, False),
]


def table() -> Table:
    return Table.of_rows(SCHEMA, ROWS, about={"pid": 7})


def test_rows() -> None:
    made = table()
    assert len(made) == 4
    assert [tuple(row) for row in made] == ROWS
    assert tuple(made[-1]) == ROWS[-1]
    assert made[0].path == "/b"
    assert made[0].pss is None
    assert made.about == {"pid": 7}
    with pytest.raises(IndexError, match="row 4 of 4"):
        made[4]


def test_columns() -> None:
    made = table()
    assert made["rss"].format == "q"
    assert made["rss"].tolist() == [8192, 4096, 1024, -1]
    assert made["rss"].readonly
    assert made["share"].format == "d"
    assert made["huge"].format == "?"
    assert made["huge"].tolist() == [True, False, True, False]
    assert isinstance(made["path"], Texts)
    assert list(made["path"]) == ["/b", "/a", "/b", "/c"]
    assert made["path"].words == ("/b", "/a", "/c")
    assert made["pss"].tolist() == [0, 100, 50, 0]
    known = made.valid("pss")
    assert known is not None
    assert known.tolist() == [False, True, True, False]
    assert made.valid("rss") is None


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(
        pagemap.UsageError, match=r"knows no 'rs'; did you mean rss\? choose from path"
    ):
        table()["rs"]
    with pytest.raises(pagemap.UsageError, match=r"knows no 'bad'; choose from path, rss"):
        table()["bad"]
    with pytest.raises(pagemap.UsageError, match="must be a sequence of names"):
        table().select("rss")
    with pytest.raises(pagemap.UsageError, match="each once"):
        table().select(["rss", "rss"])


def test_sorted() -> None:
    assert table().sorted("rss")["rss"].tolist() == [-1, 1024, 4096, 8192]
    # what is not known comes last, whichever way; equal ones stay in order
    assert [row.rss for row in table().sorted("pss")] == [1024, 4096, 8192, -1]
    assert [row.rss for row in table().sorted("pss", reverse=True)] == [4096, 1024, 8192, -1]
    assert [row.rss for row in table().sorted("path")] == [4096, 8192, 1024, -1]
    assert table().sorted("pss").about == {"pid": 7}


def test_top() -> None:
    assert [row.rss for row in table().top(2, "rss")] == [8192, 4096]
    assert [row.rss for row in table().top(9)] == [8192, 4096, 1024, -1]
    assert len(table().top(0)) == 0


def pickled(what: Any) -> Any:
    """What comes back from a pickle."""
    return pickle.loads(pickle.dumps(what))


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickled])
def test_tables_and_rows_can_be_copied_and_pickled(twin: Callable[[Any], Any]) -> None:
    made = table()
    for each in (made, made.select(["path", "rss"]), made.grouped("path"), made.top(0)):
        other = twin(each)
        assert list(other) == list(each)
        assert other.about == each.about
        assert [str(column) for column in other.schema] == [str(column) for column in each.schema]
        assert list(map(twin, each)) == list(each)
        assert {type(row) for row in map(twin, each)} == {type(row) for row in each}


def test_total_of_no_rows() -> None:
    """Of what is not known at all it was 0."""
    none = table().top(0)
    assert (none.total().rss, none.total().pss) == (0, None)


def test_sums_of_several_tables() -> None:
    none, known = table().top(0), table().where(lambda row: row.pss is not None)
    for several in ([none, known, known], [known, none, known], [known, known, none]):
        sums = Sums()
        assert list(sums.over(iter(several))) == several
        assert (sums["rss"], sums["pss"]) == (2 * known.total().rss, 2 * known.total().pss)
    sums = Sums()
    assert len(list(sums.over(iter([none])))) == 1
    assert (sums["rss"], sums["pss"]) == (0, None)


def test_total() -> None:
    total = table().total()
    assert total.path is None
    assert total.huge is None
    assert total.rss == 8192 + 4096 + 1024 - 1
    assert total.pss is None, "a sum of which a part is not known is not known"
    assert total.share == 0.875
    unknown = Table.of_rows(SCHEMA, [("/a", 1, None, 0.0, False)])
    assert unknown.total().pss is None
    assert Table.of_rows(SCHEMA, []).total().rss == 0


def test_grouped() -> None:
    groups = table().grouped("path")
    assert groups.schema.names == ("path", "rows", "rss", "pss", "share")
    assert [tuple(row) for row in groups] == [
        ("/b", 2, 9216, None, 0.625),
        ("/a", 1, 4096, 100, 0.25),
        ("/c", 1, -1, None, 0.0),
    ]


def test_groups_of_processes() -> None:
    """Those that have the address space of another count too; groups of groups add them up."""
    schema = FOOTPRINTS.select(["pid", "sharers", "name", "user", "rss"])
    of = Table.of_rows(
        schema, [(1, (2, 3), "a", "u", 5), (4, None, "a", "u", 6), (7, (), "b", "u", 7)]
    )
    groups = of.grouped("name")
    assert groups.schema.names == ("name", "processes", "rss")
    assert [tuple(row) for row in groups] == [("a", 4, 11), ("b", 1, 7)]
    assert groups.total().processes == 5
    assert groups.grouped("name").schema.names == ("name", "processes", "rss")
    assert MAPPING_FOOTPRINTS.grouped("path").names[:2] == ("path", "rows")


def test_select() -> None:
    made = table().select(["pss", "path"])
    assert made.schema.names == ("pss", "path")
    assert [tuple(row) for row in made] == [(row[2], row[0]) for row in ROWS]


def test_columns_of_different_lengths() -> None:
    column = memoryview(bytearray(16)).cast("q")
    schema = SCHEMA.select(["rss", "pss"])
    with pytest.raises(pagemap.UsageError, match="equally long"):
        Table(schema, {"rss": column, "pss": column[:1]})


@pytest.mark.parametrize(
    ("type", "column", "said"),
    [
        ("int", memoryview(bytes(64)), "column 'x' is a memoryview of format 'q'"),
        ("int", memoryview(array("d", [1.0])), "format 'q', .* not of 'd'"),
        ("int", memoryview(array("Q", [1])), "format 'q', .* not of 'Q'"),
        ("int", memoryview(array("q", range(8)))[::2], "of several pieces"),
        ("int", memoryview(bytes(64)).cast("q", (2, 4)), "of several pieces or dimensions"),
        ("int", array("q", [1]), "column 'x' is a memoryview .* not array"),
        ("float", memoryview(bytes(64)), "format 'd'"),
        ("bool", memoryview(bytes(64)).cast("q"), "format '?'"),
        ("text", memoryview(bytes(64)).cast("i"), "column 'x' is a Texts"),
    ],
)
def test_a_column_that_is_not_of_its_type(type: str, column: Any, said: str) -> None:
    """C took it for as many values as there are rows, and read past its end: SIGSEGV."""
    with pytest.raises(TypeError, match=said.replace("?", r"\?")):
        Table(Schema("s", 1, [Column("x", type, "", "")]), {"x": column})


@pytest.mark.parametrize("rows", [3, 70_000])
def test_what_is_known_is_told_of_each_row(rows: int) -> None:
    """A `valid` that is too short was read past its end, and the heap told what is known."""
    schema = Schema("s", 1, [Column("x", "int", "", "", nullable=True)])
    column = memoryview(array("q", bytes(8 * rows)))
    with pytest.raises(pagemap.UsageError, match=rf"valid\['x'\] must have {rows} rows"):
        Table(schema, {"x": column}, valid={"x": memoryview(b"\1").cast("?")})
    with pytest.raises(TypeError, match=r"valid\['x'\] is a memoryview of format '\?'"):
        Table(schema, {"x": column}, valid={"x": memoryview(bytes(rows))})


def test_words_that_there_are_not() -> None:
    """They went to consumers of Arrow as indices past the dictionary."""
    schema = Schema("s", 1, [Column("x", "text", "", "", nullable=True)])
    for codes in ([0, 2], [0, -1]):
        cells = Texts(memoryview(array("i", codes)), ["a", "b"])
        with pytest.raises(pagemap.UsageError, match=f"'x' has word {codes[1]} in row 1; there"):
            Table(schema, {"x": cells})
    with pytest.raises(TypeError, match="words are str, not 7"):
        Texts(memoryview(array("i", [0])), [7])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="codes is a memoryview of format 'i'"):
        Texts(memoryview(array("q", [0])), ["a"])  # what numbers a word is 4 bytes


def test_words_that_are_gone_by_the_time_they_are_handed_on() -> None:
    """Whoever kept the buffer can write to it; C judges its own copy."""
    codes = array("i", [0, 0])
    schema = Schema("s", 1, [Column("x", "text", "", "")])
    made = Table(schema, {"x": Texts(memoryview(codes), ["a"])})
    codes[1] = 1 << 30
    with pytest.raises(OSError, match="Invalid argument"):
        made.__arrow_c_stream__()


def test_a_column_that_is_missing() -> None:
    with pytest.raises(pagemap.UsageError, match="a column is missing: 'pss'"):
        Table(SCHEMA.select(["pss"]), {})


@given(
    codes=st.lists(st.one_of(st.integers(-2, 7), st.integers(-(2**31), 2**31 - 1)), max_size=70),
    words=st.integers(0, 9),
)
def test_codes_end(codes: list[int], words: int) -> None:
    """The first row that has no word, one by one."""
    bad = [row for row, code in enumerate(codes) if not 0 <= code < words]
    assert codes_end(memoryview(array("i", codes)), words) == min(bad, default=len(codes))


def test_arrow() -> None:
    got = pa.table(table())
    got.validate(full=True)
    assert [tuple(row.values()) for row in got.to_pylist()] == ROWS
    assert got.schema.metadata[b"schema"] == b"pagemap.example"
    assert got.schema.metadata[b"version"] == b"3"
    assert json.loads(got.schema.metadata[b"about"]) == {"pid": 7}
    assert got.schema.field("rss").metadata == {b"unit": b"bytes", b"meaning": b"resident"}
    assert not got.schema.field("rss").nullable
    assert got.schema.field("pss").nullable
    assert pa.schema(table()).equals(got.schema, check_metadata=True)
    assert pa.table(Table.of_rows(SCHEMA, [])).num_rows == 0


def test_arrow_of_bytes_that_are_no_text() -> None:
    """A path that is not UTF-8 makes its column one of bytes: nothing of it is lost."""
    schema = SCHEMA.select(["path"])
    made = Table.of_rows(schema, [("/\udcff",), ("/ä",)])
    got = pa.table(made)
    got.validate(full=True)
    assert got.column("path").to_pylist() == [b"/\xff", "/ä".encode()]


def test_arrow_outlives_the_table() -> None:
    made = Table.of_rows(SCHEMA, ROWS * 1000)
    reader = pa.RecordBatchReader.from_stream(made)
    del made
    assert sum(batch.num_rows for batch in reader) == 4000


def test_a_capsule_that_nobody_takes() -> None:
    """Capsules free what they hold; 20,000 of them leave no memory behind."""

    def resident() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1])

    made = Table.of_rows(SCHEMA, ROWS * 100)
    for _ in range(200):
        made.__arrow_c_stream__()
        made.__arrow_c_schema__()
    before = resident()
    for _ in range(10_000):
        made.__arrow_c_stream__()
        made.__arrow_c_schema__()
    assert resident() - before < 1000  # pages; 10,000 tables of 8 KiB are 20,000


class Stretch(Record):
    """A row that is a record."""

    start: int = field("address", "where it begins", key=True)
    pids: tuple[int, ...] = field("", "who has it")
    held: int | None = field("bytes", "how much")
    name: str | None = field("", "what it is called")


STRETCHES = Schema.of(Stretch, "pagemap.stretches", 1)


def test_rows_are_records() -> None:
    rows = [Stretch(1 << 63, (7, 8), None, None), Stretch(4096, (), 5, "x")]
    made = Table.of_rows(STRETCHES, rows)
    assert list(made) == rows
    assert [made[0], made[-1]] == rows
    assert type(made[0]) is Stretch
    assert [each.start for each in made.sorted("start")] == [4096, 1 << 63]
    assert made.total() == Stretch(None, None, None, None)  # type: ignore[arg-type] # a row of sums
    assert [each.pids for each in made.where(lambda row: row.held)] == [()]
    arrow = pa.table(made)
    assert arrow["pids"].to_pylist() == ["7 8", ""]
    assert arrow["start"].to_pylist() == [-(1 << 63), 4096]
    assert arrow["name"].to_pylist() == [None, "x"]
    (column,) = [each for each in STRETCHES if each.name == "held"]
    assert (column.type, column.unit, column.nullable, column.adds) == ("int", "bytes", True, True)


def test_tables_are_joined() -> None:
    whole = Table.of_rows(SCHEMA, ROWS)
    made = Table.joined([whole.part(0, 1), whole.part(1, 3), whole.part(3, 9)])
    assert list(map(tuple, made)) == list(map(tuple, whole))
    assert list(map(tuple, Table.joined([whole]))) == list(map(tuple, whole))
    assert len(whole.part(2, 2)) == 0
    with pytest.raises(pagemap.UsageError, match="at least one"):
        Table.joined([])


def test_groups_of_groups_add_up() -> None:
    groups = table().grouped("huge").grouped("huge")
    assert [tuple(row)[:3] for row in groups] == [(True, 2, 9216), (False, 2, 4095)]


def test_a_slice_is_a_table() -> None:
    whole = table()
    assert [tuple(row) for row in whole[1:3]] == [tuple(whole[1]), tuple(whole[2])]
    assert [tuple(row) for row in whole[::-1]] == [tuple(row) for row in whole.reversed()]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("/a", 1, None, 0.5), "5 cells, not 4"),
        (("/a", 1, None, 0.5, True, 7), "5 cells, not 6"),
        (("/a", None, None, 0.5, True), "'rss' of pagemap.example has no unknown cell"),
        (("/a", 1 << 63, None, 0.5, True), "'rss' holds numbers of 64 bits"),
    ],
)
def test_rows_that_do_not_fit(row: tuple[Any, ...], said: str) -> None:
    """They were cut, or taken for 0, in silence."""
    with pytest.raises(pagemap.UsageError, match=said):
        Table.of_rows(SCHEMA, [row])
