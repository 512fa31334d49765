"""Huge pages of mappings, or of processes, as a table."""

from __future__ import annotations

from pagemap._render.columns import LEAST_WIDTH
from pagemap._render.huge_columns import AMOUNTS, KINDS, SHOWN
from pagemap._render.huge_sheet import rows_of
from pagemap._render.table import Column, compact_size, write_table
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pagemap._analyses.huge_counts import HugeKind, HugeTally
    from pagemap._render.document import Write
    from pagemap._render.huge_sheet import Batches, Place, Sheet

    Amount = Callable[[int | None], str]

__all__ = ["size_word", "write_text"]

_SHOWN = {column.name: column for column in SHOWN}


def size_word(size: int) -> str:
    """The size of a huge page or a block, in bytes, as a word.

    >>> size_word(65536), size_word(1 << 21)
    ('64K', '2M')
    """
    return compact_size(size).replace(".0", "")


def write_text(
    sheet: Sheet,
    batches: Batches,
    write: Write,
    *,
    in_pages: bool = False,
    totals_only: bool = False,
) -> None:
    """Write a table and below it the total; of `totals_only` a line for each part of it.

    Amounts are in pages, or in bytes with a unit.
    """

    def amount(pages: int | None) -> str:
        if pages is None:
            return "-"
        return str(pages) if in_pages else compact_size(pages << PAGE_SHIFT)

    if totals_only:
        sheet.finish(batches)
        columns = [Column("WHAT"), Column("TOTAL", right=True)]
        write_table(columns, _parts(sheet, amount), write)
        return
    columns = [column for name in sheet.names for column in _columns(sheet, name)]
    write_table(columns, _rows(sheet, batches, amount), write)


def _columns(sheet: Sheet, name: str) -> Iterator[Column]:
    shown = _SHOWN[name]
    if shown.kind == "blocks":
        for order in sheet.conts:
            title = f"CONT-{size_word(PAGE_SIZE << order)}"
            yield Column(title, right=True, least=LEAST_WIDTH["amount"])
        return
    yield Column(
        shown.title,
        right=shown.kind not in ("text", "sizes", "pids"),
        shorten=name == "path",
        least=LEAST_WIDTH.get(shown.kind, 0),
    )


def _rows(sheet: Sheet, batches: Batches, amount: Amount) -> Iterator[list[str]]:
    # no cell holds a NUL: it would not be printable
    line = rows_of(sheet, lambda name, tally: _amounts(sheet, name, tally, amount), _at, "\0")
    for batch in sheet.over(batches):
        for row in batch:
            yield line(row).split("\0")
    label = next((name for name in sheet.names if name not in AMOUNTS), None)
    yield [
        cell
        for name in sheet.names
        for cell in (
            _amounts(sheet, name, sheet.sum, amount)
            if name in AMOUNTS
            else ["total" if name == label else ""]
        )
    ]


def _at(name: str, place: Place) -> str:
    value = getattr(place, name)
    if _SHOWN[name].kind == "pids":
        return " ".join(map(str, value)) or "-"
    return f"{value:#x}" if _SHOWN[name].kind == "address" else printable(str(value))


def _amounts(sheet: Sheet, name: str, tally: HugeTally, amount: Amount) -> list[str]:
    if _SHOWN[name].kind == "sizes":
        return [_by_size(sheet, getattr(tally, KINDS[name]), amount)]
    return [amount(pages) for _, pages in sheet.counts(name, tally)]


def _by_size(sheet: Sheet, kind: HugeKind, amount: Amount) -> str:
    """How much there is of each size, the largest first: ``2M:24.0M,64K:1.2M,part:4.0K``."""
    sizes = [aligned + other for aligned, other in zip(kind.aligned, kind.unaligned, strict=True)]
    sizes[sheet.largest] += kind.pmd or 0
    words = [
        f"{size_word(PAGE_SIZE << order)}:{amount(pages)}"
        for order, pages in reversed(list(enumerate(sizes)))
        if pages
    ]
    if kind.partial:
        words.append(f"part:{amount(kind.partial)}")
    return ",".join(words) or "-"


def _parts(sheet: Sheet, amount: Amount) -> Iterator[tuple[str, str]]:
    """A line for each amount; of those by size, for what there is."""
    for name in sheet.names:
        shown = _SHOWN[name]
        if shown.kind == "sizes":
            for what, size, pages in sheet.details(getattr(sheet.sum, KINDS[name])):
                if pages or (what == "cont" and pages == 0):
                    words = [shown.title, *([size_word(size)] if size else []), what]
                    yield " ".join(words), amount(pages)
        elif shown.kind == "blocks":
            for order in sheet.conts:
                yield f"CONT {size_word(PAGE_SIZE << order)}", amount(sheet.sum.cont(order))
        else:
            yield shown.title, amount(next(iter(sheet.counts(name, sheet.sum)))[1])
