"""Tables as one JSON document: what they are, what holds for all rows, the rows, their total."""

from __future__ import annotations

import json

from pagemap._errors import TargetVanished
from pagemap._export.cells import json_items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from pagemap._tables.table import Table

    Write: TypeAlias = Callable[[bytes], object]
    Total: TypeAlias = Sequence[Any] | Callable[[], Sequence[Any]]

__all__ = ["write", "write_several"]


def write(tables: Iterable[Table[Any]], write: Write, *, total: Total | None = None) -> None:
    """Write the tables, one at least, which are of one schema, as one document.

    `total` is a row of sums, as `Table.total` gives, or a function that is asked for one at the
    end; only columns that add are written of it. Where the tables raise TargetVanished midway, the
    document ends there, without a total, and that is raised. Nothing is written before the first
    table is there.
    """
    ahead = iter(tables)
    table = next(ahead)
    schema = table.schema
    write(_head(schema.name, schema.version, table.about) + b',"rows":[')
    follows = False
    try:
        while True:
            follows = _write_rows(table, write, follows=follows)
            following = next(ahead, None)
            if following is None:
                break
            table = following
    except TargetVanished:
        write(b"\n]}\n")
        raise
    sums = total() if callable(total) else total
    if sums is not None:
        cells = zip(schema, sums, strict=True)
        known = {column.name: cell for column, cell in cells if column.adds}
        write(b'\n],"total":' + _dumps(known) + b"}\n")
    else:
        write(b"\n]}\n")


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
        _write_rows(table, write, follows=False)
        write(b"\n]")
    write(b"}\n")


def _head(schema: str, version: int, about: Mapping[str, object]) -> bytes:
    """A document from its beginning until after `about`."""
    return _dumps({"schema": schema, "version": version, "about": dict(about)})[:-1]


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=str).encode("ascii")


def _write_rows(table: Table[Any], write: Write, *, follows: bool) -> bool:
    """Write the items of a list, of which some `follows`; whether it has any now."""
    for items in json_items(table):
        write(items if follows else items[1:])
        follows = True
    return follows
