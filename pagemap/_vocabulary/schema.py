"""The columns of a result: name, type, unit and meaning of each, declared once."""

from __future__ import annotations

from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TYPES", "Column", "Schema"]

TYPES = ("int", "float", "bool", "text")
"""The types of columns: 64-bit integers, 64-bit floats, booleans, and text."""


class Column:
    """A column: `name`, `type` (one of `TYPES`), `unit` ("bytes", or "" for none), `meaning`.

    A cell of a `nullable` column may be unknown: None in a row, null in Arrow.
    """

    __slots__ = ("meaning", "name", "nullable", "type", "unit")

    def __init__(
        self, name: str, type: str, unit: str, meaning: str, *, nullable: bool = False
    ) -> None:
        if type not in TYPES:
            raise UsageError(f"no type of columns is called {type!r}: take {', '.join(TYPES)}")
        self.name = name
        self.type = type
        self.unit = unit
        self.meaning = meaning
        self.nullable = nullable

    def __repr__(self) -> str:
        return f"<Column {self.name} {self.type}{' or null' if self.nullable else ''}>"


class Schema:
    """The columns of a result, in order; `name` and `version` say which result it is.

    >>> schema = Schema("pagemap.example", 1, [Column("rss", "int", "bytes", "resident")])
    >>> schema.names, schema["rss"].unit
    (('rss',), 'bytes')
    """

    __slots__ = ("_by_name", "columns", "name", "version")

    def __init__(self, name: str, version: int, columns: Sequence[Column]) -> None:
        self.name = name
        self.version = version
        self.columns = tuple(columns)
        self._by_name = {column.name: column for column in columns}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._by_name)

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
            from pagemap._vocabulary.words import choices

            raise UsageError(
                f"{self.name} has no column {name!r}. {choices(str(name), self._by_name)}"
            )
        return column

    def select(self, names: Sequence[str] | None) -> Schema:
        """The same with these columns alone, in this order; with None, itself.

        Raises UsageError for an unknown name, one that is given twice, or none at all.
        """
        if names is None:
            return self
        if isinstance(names, str):
            raise UsageError(f"names must be a sequence of names, not the text {names!r}")
        chosen = [self[name] for name in names]
        if not chosen or len(set(names)) < len(chosen):
            raise UsageError("names must be one column or more, each once")
        return Schema(self.name, self.version, chosen)

    def __repr__(self) -> str:
        return f"<Schema {self.name} {self.version}: {', '.join(self._by_name)}>"
