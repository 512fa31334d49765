"""Tables as one JSON document: what they are, what holds for all rows, the rows, their total."""

from __future__ import annotations

from itertools import chain

from pagemap._errors import TargetVanished
from pagemap._export.cells import json_items
from pagemap._vocabulary.text import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

    Write: TypeAlias = Callable[[Any], object]  # of bytes, or of what a dump makes of rows
    Total: TypeAlias = Sequence[Any] | Callable[[], Sequence[Any]]

__all__ = ["Document", "write", "write_several"]

_NEXT = b",\n"


class Document:
    """A document of one list of rows, which is whole also where TargetVanished ends them.

    Nothing is written before `begin`, which the first `rows` call too. Any other error leaves the
    document as it is.
    """

    def __init__(self, schema: Schema[Any], about: Mapping[str, object], write: Write) -> None:
        self._head = _head(schema.name, schema.version, about) + b',"rows":['
        self._before = b""  # until it is begun
        self._write = write
        self.total: Mapping[str, object] = {}

    def __enter__(self) -> Document:
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: object) -> None:
        if error is None:
            self.begin()
            total = b',"total":' + _dumps(self.total) if self.total else b""
            self._write(b"\n]" + total + b"}\n")
        elif issubclass(error, TargetVanished) and self._before:
            self._write(b"\n]}\n")

    def begin(self) -> None:
        """Write what comes before the rows."""
        if not self._before:
            self._write(self._head)
            self._before = b"\n"

    def rows(self, items: bytes | memoryview) -> None:
        """Write some rows, whole objects with a comma and a newline between."""
        if items:
            self.begin()
            self._write(self._before)
            self._write(items)
            self._before = _NEXT


def write(tables: Iterable[Table[Any]], write: Write, *, total: Total | None = None) -> None:
    """Write the tables, one at least, which are of one schema, as one document.

    `total` is a row of sums, as `Table.total` gives, or a function that is asked for one at the
    end; only columns that add are written of it. Where the tables raise TargetVanished midway, the
    document ends there, without a total, and that is raised. Nothing is written before the first
    table is there.
    """
    ahead = iter(tables)
    first = next(ahead)
    schema = first.schema
    with Document(schema, first.about, write) as document:
        document.begin()
        for table in chain([first], ahead):
            for items in json_items(table):
                document.rows(items[: -len(_NEXT)])
        sums = total() if callable(total) else total
        if sums is not None:
            cells = zip(schema, sums, strict=True)
            document.total = {column.name: cell for column, cell in cells if column.adds}


def write_several(
    tables: Mapping[str, Table[Any]],
    schema: str,
    version: int,
    about: Mapping[str, object],
    write: Write,
) -> None:
    """Write several results as one document, the rows of each under its name."""
    write(_head(schema, version, about))
    for name, table in tables.items():
        write(f',"{name}":['.encode("ascii"))
        before = b"\n"
        for items in json_items(table):
            write(before + items[: -len(_NEXT)])
            before = _NEXT
        write(b"\n]")
    write(b"}\n")


def _head(schema: str, version: int, about: Mapping[str, object]) -> bytes:
    """A document from its beginning until after `about`."""
    return _dumps({"schema": schema, "version": version, "about": dict(about)})[:-1]


def _dumps(value: object) -> bytes:
    return json_text(value).encode("ascii")
