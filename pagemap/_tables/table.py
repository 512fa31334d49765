"""A result: columns of equal length in plain buffers, and small rows made when asked for."""

from __future__ import annotations

from array import array

from pagemap._errors import UsageError
from pagemap._tables.checked import check_columns, check_known
from pagemap._tables.row_types import row_type
from pagemap._tables.values import Lists, Texts, all_known, frozen, joined, packed, take, thawed
from pagemap._vocabulary.of_rows import OfRows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, overload

    from pagemap._tables.values import Values
    from pagemap._vocabulary.of_rows import Row as _Row
    from pagemap._vocabulary.schema import Column, Schema

__all__ = ["Lists", "Table", "Texts"]

_UNSIGNED = (1 << 64) - 1


class Table(OfRows["_Row"]):
    """Rows under a `schema`. `about` holds what is true of all of them (pid, page size, ...).

    ``table["rss"]`` is a column: a read-only memoryview (format ``q`` of integers, ``d`` of
    floats, ``?`` of booleans), `Texts`, or `Lists`. ``table[0]`` and iteration give rows: named
    tuples, with None for what is not known; in the column 0 stands there, and `valid` tells. An
    address of 2**63 or more is negative in its column. Raises TypeError for columns of other
    formats, UsageError where they are not equally long, or a word is missing. Columns that were
    `checked` before, or filled by C, are taken as they are.

    Polars, pyarrow, pandas and DuckDB take a Table as it is (``pl.DataFrame(table)``).

    >>> from pagemap import Column, Schema, Table
    >>> schema = Schema("pagemap.example", 1, [Column("path", "text", "", "the file"),
    ...                                        Column("rss", "int", "bytes", "resident")])
    >>> table = Table.of_rows(schema, [("/bin/a", 8192), ("/bin/b", 4096)])
    >>> table.sorted("rss")[0].path, table.total().rss
    ('/bin/b', 12288)
    """

    __slots__ = ("_columns", "_row", "_size", "_valid", "about", "schema")

    def __init__(
        self,
        schema: Schema[_Row],
        columns: Mapping[str, Values],
        *,
        valid: Mapping[str, memoryview[bool]] | None = None,
        about: Mapping[str, object] | None = None,
        checked: bool = False,
    ) -> None:
        self.schema: Schema[_Row] = schema
        self.about: dict[str, object] = dict(about or {})
        if not checked:
            check_columns(schema, columns, {"text": Texts, "list": Lists})
        self._columns = {name: columns[name] for name in schema.names}
        self._size = len(self._columns[schema.names[0]]) if schema.names else 0
        self._valid = {name: known for name, known in (valid or {}).items() if name in columns}
        if not checked:
            for name, known in self._valid.items():
                check_known(name, known, self._size)
        self._row: Any = schema.row or row_type(schema.name, schema.names)

    @classmethod
    def of_rows(
        cls,
        schema: Schema[_Row],
        rows: Iterable[Sequence[Any]],
        *,
        about: Mapping[str, object] | None = None,
    ) -> Table[_Row]:
        """A table of rows, each with a value for each column, None where it is not known.

        Raises UsageError for a row of another length, None in a column of which all is known, and a
        number past 64 bits; TypeError for what a column cannot hold.
        """
        rows = list(rows)
        for row in rows:
            if len(row) != len(schema):
                raise UsageError(f"a row of {schema.name} has {len(schema)} cells, not {len(row)}")
        columns: dict[str, Values] = {}
        valid: dict[str, memoryview[bool]] = {}
        for number, column in enumerate(schema):
            cells = [row[number] for row in rows]
            columns[column.name] = packed(column, cells)
            if None in cells:
                if not column.nullable:
                    raise UsageError(f"column {column.name!r} of {schema.name} has no unknown cell")
                known = array("B", (cell is not None for cell in cells))
                valid[column.name] = memoryview(known).cast("B").cast("?").toreadonly()
        return cls(schema, columns, valid=valid, about=about)

    def __len__(self) -> int:
        return self._size

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: str) -> Any: ...
        @overload
        def __getitem__(self, key: int) -> _Row: ...
        @overload
        def __getitem__(self, key: slice) -> Table[_Row]: ...

    def __getitem__(self, key: int | slice | str) -> Any:
        """The column of a name, the row of a number, or a Table of the rows of a slice."""
        if isinstance(key, str):
            return self._columns[self.schema[key].name]
        if isinstance(key, slice):
            return self._taken(range(*key.indices(self._size)))
        if key < 0:
            key += self._size
        if not 0 <= key < self._size:
            raise IndexError(f"row {key} of {self._size}")
        return self._made(self._cell(column, key) for column in self.schema)

    def __iter__(self) -> Iterator[_Row]:
        return map(self._made, zip(*map(self.cells, self.schema.names), strict=True))

    def _made(self, cells: Iterable[Any]) -> Any:
        return self._row._make(cells)

    def valid(self, name: str) -> memoryview[bool] | None:
        """Which cells of a column are known (format ``?``); None where all are."""
        return self._valid.get(self.schema[name].name)

    def _cell(self, column: Column, index: int) -> Any:
        known = self._valid.get(column.name)
        if known is not None and not known[index]:
            return None
        cell = self._columns[column.name][index]
        return cell & _UNSIGNED if column.unsigned else cell  # type: ignore[operator] # a number

    def cells(self, name: str) -> Iterable[Any]:
        """The cells of a column as rows have them: None for what is not known."""
        known, column = self.valid(name), self._columns[name]
        cells: Iterable[Any] = column.tolist() if isinstance(column, memoryview) else column
        if self.schema[name].unsigned and min(cells, default=0) < 0:
            cells = [cell & _UNSIGNED for cell in cells]
        if known is None:
            return cells
        return [cell if is_known else None for cell, is_known in zip(cells, known, strict=True)]

    @classmethod
    def joined(cls, tables: Iterable[Table[_Row]]) -> Table[_Row]:
        """The rows of tables of one schema, one after another, `about` as in the first.

        Raises UsageError if there is no table, because the columns are unknown then.
        """
        parts = list(tables)
        if not parts:
            raise UsageError("cannot join no tables: give at least one")
        first = parts[0]
        if len(parts) == 1:
            return first
        columns = {name: joined([each[name] for each in parts]) for name in first.schema.names}
        partly = {name for name in first.schema.names if any(each.valid(name) for each in parts)}
        valid = {
            name: joined([each.valid(name) or all_known(len(each)) for each in parts])
            for name in partly
        }
        return cls(first.schema, columns, valid=valid, about=first.about)

    def part(self, first: int, last: int) -> Table[_Row]:
        """The rows from number `first` up to `last`, which is not in it."""
        return self._taken(range(*slice(first, last).indices(self._size)))

    def select(self, names: Sequence[str] | None) -> Table[Any]:
        """The same rows with these columns alone, in this order."""
        schema = self.schema.select(names)
        return Table(schema, self._columns, valid=self._valid, about=self.about, checked=True)

    def sorted(self, name: str, *, reverse: bool = False) -> Table[_Row]:
        """The rows in order of a column, equal ones as they were; those not known come last."""
        known, column = self.valid(name), self.schema[name]
        cells = list(self._columns[name])
        if column.unsigned:
            cells = [cell & _UNSIGNED for cell in cells]
        rows = range(self._size)
        order = list(rows) if known is None else [i for i in rows if known[i]]
        order.sort(key=cells.__getitem__, reverse=reverse)
        if known is not None:
            order += [i for i in rows if not known[i]]
        return self._taken(order)

    def reversed(self) -> Table[_Row]:
        """The rows from the last to the first."""
        return self._taken(range(self._size - 1, -1, -1))

    def top(self, count: int, name: str | None = None) -> Table[_Row]:
        """The first `count` rows or, of a column `name`, those with the largest values."""
        if count < 0:
            raise UsageError(f"count must be 0 or more, not {count}")
        if name is not None:
            return self.sorted(name, reverse=True).top(count)
        return self._taken(range(min(count, self._size)))

    def where(self, keep: Callable[[_Row], object]) -> Table[_Row]:
        """The rows of which `keep` is true."""
        return self._taken([number for number, row in enumerate(self) if keep(row)])

    def total(self) -> _Row:
        """A row of sums, of the columns that have one (`Column.adds`).

        All other fields are None, also those that a type checker takes for an int or a str. A sum
        is None too where a cell of its column is not known: nobody knows that sum.
        """
        row: _Row = self._made(self._sum(column, None) for column in self.schema)
        return row

    def _sum(self, column: Column, rows: Sequence[int] | None) -> Any:
        if not column.adds:
            return None
        known, values = self._valid.get(column.name), self._columns[column.name]
        if rows is None:  # of no rows either, where some of them could have been unknown
            return sum(values) if known is None or (len(known) and all(known)) else None
        if known is not None and not all(map(known.__getitem__, rows)):
            return None
        return sum(map(values.__getitem__, rows))

    def grouped(self, name: str) -> Table[Any]:
        """A row for each different value of a column: how many `rows` have it, and their sums.

        Of a table of processes it is `processes`, among them those that share the address space of
        one. In the order in which the values occur first; the sums are those of `total`.
        """
        schema = self.schema.grouped(name)
        groups: dict[Any, list[int]] = {}
        for index, cell in enumerate(self.cells(name)):
            groups.setdefault(cell, []).append(index)
        counted = self.schema.counted
        more = [len(them or ()) for them in self.cells("sharers")] if counted == "processes" else []

        def number(members: list[int]) -> list[int]:
            if counted is None:  # these are groups, whose numbers add up
                return []
            return [len(members) + (sum(map(more.__getitem__, members)) if more else 0)]

        sums = [each for each in schema if each.name != name and each.name in self.schema]
        rows = [
            [
                cell,
                *number(members),
                *(self._sum(each, members) for each in sums),
            ]
            for cell, members in groups.items()
        ]
        return Table.of_rows(schema, rows, about=self.about)

    def _taken(self, order: Sequence[int]) -> Table[_Row]:
        columns = {name: take(column, order) for name, column in self._columns.items()}
        valid = {name: take(known, order) for name, known in self._valid.items()}
        return Table(self.schema, columns, valid=valid, about=self.about, checked=True)

    def __arrow_c_schema__(self) -> object:
        """The schema, for consumers of Arrow."""
        from pagemap._tables.arrow import schema_capsule

        return schema_capsule(self.schema, self._words(), self.about)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows, for consumers of Arrow; in our schema, whichever is asked for."""
        from pagemap._tables.arrow import table_capsule

        values = {
            name: (
                column if isinstance(column, memoryview) else column.codes,
                self._valid.get(name),
            )
            for name, column in self._columns.items()
        }
        return table_capsule(self.schema, self._words(), self.about, values, self._size)

    def _words(self) -> dict[str, Sequence[str]]:
        words: dict[str, Sequence[str]] = {}
        for name, column in self._columns.items():
            if isinstance(column, Texts):
                words[name] = column.words
            elif isinstance(column, Lists):
                words[name] = [" ".join(map(str, each)) for each in column.words]
        return words

    def __reduce__(self) -> tuple[Any, ...]:
        columns = {name: frozen(column) for name, column in self._columns.items()}
        valid = {name: frozen(known) for name, known in self._valid.items()}
        return _table, (self.schema, columns, valid, self.about)

    def __repr__(self) -> str:
        return f"<Table {self.schema.name}, {self._size} rows: {', '.join(self.schema.names)}>"


def _table(
    schema: Schema[Any], columns: Mapping[str, Any], valid: Mapping[str, Any], about: Any
) -> Table[Any]:
    """A table out of a pickle. Its columns are checked again."""
    return Table(
        schema,
        {name: thawed(column) for name, column in columns.items()},
        valid={name: thawed(known) for name, known in valid.items()},
        about=about,
    )
