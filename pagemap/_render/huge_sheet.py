"""What the columns of huge pages say of a mapping or a process, in whatever form it is written."""

from __future__ import annotations

from itertools import groupby

from pagemap._analyses.huge_counts import NOTHING, ORDERS, total
from pagemap._render.huge_columns import AMOUNTS, KINDS, SHOWN
from pagemap._vocabulary.record import Record
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from pagemap._analyses.huge_counts import HugeKind, HugeTally
    from pagemap._vocabulary.rows.mapping import Mapping

    Place: TypeAlias = "Mapping | Owner"
    Row = tuple[Place, HugeTally]
    Batches = Iterable[list[Row]]

__all__ = ["KIND", "Owner", "Sheet", "ordered", "plain", "rows_of"]

KIND = {column.name: column.kind for column in SHOWN}

# So many tallies are kept in words, that memory stays flat whatever the target does.
_KEPT = 1 << 12


class Owner(Record):
    """A process as a row: its pid, others that have the same memory, and its command name."""

    pid: int
    also: tuple[int, ...]
    name: str


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
        match KIND[name]:
            case "blocks":
                for order in self.conts:
                    yield f"cont_{PAGE_SIZE << order}", tally.cont(order)
            case "sizes":
                for what, size, pages in self.details(getattr(tally, KINDS[name])):
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


class _Texts(dict["HugeTally", str]):
    """The words for a tally: most mappings are alike in what they hold, so these are made once."""

    def __init__(self, make: Callable[[HugeTally], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, tally: HugeTally) -> str:
        text = self._make(tally)
        if len(self) < _KEPT:
            self[tally] = text
        return text


def rows_of(
    sheet: Sheet,
    held: Callable[[str, HugeTally], Iterable[str]],
    placed: Callable[[str, Place], str],
    between: str,
) -> Callable[[Row], str]:
    """What makes a line of a row: `held` gives the words of an amount, `placed` of all else."""

    def amounts(names: list[str]) -> Callable[[Row], str]:
        texts = _Texts(
            lambda tally: between.join([word for name in names for word in held(name, tally)])
        )
        return lambda row: texts[row[1]]

    def places(names: list[str]) -> Callable[[Row], str]:
        return lambda row: between.join([placed(name, row[0]) for name in names])

    parts = [
        (amounts if are_amounts else places)(list(names))
        for are_amounts, names in groupby(sheet.names, AMOUNTS.__contains__)
    ]
    return lambda row: between.join([part(row) for part in parts])
