"""A table with one more column in front, whose text is the same in all rows."""

from __future__ import annotations

from array import array

from pagemap._tables.table import Table
from pagemap._tables.values import Texts
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["labelled", "with_label"]


def with_label(schema: Schema[Any], name: str, meaning: str) -> Schema[Any]:
    """The schema of `labelled`: the column is a part of the key of its rows."""
    column = Column(name, "text", "", meaning, key=True)
    return Schema(schema.name, schema.version, [column, *schema])


def labelled(table: Table[Any], schema: Schema[Any], text: str) -> Table[Any]:
    """The rows of `table` with `text` in the first column of `schema`."""
    name, *rest = schema.names
    codes = memoryview(array("i", bytes(4 * len(table)))).toreadonly()
    columns = {name: Texts(codes, [text]), **{each: table[each] for each in rest}}
    known = ((each, table.valid(each)) for each in rest)
    valid = {each: cells for each, cells in known if cells is not None}
    return Table(schema, columns, valid=valid, about=table.about)
