"""Huge pages of mappings, or of processes, as JSON and CSV; each written as they come.

What a column says of a row is decided here, for tables too (`pagemap.render.huge_table`).
"""

from __future__ import annotations

from collections import namedtuple

from pagemap.folios import NOTHING, ORDERS, total
from pagemap.render.document import write_list
from pagemap.render.huge_columns import AMOUNTS, SHOWN
from pagemap.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import NamedTuple

    from pagemap.folios import HugeKind, HugeTally
    from pagemap.maps import Mapping
    from pagemap.render.document import Write

    class Owner(NamedTuple):
        """A process as a row of its own: its pid and its command name."""

        pid: int
        name: str

    Place = Mapping | Owner
    Row = tuple[Place, HugeTally]
    Batches = Iterable[list[Row]]
else:
    Owner = namedtuple("Owner", ("pid", "name"))

__all__ = ["Owner", "Sheet", "ordered", "write_csv", "write_json"]

SCHEMA = "pagemap.huge/1"

_KIND = {column.name: column.kind for column in SHOWN}


def ordered(rows: Iterable[Row], name: str) -> list[Row]:
    """The rows by a column of one value: amounts from the largest on, what is unknown last."""
    if name not in AMOUNTS:
        return sorted(rows, key=lambda row: getattr(row[0], name))

    def amount(row: Row) -> int:
        pages = plain(name, row[1])
        return -1 if pages is None else pages

    return sorted(rows, key=amount, reverse=True)


def plain(name: str, tally: HugeTally) -> int | None:
    """What a column of one number says of a tally, in pages."""
    pages: int | None = tally.pages if name == "size" else getattr(tally, name)
    return pages


class Sheet:
    """The columns `names`, with blocks of the orders `conts`; and the sum of all rows that pass.

    `largest` is the order of what a PMD maps, the largest that a huge page has; None where the
    kernel does not tell.
    """

    def __init__(self, names: Sequence[str], *, conts: Sequence[int], largest: int | None) -> None:
        self.names = names
        self.conts = conts
        self.largest = ORDERS - 1 if largest is None else largest
        self.sum = NOTHING
        self._begun = False

    def over(self, batches: Batches) -> Iterator[list[Row]]:
        """The same batches, added up on their way."""
        for batch in batches:
            tallies = [tally for _, tally in batch]
            self.sum = total([self.sum, *tallies] if self._begun else tallies)
            self._begun = True
            yield batch

    def finish(self, batches: Batches) -> None:
        """Add all of them up, for who wants the sum alone."""
        for _ in self.over(batches):
            pass

    def counts(self, name: str, tally: HugeTally) -> Iterator[tuple[str, int | None]]:
        """The numbers of a column of amounts, in pages, by the names that they have in CSV."""
        match _KIND[name]:
            case "blocks":
                for order in self.conts:
                    yield f"cont_{PAGE_SIZE << order}", tally.cont(order)
            case "sizes":
                for what, size, pages in self.details(getattr(tally, name)):
                    yield f"{name}_{what}_{size}" if size else f"{name}_{what}", pages
            case _:
                yield name, plain(name, tally)

    def details(self, kind: HugeKind) -> Iterator[tuple[str, int, int | None]]:
        """All counts of a kind: what it is, of which size in bytes (0: of all), and the pages."""
        yield "pmd", 0, kind.pmd
        yield "partial", 0, kind.partial
        for what in ("aligned", "unaligned"):
            counts = getattr(kind, what)
            for order in range(1, self.largest + 1):
                yield what, PAGE_SIZE << order, counts[order]
        for order in self.conts:
            yield "cont", PAGE_SIZE << order, kind.cont[order]


def write_json(
    sheet: Sheet, batches: Batches, write: Write, *, head: str, rows: str, totals_only: bool
) -> None:
    """Write one object: addresses are strings, sizes in bytes; the totals come last.

    `head` are members to begin with, each with a comma behind; `rows` is the name of the list.
    """
    from json import dumps

    def amount(name: str, tally: HugeTally) -> object:
        match _KIND[name]:
            case "blocks":
                return {str(PAGE_SIZE << order): _bytes(tally.cont(order)) for order in sheet.conts}
            case "sizes":
                return _nested(sheet, getattr(tally, name))
            case _:
                return _bytes(plain(name, tally))

    def placed(name: str, place: Place) -> object:
        value = getattr(place, name)
        return f"{value:#x}" if _KIND[name] == "address" else value

    def item(row: Row) -> str:
        place, tally = row
        return dumps(
            {
                name: amount(name, tally) if name in AMOUNTS else placed(name, place)
                for name in sheet.names
            },
            separators=(",", ":"),
        )

    def tail() -> str:
        sums = {name: amount(name, sheet.sum) for name in sheet.names if name in AMOUNTS}
        return f',"totals":{dumps(sums, separators=(",", ":"))}'

    head = f'{{"schema":"{SCHEMA}",{head}"page_size":{PAGE_SIZE}'
    if totals_only:
        sheet.finish(batches)
        write(f"{head}{tail()}}}\n".encode("ascii"))
        return
    lines = (list(map(item, batch)) for batch in sheet.over(batches))
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

    A column that tells of several sizes is a column for each. The bytes of a path are written as
    they are, whatever their encoding.
    """

    def cells(place: Place | None, tally: HugeTally) -> Iterator[str]:
        for name in sheet.names:
            if name in AMOUNTS:
                for _, pages in sheet.counts(name, tally):
                    yield "" if pages is None else str(pages << PAGE_SHIFT)
            elif place is not None:
                value = getattr(place, name)
                yield f"{value:#x}" if _KIND[name] == "address" else _quoted(str(value))

    def line(place: Place | None, tally: HugeTally) -> str:
        # A line without anything on it is no row to who reads CSV.
        return (",".join(cells(place, tally)) or '""') + "\n"

    titles = [
        title
        for name in sheet.names
        for title in (
            [each for each, _ in sheet.counts(name, NOTHING)] if name in AMOUNTS else [name]
        )
    ]
    before = ",".join(titles) + "\n"
    if totals_only:
        sheet.finish(batches)
        write(f"{before}{line(None, sheet.sum)}".encode("ascii"))
        return
    for batch in sheet.over(batches):
        text = before + "".join([line(*row) for row in batch])
        write(text.encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))


def _quoted(text: str) -> str:
    if any(c in text for c in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
