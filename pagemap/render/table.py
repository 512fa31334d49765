"""Tables: aligned text for files and pipes, drawn by rich on a terminal.

Aligned text is the same wherever it goes, so that it can be cut and compared. Only on a terminal
are long cells shortened or wrapped, and only there is rich imported.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from itertools import chain, islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import NamedTuple

    from rich.console import Console

    Row = Sequence[str]

    class Column(NamedTuple):
        """A column: its title, whether it is set to the right, how it gives way on a terminal.

        `shorten` takes out the middle of its cells, `wrap` breaks them between words.
        """

        title: str
        right: bool = False
        shorten: bool = False
        wrap: bool = False
else:
    Column = namedtuple("Column", ("title", "right", "shorten", "wrap"), defaults=(False,) * 3)

__all__ = ["Column", "shorten", "write_table"]

# rich lays out some thousand rows a second, and a process may have sixty thousand mappings.
_DRAWN_ROWS = 1000

# Rows whose widths are looked at together, so that memory stays flat: where a block has wider cells
# than all before it, the columns are wider from there on.
_BLOCK_ROWS = 4096

_GAP = 2
_LEAST_WIDTH = 20


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
    terminal = sys.stdout is not None and sys.stdout.isatty()
    encoding, unfit = "utf-8", "surrogateescape"
    if terminal and sys.stdout.encoding.lower() not in ("utf-8", "utf8"):
        # Among the bytes of UTF-8 such a terminal may find control characters.
        encoding, unfit = sys.stdout.encoding, "backslashreplace"
    elif terminal:
        first = list(islice(rest, _DRAWN_ROWS + 1))
        console = _console(columns, first) if len(first) <= _DRAWN_ROWS else None
        if console is not None:
            _draw(console, columns, first, styles or {})
            return
        rest = chain(first, rest)
    for block in _aligned(columns, rest):
        write(block.encode(encoding, unfit))


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
    widths = [0] * len(columns)
    while block := titles + list(islice(rows, _BLOCK_ROWS)):
        titles = []
        widths = _widths(columns, block, widths)
        cells = [
            f"{{:{'>' if column.right else '<'}{width}}}"
            for column, width in zip(columns, widths, strict=True)
        ]
        line = (" " * _GAP).join(cells).format
        yield "".join([f"{line(*row).rstrip()}\n" for row in block])


def _console(columns: Sequence[Column], rows: list[Row]) -> Console | None:
    """A console on stdout, or None without rich.

    It is wider than its terminal where that cannot hold the columns that must stay whole: a line
    that goes on below is read more easily than half an address.
    """
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(markup=False, emoji=False, highlight=False)
    console.width = max(console.width, _fixed_width(columns, rows) + _LEAST_WIDTH)
    return console


def _fixed_width(columns: Sequence[Column], rows: list[Row]) -> int:
    """The width of all columns but those that give way, gaps included."""
    widths = _widths(columns, rows, [len(column.title) for column in columns])
    return sum(
        _GAP + (0 if column.shorten or column.wrap else width)
        for column, width in zip(columns, widths, strict=True)
    )


def _draw(
    console: Console, columns: Sequence[Column], rows: list[Row], styles: Mapping[str, str]
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title, justify="right" if column.right else "left", no_wrap=not column.wrap
        )
    room = console.width - _fixed_width(columns, rows)
    for row in rows:
        cells = (
            shorten(cell, room) if column.shorten else cell
            for column, cell in zip(columns, row, strict=True)
        )
        table.add_row(*(Text(cell, styles.get(cell, "")) for cell in cells))
    console.print(table)
