"""Rows as text: the cells of every format, and the rows that are made of them."""

from __future__ import annotations

from math import isfinite

from pagemap._vocabulary.text import csv_cell, json_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Column

__all__ = ["csv_lines", "json_object", "json_rows"]


def csv_lines(table: Table[Any], extra: Mapping[str, str]) -> bytes:
    """The rows of a table, each a line."""
    lead = [csv_cell(text) for text in extra.values()]
    columns = [_texts(table, column, _csv, "") for column in table.schema]
    lines = [",".join((*lead, *cells)) or '""' for cells in zip(*columns, strict=True)]
    return "".join(f"{line}\n" for line in lines).encode()


def json_rows(table: Table[Any], extra: Mapping[str, str]) -> list[str]:
    """The rows of a table, each an object."""
    lead = [f"{json_string(name)}:{json_string(text)}," for name, text in extra.items()]
    heads = [f"{json_string(name)}:" for name in table.schema.names]
    columns = [_texts(table, column, _json, "null") for column in table.schema]
    return [
        "{" + "".join(lead) + ",".join(map("".join, zip(heads, cells, strict=True))) + "}"
        for cells in zip(*columns, strict=True)
    ]


def json_object(columns: Iterable[Column], cells: Iterable[Any]) -> str:
    """One row, without the columns that are None."""
    parts = [
        f"{json_string(column.name)}:{_json(column)(cell)}"
        for column, cell in zip(columns, cells, strict=True)
        if cell is not None
    ]
    return "{" + ",".join(parts) + "}"


def _texts(
    table: Table[Any], column: Column, cell: Callable[[Column], Callable[[Any], str]], unknown: str
) -> list[str]:
    make = cell(column)
    return [
        unknown if each is None or (column.type == "float" and not isfinite(each)) else make(each)
        for each in table.cells(column.name)
    ]


def _csv(column: Column) -> Callable[[Any], str]:
    if column.hexadecimal and column.type == "int":
        return "0x{:x}".format
    makers: dict[str, Callable[[Any], str]] = {
        "int": str,
        "float": repr,
        "bool": lambda cell: "1" if cell else "0",
        "text": csv_cell,
        "list": lambda cell: " ".join(map(str, cell)),
    }
    return makers[column.type]


def _json(column: Column) -> Callable[[Any], str]:
    if column.hexadecimal and column.type == "int":
        return '"0x{:x}"'.format
    makers: dict[str, Callable[[Any], str]] = {
        "int": str,
        "float": repr,
        "bool": lambda cell: "true" if cell else "false",
        "text": json_string,
        "list": lambda cell: "[" + ",".join(map(str, cell)) + "]",
    }
    return makers[column.type]
