"""A Table as text: aligned columns, as many as fit the width.

The caller passes the width of the terminal. Without a width the text does not depend on where it is
written, so that it can be cut and compared.
"""

from __future__ import annotations

from itertools import chain, compress

from pagemap._render.cells import NUMBERS, texts_of, total_of
from pagemap._render.fitting import GAP, fitting, squeezed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from pagemap._render.changes import Changes
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Column, Schema

    Row = Sequence[str]

__all__ = ["write"]

_BLOCK_ROWS = 4096  # looked at together: where cells are wider than before, columns get wider
_BLOCK_CHARACTERS = 1 << 22  # the rows times the longest text, for all are made as wide
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def write(
    tables: Iterable[Table],
    put: Callable[[str], object],
    *,
    names: Sequence[str] | None = None,
    always: Sequence[str] = (),
    width: int | None = None,
    header: bool = True,
    bold: bool = False,
    total: Mapping[str, Any] | None = None,
    changes: Changes | None = None,
    ascii_bars: bool = True,
) -> None:
    """Write the rows of `tables`, one at least and all of one schema, by `put`.

    `names` are the columns, by default those that have a rank, as many as fit in `width`
    characters, and those that are `always` shown. `total` has the cells of a last row, None for no
    such row, and is looked at after the rows. `changes` says what became of amounts since the rows
    were looked at before. `ascii_bars` says that bars are drawn in ASCII.
    """
    layout: _Layout | None = None
    for table in tables:
        if layout is None:
            layout = _Layout(table.schema, names, width, always)
            layout.header = header
            layout.bold = bold
            layout.ascii_bars = ascii_bars
        rows = layout.block_rows(table)
        for first in range(0, max(len(table), 1), rows):
            block = table if len(table) <= rows else table.part(first, first + rows)
            put(layout.block(block, changes, total))
    if layout is not None and total is not None:
        last = layout.last(total)
        if last:
            put(last)


class _Layout:
    """The columns of a table, and how wide they are."""

    header = True
    bold = False
    ascii_bars = True

    def __init__(
        self,
        schema: Schema,
        names: Sequence[str] | None,
        width: int | None,
        always: Sequence[str],
    ) -> None:
        self._schema = schema
        # what is to be read is never left out
        prose = any(column.unit == "prose" for column in fitting(schema))
        self._columns: list[Column] = (
            [schema[name] for name in names]
            if names is not None
            else fitting(schema, None if prose else width, always=always)
        )
        # of a text that will be shortened, so much is looked at
        self._most = None if any(column.unit == "prose" for column in schema) else width
        self._named = names is not None
        self._always = always
        self._width = width
        self._widths: list[int] | None = None
        self._begun = False
        self._are_sentences: bool | None = None  # known once the first rows are

    def block_rows(self, table: Table) -> int:
        """How many rows of the table are looked at together."""
        if self._most is not None:
            return _BLOCK_ROWS
        texts = [table[column.name].words for column in self._columns if column.type == "text"]
        longest = max((len(word) for words in texts for word in words), default=0)
        return max(1, min(_BLOCK_ROWS, _BLOCK_CHARACTERS // max(longest, 1)))

    def block(self, table: Table, changes: Changes | None, total: Mapping[str, Any] | None) -> str:
        """The lines of these rows; the sums so far are to find room too."""
        rows = [
            texts_of(table, column, changes, self._most, ascii_bars=self.ascii_bars)
            for column in self._columns
        ]
        sums = [[] if total is None else [total_of(each, total)] for each in self._columns]
        if self._are_sentences is None:
            self._are_sentences = self._is_too_narrow(rows)
        if self._are_sentences:
            return self._sentences(rows)
        if self._widths is None and self._width is not None and not self._named:
            rows, sums = self._dropped(rows, sums)
        titles = [column.name.upper() for column in self._columns]
        natural = [
            max(map(len, chain(cells, sums_of, [title if self.header else ""])), default=1)
            for cells, sums_of, title in zip(rows, sums, titles, strict=True)
        ]
        if self._widths is not None:
            natural = list(map(max, natural, self._widths))
        self._widths = squeezed(self._columns, natural, self._width)
        lines = [] if self._begun or not self.header else [self._styled(self._line(titles))]
        self._begun = True
        lines += map(self._line, zip(*rows, strict=True))
        return "".join(lines)

    def last(self, total: Mapping[str, Any]) -> str:
        """The line of the sums; nothing where no column has one."""
        if self._are_sentences or not any(column.adds for column in self._columns):
            return ""
        cells = [total_of(column, total) for column in self._columns]
        free = [number for number, column in enumerate(self._columns) if not column.adds]
        named = [at for at in free if self._columns[at].key or self._columns[at].type == "text"]
        for number in (named or free)[:1]:  # a number of no sum says less of which row it is
            cells[number] = "total"
        assert self._widths is not None
        self._widths = squeezed(
            self._columns, list(map(max, map(len, cells), self._widths)), self._width
        )
        return self._line(cells)

    def _dropped(
        self, rows: list[list[str]], sums: list[list[str]]
    ) -> tuple[list[list[str]], list[list[str]]]:
        """The cells without the columns, of the least rank, for which they leave no room."""
        natural = {
            column: max(map(len, chain(cells, sums_of, [column.name])))
            for column, cells, sums_of in zip(self._columns, rows, sums, strict=True)
        }
        kept = fitting(self._schema, self._width, natural, always=self._always)
        left = [column in kept for column in self._columns]
        self._columns = list(compress(self._columns, left))
        return list(compress(rows, left)), list(compress(sums, left))

    def _line(self, cells: Row) -> str:
        assert self._widths is not None
        parts = []
        for column, cell, width in zip(self._columns, cells, self._widths, strict=True):
            if len(cell) > width:
                cell = shorten(cell, width)  # noqa: PLW2901 - what is shown of it
            if column.type in NUMBERS:
                parts.append(cell.rjust(width))
            else:  # the last needs no blanks after it
                parts.append(cell.ljust(width) if len(parts) < len(cells) - 1 else cell)
        return (" " * GAP).join(parts).rstrip() + "\n"

    def _styled(self, line: str) -> str:
        return f"{_BOLD}{line[:-1]}{_PLAIN}\n" if self.bold else line

    def _is_too_narrow(self, rows: list[list[str]]) -> bool:
        """Whether what is to be read would be cut, and gets lines of its own."""
        if self._width is None or all(column.unit != "prose" for column in self._columns):
            return False
        widths = [max(map(len, cells), default=0) for cells in rows]
        return sum(widths) + GAP * (len(widths) - 1) > self._width

    def _sentences(self, rows: list[list[str]]) -> str:
        """Each row as a paragraph: for what is to be read, where columns would be too narrow."""
        from textwrap import fill

        assert self._width is not None
        lines = []
        for row in zip(*rows, strict=True):
            words = [
                (column, cell)
                for column, cell in zip(self._columns, row, strict=True)
                if cell not in ("", "-")
            ]
            head = "  ".join(cell for column, cell in words if column.unit != "prose")
            lines.append(f"{head}\n")
            lines += (
                fill(
                    cell,
                    self._width,
                    initial_indent="  ",
                    subsequent_indent="  ",
                    break_on_hyphens=False,
                )
                + "\n"
                for column, cell in words
                if column.unit == "prose"
            )
        return "".join(lines)


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters; what is too much is taken out of its middle.

    >>> shorten("/usr/lib/x86_64-linux-gnu/libc.so.6", 20)
    '/usr/lib/…/libc.so.6'
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
