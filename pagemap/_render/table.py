"""Tables: aligned text for files and pipes, drawn by rich on a terminal.

Aligned text is the same wherever it goes, so that it can be cut and compared. Only on a terminal
are long cells shortened or wrapped, and only there is rich imported.
"""

from __future__ import annotations

import os
import sys
from itertools import chain, islice

from pagemap._vocabulary.record import Record
from pagemap._vocabulary.units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Row = Sequence[str]

__all__ = ["Column", "compact_size", "shorten", "terminal_width", "write_table"]


class Column(Record):
    """A column: its title, whether it is set to the right, how it gives way on a terminal.

    `shorten` takes out the middle of its cells, `wrap` breaks them between words. `least` is how
    wide it is at least, so that cells that come late in a long table find room.
    """

    title: str
    right: bool = False
    shorten: bool = False
    wrap: bool = False
    least: int = 0


# rich lays out some thousand rows a second, and a process may have sixty thousand mappings.
_DRAWN_ROWS = 1000

# Rows whose widths are looked at together, so that memory stays flat: where a block has wider cells
# than all before it, the columns are wider from there on.
_BLOCK_ROWS = 4096

_GAP = 2
_LEAST_WIDTH = 20
_USUAL_WIDTH = 80


def write_table(
    columns: Sequence[Column],
    rows: Iterable[Row],
    write: Callable[[bytes], object],
    *,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Write `rows`, a string for each of `columns`, by `write`; draw them if stdout is a terminal.

    The cells are printable and hold no newline. `styles` gives the style, in rich's words, of cells
    with a certain text. A terminal that does not take UTF-8 gets aligned text in its own encoding.
    """
    rest = iter(rows)
    width = terminal_width()
    encoding, unfit = "utf-8", "surrogateescape"
    if width is not None and sys.stdout.encoding.lower() not in ("utf-8", "utf8"):
        # Among the bytes of UTF-8 such a terminal may find control characters.
        encoding, unfit = sys.stdout.encoding, "backslashreplace"
    elif width is not None:
        first = list(islice(rest, _DRAWN_ROWS + 1))
        room = max(width - _fixed_width(columns, first), _LEAST_WIDTH)
        if len(first) <= _DRAWN_ROWS and _draw(columns, first, room, styles or {}):
            return
        rest = chain(first, rest)
        if any(column.shorten for column in columns):
            rest = (_cut(columns, row, room) for row in rest)
    for block in _aligned(columns, rest):
        write(block.encode(encoding, unfit))


def terminal_width() -> int | None:
    """The width of the terminal that stdout is, in characters; None when it is no terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdecimal() and int(said[:9]):
        return int(said[:9])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_WIDTH
    except OSError:
        return _USUAL_WIDTH


def compact_size(size: int) -> str:
    """`size` bytes in a cell that is narrow and has no blanks: ``4.0K`` for 4.0 KiB.

    >>> compact_size(4096), compact_size(0)
    ('4.0K', '0')
    """
    return format_size(size).replace(" ", "").removesuffix("iB").removesuffix("B")


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters; what is too much is taken out of its middle.

    >>> shorten("/usr/lib/x86_64-linux-gnu/libc.so.6", 20)
    '/usr/lib/…/libc.so.6'
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def _widths(columns: Sequence[Column], rows: Iterable[Row], least: Sequence[int]) -> list[int]:
    cells = zip(*rows, strict=True)
    return [
        max(low, max(map(len, column), default=0))
        for low, column in zip(least, chain(cells, ((),) * len(columns)), strict=False)
    ]


def _aligned(columns: Sequence[Column], rows: Iterator[Row]) -> Iterator[str]:
    titles: list[Row] = [[column.title for column in columns]]
    widths = [column.least for column in columns]
    while block := titles + list(islice(rows, _BLOCK_ROWS)):
        titles = []
        widths = _widths(columns, block, widths)
        cells = [
            f"{{:{'>' if column.right else '<'}{width}}}"
            for column, width in zip(columns, widths, strict=True)
        ]
        line = (" " * _GAP).join(cells).format
        yield "".join([f"{line(*row).rstrip()}\n" for row in block])


def _fixed_width(columns: Sequence[Column], rows: list[Row]) -> int:
    """The width of all columns but those that give way, gaps included."""
    widths = _widths(columns, rows, [max(len(column.title), column.least) for column in columns])
    return sum(
        _GAP + (0 if column.shorten or column.wrap else width)
        for column, width in zip(columns, widths, strict=True)
    )


def _cut(columns: Sequence[Column], row: Row, room: int) -> Row:
    return [
        shorten(cell, room) if column.shorten else cell
        for column, cell in zip(columns, row, strict=True)
    ]


def _draw(columns: Sequence[Column], rows: list[Row], room: int, styles: Mapping[str, str]) -> bool:
    """Draw the table, its columns that give way in `room` characters; False without rich.

    It is wider than its terminal where that cannot hold the columns that must stay whole: a line
    that goes on below is read more easily than half an address.
    """
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title, justify="right" if column.right else "left", no_wrap=not column.wrap
        )
    for row in rows:
        cells = _cut(columns, row, room)
        table.add_row(*(Text(cell, styles.get(cell, "")) for cell in cells))
    console = Console(markup=False, emoji=False, highlight=False)
    console.width = max(console.width, _fixed_width(columns, rows) + room)
    console.print(table)
    return True
