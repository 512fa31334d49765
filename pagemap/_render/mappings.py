"""Mappings and what they hold: a table, JSON, CSV; each written as the mappings come."""

from __future__ import annotations

from pagemap._analyses.tally import Tally, total
from pagemap._render.columns import LEAST_WIDTH, SHOWN
from pagemap._render.document import NEXT, write_list
from pagemap._render.lines import HELD, Lines
from pagemap._render.table import Column, compact_size, write_table
from pagemap._vocabulary.rows.mapping import Mapping
from pagemap._vocabulary.text import csv_cell, json_string, printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from pagemap._render.document import Write

    Counted = tuple[Mapping, Tally]
    Batches = Iterable[list[Counted]]

__all__ = ["Totals", "ordered", "write_csv", "write_json", "write_text"]

SCHEMA = "pagemap.maps/2"

_SHOWN = {column.name: column for column in SHOWN}
_AMOUNTS = {column.name for column in SHOWN if column.kind in ("amount", "count")}


class Totals:
    """The sum of all tallies that pass."""

    def __init__(self) -> None:
        self._sum: Tally | None = None

    def over(self, batches: Batches) -> Iterator[list[Counted]]:
        """The same batches, added up on their way."""
        for batch in batches:
            part = total([tally for _, tally in batch])
            self._sum = part if self._sum is None else total([self._sum, part])
            yield batch

    def amounts(self) -> dict[str, int | None]:
        """The sums in pages, by the names of their columns."""
        return dict(zip(HELD, total([]) if self._sum is None else self._sum, strict=True))


def ordered(counted: Iterable[Counted], name: str) -> list[Counted]:
    """The mappings by a column: amounts from the largest on, what is unknown last."""
    if name not in _AMOUNTS:
        at = Mapping._fields.index(name)
        return sorted(counted, key=lambda each: each[0][at])
    at = HELD.index(name)

    def amount(each: Counted) -> int:
        pages = each[1][at]
        return -1 if pages is None else pages

    return sorted(counted, key=amount, reverse=True)


def write_text(
    names: Sequence[str],
    batches: Batches | None,
    totals: Totals,
    write: Write,
    *,
    in_pages: bool = False,
) -> None:
    """Write a table of the columns `names`, and below it the total.

    Without `batches` only the total is written, a line for each amount. Amounts are in pages, or in
    bytes with a unit.
    """

    def cell(name: str, value: Any) -> str:
        if name in _AMOUNTS:
            if value is None:
                return "-"
            return str(value) if in_pages else compact_size(value << PAGE_SHIFT)
        return f"{value:#x}" if name == "offset" else printable(str(value))

    def rows(batches: Batches) -> Iterator[Sequence[str]]:
        # no cell holds a NUL or a newline: they would not be printable
        lines = Lines(names, lambda _: "0x%x", cell, between="\0")
        for batch in batches:
            for line in lines(batch).split("\n"):
                yield line.split("\0")
        sums = totals.amounts()
        label = next((name for name in names if name not in _AMOUNTS), None)
        beside = {name: "total" if name == label else "" for name in Mapping._fields}
        yield [cell(name, sums[name]) if name in sums else beside[name] for name in names]

    if batches is None:
        columns = [Column("WHAT"), Column("TOTAL", right=True)]
        sums = totals.amounts()
        write_table(
            columns, ((_SHOWN[name].title, cell(name, sums[name])) for name in names), write
        )
        return
    columns = [
        Column(
            _SHOWN[name].title,
            right=_SHOWN[name].kind != "text",
            shorten=name == "path",
            least=LEAST_WIDTH.get(_SHOWN[name].kind, 0),
        )
        for name in names
    ]
    write_table(columns, rows(batches), write)


def write_json(
    pid: int,
    names: Sequence[str],
    batches: Batches | None,
    totals: Totals,
    write: Write,
    *,
    exclusive_by: str | None = None,
) -> None:
    """Write one object: addresses are strings, sizes in bytes; the totals come last.

    `exclusive_by` says what exclusive is counted by, where it is ("map count" or "page table").

    Bytes of a path that are not UTF-8 are lone surrogates, as Python reads them back.
    """

    def cell(name: str, value: Any) -> str:
        if name in _AMOUNTS:
            return f'"{name}":{"null" if value is None else value << PAGE_SHIFT}'
        if name == "offset":
            return f'"{name}":"{value:#x}"'
        return f'"{name}":{value if name == "inode" else json_string(value)}'

    def tail() -> str:
        sums = totals.amounts()
        return f',"totals":{{{",".join(cell(name, sums[name]) for name in names if name in sums)}}}'

    head = f'{{"schema":"{SCHEMA}","pid":{pid},"page_size":{PAGE_SIZE}'
    if exclusive_by is not None:
        head += f',"exclusive_by":{json_string(exclusive_by)}'
    if batches is None:
        write(f"{head}{tail()}}}\n".encode("ascii"))
        return
    lines = Lines(names, lambda name: f'"{name}":"0x%x"', cell, around="{%s}", after=NEXT)
    write_list(f'{head},"mappings":[', ([lines(batch)] for batch in batches), write, tail)


def write_csv(names: Sequence[str], batches: Batches | None, totals: Totals, write: Write) -> None:
    """Write CSV: addresses as hex, sizes in bytes; without `batches` one row, the total.

    What is not printable in a path is in octal.
    """

    def cell(name: str, value: Any) -> str:
        if name in _AMOUNTS:
            return empty if value is None else str(value << PAGE_SHIFT)
        if name == "offset":
            return f"{value:#x}"
        return (csv_cell(value) if name == "path" else str(value)) or empty

    # A line without anything on it is no row to who reads CSV.
    empty = '""' if len(names) == 1 else ""
    before = ",".join(names) + "\n"
    if batches is None:
        sums = totals.amounts()
        write(f"{before}{','.join(cell(name, sums[name]) for name in names)}\n".encode("ascii"))
        return
    lines = Lines(names, lambda _: "0x%x", cell)
    for batch in batches:
        write(f"{before}{lines(batch)}\n".encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))
