"""A table beside what it was before: each amount with its change in a column of its own."""

from __future__ import annotations

from pagemap._tables.table import Table
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["CHANGE", "changed", "with_changes"]

CHANGE = "_change"
"""What the name of a column of changes ends in, after that of the column."""


def with_changes(schema: Schema[Any], name: str) -> Schema[Any]:
    """The schema `name` of `changed`: behind each amount its change."""
    columns: list[Column] = []
    for column in schema:
        columns.append(column)
        if column.is_amount:
            about = f"change of {column.name}"
            columns.append(
                Column(f"{column.name}{CHANGE}", column.type, "change", about, nullable=True)
            )
    return Schema(name, 1, columns)


def changed(
    now: Table[Any], before: Table[Any], schema: Schema[Any], keys: Sequence[str]
) -> Table[Any]:
    """The rows of `now`, and those of `before` that are gone, with amounts of 0.

    `schema` is that of `with_changes`; rows with the same `keys` are the same. A change is unknown
    where either amount is.
    """
    amounts = [column.name for column in now.schema if column.is_amount]
    known = {name for name in amounts if _is_known(before, name)}
    was = {_key(row, keys): row for row in before}
    rows = [_row(row, was.pop(_key(row, keys), None), now.schema, known) for row in now]
    rows += [_gone(row, now.schema) for row in was.values()]
    return Table.of_rows(schema, rows, about=now.about)


def _key(row: Any, keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, key) for key in keys)


def _is_known(table: Table[Any], name: str) -> bool:
    valid = table.valid(name)
    return valid is None or any(valid) or not len(table)


def _row(row: Any, was: Any, schema: Schema[Any], known: set[str]) -> list[Any]:
    cells: list[Any] = []
    for column, cell in zip(schema, row, strict=True):
        cells.append(cell)
        if not column.is_amount:
            continue
        old = getattr(was, column.name) if was is not None else 0
        if was is None and column.name not in known:
            old = None
        cells.append(None if cell is None or old is None else cell - old)
    return cells


def _gone(was: Any, schema: Schema[Any]) -> list[Any]:
    cells: list[Any] = []
    for column, cell in zip(schema, was, strict=True):
        if not column.is_amount:
            cells.append(cell)
        else:
            cells += [None, None] if cell is None else [0, -cell]
    return cells
