"""Huge pages of mappings, or of processes, as JSON and CSV; each written as they come."""

from __future__ import annotations

from pagemap._analyses.huge_counts import NOTHING
from pagemap._render.document import write_list
from pagemap._render.huge_columns import AMOUNTS, KINDS
from pagemap._render.huge_sheet import KIND, plain, rows_of
from pagemap._vocabulary.text import csv_cell
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._analyses.huge_counts import HugeKind, HugeTally
    from pagemap._render.document import Write
    from pagemap._render.huge_sheet import Batches, Place, Sheet

__all__ = ["write_csv", "write_json"]

SCHEMA = "pagemap.huge/2"


def write_json(
    sheet: Sheet, batches: Batches, write: Write, *, head: str, rows: str, totals_only: bool
) -> None:
    """Write one object: addresses are strings, sizes in bytes; the totals come last.

    `head` are members to begin with, each with a comma behind; `rows` is the name of the list.
    """
    from json import dumps
    from json.encoder import encode_basestring_ascii

    def amount(name: str, tally: HugeTally) -> list[str]:
        value: object
        match KIND[name]:
            case "blocks":
                value = {
                    str(PAGE_SIZE << order): _bytes(tally.cont(order)) for order in sheet.conts
                }
            case "sizes":
                value = _nested(sheet, getattr(tally, KINDS[name]))
            case _:
                value = _bytes(plain(name, tally))
        return [f'"{name}":{dumps(value, separators=(",", ":"))}']

    def placed(name: str, place: Place) -> str:
        value = getattr(place, name)
        match KIND[name]:
            case "address":
                return f'"{name}":"{value:#x}"'
            case "pids":
                return f'"{name}":{dumps(value, separators=(",", ":"))}'
            case "number":
                return f'"{name}":{value}'
            case _:
                return f'"{name}":{encode_basestring_ascii(value)}'

    def tail() -> str:
        sums = [amount(name, sheet.sum)[0] for name in sheet.names if name in AMOUNTS]
        return f',"totals":{{{",".join(sums)}}}'

    head = f'{{"schema":"{SCHEMA}",{head}"page_size":{PAGE_SIZE}'
    if totals_only:
        sheet.finish(batches)
        write(f"{head}{tail()}}}\n".encode("ascii"))
        return
    line = rows_of(sheet, amount, placed, ",")
    lines = ([f"{{{line(row)}}}" for row in batch] for batch in sheet.over(batches))
    write_list(f'{head},"{rows}":[', lines, write, tail)


def _nested(sheet: Sheet, kind: HugeKind) -> dict[str, object]:
    """A kind as JSON: sizes that hold nothing are left out, but for blocks that were asked for."""
    found: dict[str, object] = {}
    for what, size, pages in sheet.details(kind):
        if not size:
            found[what] = _bytes(pages)
            continue
        of_size = found.setdefault(what, {})
        assert isinstance(of_size, dict)
        if pages or what == "cont":
            of_size[str(size)] = _bytes(pages)
    return found


def _bytes(pages: int | None) -> int | None:
    return None if pages is None else pages << PAGE_SHIFT


def write_csv(sheet: Sheet, batches: Batches, write: Write, *, totals_only: bool) -> None:
    """Write CSV: addresses as hex, sizes in bytes; of `totals_only` one row, the total.

    A column that tells of several sizes is a column for each. What is not printable in a path is
    in octal.
    """

    def amount(name: str, tally: HugeTally) -> list[str]:
        return [
            "" if pages is None else str(pages << PAGE_SHIFT)
            for _, pages in sheet.counts(name, tally)
        ]

    def placed(name: str, place: Place) -> str:
        value = getattr(place, name)
        if KIND[name] == "pids":
            return " ".join(map(str, value))
        if KIND[name] == "address":
            return f"{value:#x}"
        return csv_cell(value) if name in ("name", "path") else str(value)

    titles = [
        title
        for name in sheet.names
        for title in (
            [each for each, _ in sheet.counts(name, NOTHING)] if name in AMOUNTS else [name]
        )
    ]
    before = ",".join(titles) + "\n"
    empty = '""'  # a line without anything on it is no row to who reads CSV
    if totals_only:
        sheet.finish(batches)
        sums = [word for name in sheet.names for word in amount(name, sheet.sum)]
        write(f"{before}{','.join(sums) or empty}\n".encode("ascii"))
        return
    line = rows_of(sheet, amount, placed, ",")
    for batch in sheet.over(batches):
        text = before + "".join([f"{line(row) or empty}\n" for row in batch])
        write(text.encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))
