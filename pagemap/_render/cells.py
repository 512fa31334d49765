"""The cells of a table as people read them."""

from __future__ import annotations

from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import compact_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from pagemap._render.changes import Changes
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Column

__all__ = ["NUMBERS", "signed_size", "texts_of", "total_of"]

NUMBERS = ("int", "float")
"""The types of columns that are set to the right."""

_UNKNOWN = "-"
_CHANGE = "_change"  # what the name of a column of changes ends in (pagemap._tables.changed)
_LEVELS = "▁▂▃▄▅▆▇█"
_ALL = 100  # percent
_EMPTY = {"path": "[anon]", "names": "(none)"}


def signed_size(size: int) -> str:
    """The same of a change, which has a sign.

    >>> signed_size(4096), signed_size(0), signed_size(-4096)
    ('+4.0K', '0', '-4.0K')
    """
    return f"+{compact_size(size)}" if size > 0 else compact_size(size)


def texts_of(
    table: Table,
    column: Column,
    changes: Changes | None = None,
    most: int | None = None,
    *,
    ascii_bars: bool = True,
) -> list[str]:
    """The cells of a column; an amount is followed by its change, if the table has it or `changes`.

    Bars are drawn in ASCII, or with block characters. Of a text only the first and the last `most`
    characters are made readable, if it has more.
    """
    cells = list(table.cells(column.name))
    text = text_by(column)
    if column.unit == "residency":
        text = _ascii_bar if ascii_bars else _bar
    if most is not None and column.type == "text":
        cells = [
            cell[:most] + cell[-most:] if cell is not None and len(cell) > 2 * most else cell
            for cell in cells
        ]
    words = {cell: _UNKNOWN if cell is None else text(cell) for cell in set(cells)}
    texts = [words[cell] for cell in cells]
    if not column.is_amount or column.unit == "change":
        return texts
    beside = f"{column.name}{_CHANGE}"
    if beside in table.schema:
        of_rows = [change or 0 for change in table.cells(beside)]
    elif changes is not None:
        of_rows = changes.of(table, column.name)
    else:
        return texts
    shown = [text(change) if change < 0 else f"+{text(change)}" for change in of_rows]
    none = {text(0), f"+{text(0)}", f"-{text(0)}"}  # what rounds to nothing is no change to see
    return [
        said if change in none else f"{said} {change}"
        for said, change in zip(texts, shown, strict=True)
    ]


def _bar(percents: Sequence[int]) -> str:
    """How much of each part there is: nothing, one of seven levels, or all."""
    levels = (" " if not each else _LEVELS[(each - 1) * 7 // 99] for each in percents)
    return f"[{''.join(levels)}]"


def _ascii_bar(percents: Sequence[int]) -> str:
    """The same: nothing, something, or all."""
    levels = ("O" if each == _ALL else "o" if each else " " for each in percents)
    return f"[{''.join(levels)}]"


def total_of(column: Column, total: Mapping[str, Any]) -> str:
    """The cell of a column in the row of sums."""
    if not column.adds:
        return ""
    cell, change = total.get(column.name), total.get(f"{column.name}{_CHANGE}")
    said = _UNKNOWN if cell is None else text_by(column)(cell)
    return f"{said} {signed_size(change)}" if change else said


def text_by(column: Column) -> Callable[[Any], str]:
    """What makes a text of a cell that is known."""
    if column.unit == "bytes":
        return compact_size
    if column.unit == "change":
        return signed_size
    if column.unit == "share":
        return "{:.1%}".format
    if column.hexadecimal:
        return hex
    if column.type == "bool":
        return lambda cell: "yes" if cell else "no"
    if column.type == "float":
        return "{:.3f}".format
    if column.type == "list":
        return lambda cell: " ".join(map(str, cell)) or _UNKNOWN
    if column.type == "text":
        empty = _EMPTY.get(column.name, "")
        return lambda cell: printable(cell) or empty
    return str
