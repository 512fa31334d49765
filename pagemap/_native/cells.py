"""Columns into rows of text, a buffer at a time."""

from __future__ import annotations

from errno import ENOSPC

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

__all__ = ["BOOL", "DECIMAL", "HEX", "UNSIGNED", "WORD", "Cells", "write_cells"]

DECIMAL: int = lib.PM_CELL_DECIMAL
UNSIGNED: int = lib.PM_CELL_UNSIGNED
HEX: int = lib.PM_CELL_HEX
BOOL: int = lib.PM_CELL_BOOL
WORD: int = lib.PM_CELL_WORD

_SLACK = bytes(lib.PM_ROW_SLACK)
_ITEMS = {
    DECIMAL: "int64_t",
    UNSIGNED: "int64_t",
    HEX: "int64_t",
    BOOL: "uint8_t",
    WORD: "int32_t",
}

# Long enough that a call does not count, short enough for the cache.
_PIECE_BYTES = 1 << 18


class Cells:
    """A column and how its cells are written: `before` stands before each, `words` are encoded.

    `values` are int64 of `DECIMAL`, `UNSIGNED` and `HEX`, booleans of `BOOL`, with two words, and
    numbers of words (int32) of `WORD`; `valid` are booleans, or None where all are known.
    """

    __slots__ = ("before", "type", "valid", "values", "words")

    def __init__(
        self,
        type: int,
        values: memoryview[Any],
        valid: memoryview[bool] | None,
        before: bytes,
        words: Sequence[bytes] = (),
    ) -> None:
        self.type = type
        self.values = values
        self.valid = valid
        self.before = before
        self.words = words


def write_cells(
    columns: Sequence[Cells],
    rows: int,
    *,
    unknown: bytes,
    after: bytes,
    quoted: bool,
    size: int = _PIECE_BYTES,
) -> Iterator[bytes]:
    """The rows, whole ones in each piece of about `size` bytes, or of one row that is longer.

    `unknown` stands for what is not known, `after` ends each row; hex is in quotes with `quoted`.
    Raises ValueError where a column has less than `rows`, OSError for the number of a word that
    there is not.
    """
    table = ffi.new("struct pm_cells[]", len(columns))
    keep: list[Any] = [table]
    for into, column in zip(table, columns, strict=True):
        _fill(into, column, rows, keep)
    job = ffi.new("struct pm_cell_rows *")
    job.columns = table
    job.columns_count = len(columns)
    _put_text(job.unknown, unknown, keep)
    _put_text(job.after, after, keep)
    job.quoted = quoted
    row = ffi.new("uint64_t *")
    out = allocate("char[]", size)
    while row[0] < rows:
        got = lib.pm_cells_write(job, row, rows, out, size)
        if got == -ENOSPC:
            size *= 2
            out = allocate("char[]", size)
            continue
        yield bytes(ffi.buffer(out, checked(got)))


def _fill(into: Any, column: Cells, rows: int, keep: list[Any]) -> None:
    into.type = column.type
    # The views are kept and no cdata of them (see SavedTable in snapshot.py).
    into.values = ffi.from_buffer(f"{_ITEMS[column.type]}[{rows}]", column.values)
    keep.append(column.values)
    if column.valid is not None:
        into.valid = ffi.from_buffer(f"uint8_t[{rows}]", column.valid)
        keep.append(column.valid)
    _put_text(into.before, column.before, keep)
    if column.words:
        ends = [0]
        for word in column.words:
            ends.append(ends[-1] + len(word))
        into.words = words = ffi.from_buffer("char[]", b"".join(column.words) + _SLACK)
        into.ends = table = ffi.new("uint64_t[]", ends)
        into.words_count = len(column.words)
        keep += (words, table)


def _put_text(into: Any, text: bytes, keep: list[Any]) -> None:
    into.bytes = held = ffi.from_buffer("char[]", text + _SLACK)
    into.size = len(text)
    keep.append(held)
