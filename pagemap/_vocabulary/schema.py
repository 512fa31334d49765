"""The columns of a result: name, type, unit and meaning of each, declared once.

The table on the terminal, what can be named, help, CSV, JSON and Arrow are made from it.
"""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.of_rows import OfRows
from pagemap._vocabulary.record import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._vocabulary.of_rows import Row as _Row

__all__ = ["AMOUNTS", "HEXADECIMAL", "TYPES", "UNSIGNED", "Column", "Schema"]

TYPES = ("int", "float", "bool", "text", "list")
"""The types of columns: 64-bit integers, 64-bit floats, booleans, text, and lists of integers."""

HEXADECIMAL = ("address", "offset", "pfn", "flags")
"""Units of numbers that are written with 0x: addresses and offsets in bytes, PFNs, bits."""

UNSIGNED = (*HEXADECIMAL, "inode")
"""Units of numbers of up to 64 bits without a sign: the highest are negative in a buffer."""

AMOUNTS = ("bytes", "change", "pages", "frames", "mappings", "processes", "blocks", "rows", "share")
"""Units of which a sum makes sense; a change is of bytes, with a sign, a share of a whole of 1."""

_KINDS = {"int": "int", "float": "float", "bool": "bool", "str": "text", "tuple[int, ...]": "list"}


class Column:
    """A column: `name`, `type`, `unit` ("bytes", or "" for none), `meaning`.

    Types are int and float of 64 bits, bool, text, and list, which is of integers; `Table.schema`
    has the columns of a result. A cell of a `nullable` one may be unknown: None in a row, null in
    Arrow. `rank` says which columns a narrow terminal shows first, None those that are shown only
    when named; `key` columns together say which row it is; of those that `adds` there is a total.
    `source` is the kernel's name for it, or "".
    """

    __slots__ = ("adds", "key", "meaning", "name", "nullable", "rank", "source", "type", "unit")

    def __init__(
        self,
        name: str,
        type: str,
        unit: str,
        meaning: str,
        *,
        nullable: bool = False,
        rank: int | None = None,
        key: bool = False,
        adds: bool | None = None,
        source: str = "",
    ) -> None:
        if type not in TYPES:
            raise UsageError(f"columns have no type {type!r}: choose from {', '.join(TYPES)}")
        self.name: str = name
        self.type: str = type
        self.unit: str = unit
        self.meaning: str = meaning
        self.nullable: bool = nullable
        self.rank: int | None = rank
        self.key: bool = key
        self.adds: bool = self.is_amount if adds is None else adds
        self.source: str = source

    @property
    def is_amount(self) -> bool:
        """Whether its numbers are amounts: the largest first is their natural order."""
        return self.type in ("int", "float") and self.unit in AMOUNTS

    @property
    def hexadecimal(self) -> bool:
        """Whether its numbers are written with 0x."""
        return self.unit in HEXADECIMAL

    @property
    def unsigned(self) -> bool:
        """Whether its numbers have no sign, though in a buffer those of 2**63 or more have one."""
        return self.unit in UNSIGNED

    def __repr__(self) -> str:
        return f"<Column {self.name} {self.type}{' or null' if self.nullable else ''}>"


class Schema(OfRows["_Row"]):
    """The `columns` of a result, in order; `name` and `version` say which result it is.

    `names` are those of the columns; `row` is the class of its rows, None where it is one that is
    made for a choice of columns.

    >>> from pagemap import Column, Schema
    >>> schema = Schema("pagemap.example", 1, [Column("rss", "int", "bytes", "resident")])
    >>> schema.names, schema["rss"].unit
    (('rss',), 'bytes')
    """

    __slots__ = ("_by_name", "columns", "name", "names", "row", "version")

    def __init__(
        self, name: str, version: int, columns: Sequence[Column], *, row: type[_Row] | None = None
    ) -> None:
        self.name: str = name
        self.version: int = version
        self.columns: tuple[Column, ...] = tuple(columns)
        self.row: type[_Row] | None = row
        self._by_name = {column.name: column for column in columns}
        self.names: tuple[str, ...] = tuple(self._by_name)

    @classmethod
    def of(cls, row: type[_Row], name: str, version: int) -> Schema[_Row]:
        """The schema of a result whose rows are of this class of records."""
        columns: list[Column] = []
        for each, about in fields_of(row).items():
            kind = about.kind.removesuffix(" | None")
            columns.append(
                Column(
                    each,
                    _KINDS[kind],
                    about.unit,
                    about.meaning,
                    nullable=kind != about.kind,
                    rank=about.rank,
                    key=about.key,
                    adds=about.adds,
                    source=about.source,
                )
            )
        return Schema(name, version, columns, row=row)

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Column:
        """The column called `name`. Raises UsageError, which lists the names."""
        column = self._by_name.get(name)
        if column is None:
            from pagemap._vocabulary.names import unknown

            raise UsageError(unknown(f"the schema {self.name}", str(name), self._by_name))
        return column

    def select(self, names: Sequence[str] | None) -> Schema[Any]:
        """The same with these columns alone, in this order; with None, itself.

        Raises UsageError for an unknown name, one that is given twice, or none at all.
        """
        if names is None or tuple(names) == self.names:
            return self
        if isinstance(names, str):
            raise UsageError(f"names must be a sequence of names, not the text {names!r}")
        chosen = [self[name] for name in names]
        if not chosen or len(set(names)) < len(chosen):
            raise UsageError("names must be one column or more, each once")
        return Schema(self.name, self.version, chosen)

    @property
    def counted(self) -> str | None:
        """What groups of rows have the number of: processes or rows; None where rows have it."""
        if any(name in self and self[name].adds for name in ("processes", "rows")):
            return None
        keys = [each.name for each in self if each.key]
        return "processes" if keys == ["pid"] and "sharers" in self else "rows"

    def grouped(self, name: str) -> Schema[Any]:
        """The columns of `Table.grouped`: that one, how many rows have its value, and the sums.

        Where rows are processes, `processes` is how many these are, with those that share the
        address space of one; otherwise `rows` is how many there are.
        """
        one = self[name]
        head = [
            Column(
                one.name,
                one.type,
                one.unit,
                one.meaning,
                nullable=one.nullable,
                rank=0,  # shown before the sums, whatever it was among the others
                key=True,
                adds=False,
                source=one.source,
            )
        ]
        if self.counted is not None:
            head.append(Column(self.counted, "int", self.counted, "how many there are", rank=1))
        return Schema(
            self.name,
            self.version,
            [*head, *(each for each in self if each.name != name and each.adds)],
        )

    def __repr__(self) -> str:
        return f"<Schema {self.name} {self.version}: {', '.join(self._by_name)}>"
