"""What a measurement looks like where it is printed: its sums, and a table of what changed."""

from __future__ import annotations

from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import compact_size, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.measure import MeasureRow

__all__ = ["lines"]

_SHOWN = 10  # rows
_COLUMNS = ("rss_change", "anon_change", "file_change", "shmem_change", "swap_change", "written")


def lines(table: Table[MeasureRow]) -> Iterator[str]:
    """The sums, what they would be without any work, and the paths of which most changed."""
    told, total = table.about, table.total()
    rss, change = total.rss or 0, total.rss_change or 0
    first = (
        f"process {told['pid']}, {told['seconds']:.3f} s: rss {format_size(rss - change)} -> "
        f"{format_size(rss)} ({_signed(change)})"
    )
    if told["minor_faults"] is not None:
        first += f", {told['minor_faults']} page faults"
    yield first
    if told["noise"] is not None:
        noise = f"without any work: rss {_signed(told['noise'])}"
        if told["noise_written"] is not None:
            noise += f", {_size(told['noise_written'])} written"
        yield noise
    shown = [row for row in table if any(getattr(row, name) for name in _COLUMNS)]
    names = [name for name in _COLUMNS if any(getattr(row, name) for row in shown)]
    heads = {"rss_change": "CHANGE", "written": "WRITTEN"}
    if not shown:
        return
    cells = [["RSS", *(heads.get(name, name.partition("_")[0].upper()) for name in names), "PATH"]]
    for row in shown[:_SHOWN]:
        shown_amounts = (
            compact_size(row.written or 0) if name == "written" else _signed(getattr(row, name))
            for name in names
        )
        cells.append([compact_size(row.rss or 0), *shown_amounts, printable(row.path) or "[anon]"])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        amounts = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        yield "  ".join([*amounts[:-1], line[-1]])
    if len(shown) > _SHOWN:
        yield f"and {len(shown) - _SHOWN} more paths: see table"


def _size(amount: object) -> str:
    assert isinstance(amount, int)
    return compact_size(amount)


def _signed(change: object) -> str:
    if change is None:
        return "-"
    assert isinstance(change, int)
    return f"+{compact_size(change)}" if change > 0 else compact_size(change)
