"""How much of each mapping is present, swapped, shared, huge: counted in C, page by page nowhere.

The kernel is asked only for what the caller asked. Present and swapped pages are counted by
PAGEMAP_SCAN, which skips empty tables; what only an entry tells (exclusive, uffd-wp) by reading the
entries of the populated pages, which also tells a file's pages for less than a scan does.
"""

from __future__ import annotations

from collections import Counter

from pagemap import maps, pipeline
from pagemap._native import counting
from pagemap._native.scan import Spans
from pagemap.errors import Unsupported, UsageError
from pagemap.flags import SCAN_CATEGORIES
from pagemap.records import Record, field
from pagemap.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap.maps import Mapping
    from pagemap.process import Process


__all__ = ["COUNTABLE", "Plan", "Tally", "tally", "total"]


class Tally(Record):
    """Counts of pages of a mapping; None for what was not asked, or cannot be told here.

    `soft_dirty` leaves out memory that has no struct page ([vvar]), which a scan passes over.
    """

    pages: int = field("pages", "all of it, touched or not")
    present: int | None = field("pages", "in memory; the zero page too, which is no part of Rss")
    swapped: int | None = field("pages", "marked so: under migration and in guard regions too")
    file_or_shared: int | None = field("pages", "present, of a file or shared anonymous memory")
    exclusive: int | None = field("pages", "present, and mapped nowhere else (USS)")
    soft_dirty: int | None = field("pages", "written since soft-dirty bits were cleared")
    uffd_wp: int | None = field("pages", "write-protected by userfaultfd")
    guard: int | None = field("pages", "in a guard region")
    anonymous: int | None = field("pages", "present, neither of a file nor shared")
    huge: int | None = field("pages", "mapped by a huge entry")


COUNTABLE = counting.TALLIED[1:]
"""What can be asked for."""

_CATEGORY = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
_SCANNED = {
    "present": _CATEGORY["present"],
    "swapped": _CATEGORY["swapped"],
    "guard": _CATEGORY["guard"],
    "huge": _CATEGORY["huge"],
    "soft_dirty": _CATEGORY["soft_dirty"],
}
_BY_ENTRY_ALONE = frozenset({"exclusive", "uffd_wp"})
_CHEAPER_BY_ENTRY = frozenset({"file_or_shared", "anonymous"})


class Plan:
    """How to count what is asked for on this kernel: `ways`, `categories`, and what is `told`."""

    __slots__ = ("categories", "told", "use_scan", "ways")

    def __init__(self, process: Process, counts: Sequence[str] | None) -> None:
        asked = set(COUNTABLE if counts is None else counts)
        if unknown := asked.difference(COUNTABLE):
            raise UsageError(
                f"no count is called {min(unknown)!r}; there are {', '.join(COUNTABLE)}"
            )
        self.use_scan = process.can_scan
        if not self.use_scan and "huge" in asked:
            if counts is not None:
                raise Unsupported(
                    "this kernel cannot count huge pages: PAGEMAP_SCAN can, since Linux 6.7",
                    pid=process.pid,
                    operation="scan",
                )
            asked.remove("huge")
        self.ways = self.categories = 0
        entries = bool(asked & (_BY_ENTRY_ALONE | _CHEAPER_BY_ENTRY)) or not self.use_scan
        if entries:
            self.ways = counting.BY_ENTRIES
            # entries tell all but these; a scan for them is short, since it returns nothing else
            by_scan = asked & {"huge", "soft_dirty"} if self.use_scan else set()
            if "soft_dirty" in asked and not self.use_scan:
                self.ways |= counting.UNTOUCHED
        else:
            by_scan = asked & _SCANNED.keys()
            if "guard" in by_scan and not process.can_find("guard"):
                by_scan.remove("guard")  # no kernel without the category has guard regions
        for name in by_scan:
            self.categories |= _SCANNED[name]
        if self.categories:
            self.ways |= counting.BY_SCAN
        self.told = tuple(name == "pages" or name in asked for name in counting.TALLIED)

    def tallies(self, rows: list[bytes]) -> Iterator[Tally]:
        """A Tally for each row that C counted, without what was not asked for.

        Of thousands of mappings most are alike, and have one Tally between them.
        """
        return map(_Tallies(self.told).__getitem__, rows)


class _Tallies(dict[bytes, Tally]):
    """Those of rows, by the row."""

    def __init__(self, told: tuple[bool, ...]) -> None:
        super().__init__()
        self._told = told

    def __missing__(self, row: bytes) -> Tally:
        counts = zip(counting.counts_of(row), self._told, strict=True)
        tally = self[row] = Tally._make(count if told else None for count, told in counts)
        return tally


def tally(
    process: Process, counts: Sequence[str] | None, threads: int | None
) -> Iterator[tuple[Mapping, Tally]]:
    """See `Process.tally`."""
    plan = Plan(process, counts)
    if process.kernel_thread:
        return
    blocks: list[_Block] = []  # the oldest first; those whose pieces are under way
    with pipeline.run(_pieces(process, plan, blocks), counting.TallyBuffer, threads) as results:
        for piece, _ in process.reading(results):
            while piece.job is not blocks[0].job:  # pieces come in order: that one is whole
                yield from blocks.pop(0).counted(plan)
            piece.add_to(blocks[0].sums)
    for block in blocks:
        yield from block.counted(plan)
    process.check()


class _Block:
    """The mappings of a block of maps, and what was counted of them so far."""

    def __init__(self, mappings: list[Mapping], job: counting.Job) -> None:
        self.mappings = mappings
        self.job = job
        self.sums = counting.Sums(job.spans.count)

    def counted(self, plan: Plan) -> Iterator[tuple[Mapping, Tally]]:
        if plan.ways & counting.UNTOUCHED:
            _pass_over_vvar(self.mappings, self.sums)
        return zip(self.mappings, plan.tallies(self.sums.rows()), strict=True)


def _pieces(process: Process, plan: Plan, blocks: list[_Block]) -> Iterator[counting.TallyPiece]:
    """The pieces of all blocks of maps; a block joins `blocks` before its first piece."""
    end = process.end_page()
    for text in process.maps_blocks():
        mappings, bounds = maps.parse_bounds(text)
        job = counting.Job(
            Spans.of_bounds(bounds, PAGE_SHIFT),
            process.fileno(),
            PAGE_SHIFT,
            ways=plan.ways,
            use_scan=plan.use_scan,
            categories=plan.categories,
            end=end,
        )
        blocks.append(_Block(mappings, job))
        yield from job.pieces(_piece_pages(job.spans.pages))


def _pass_over_vvar(mappings: Sequence[Mapping], sums: counting.Sums) -> None:
    """Count no page as soft-dirty that a scan passes over (VM_PFNMAP, pagemap_scan_test_walk).

    Such pages are holes to the kernel: their entries have the mark of the mapping as a whole.
    """
    for number, mapping in enumerate(mappings):
        if mapping.path.startswith("[vvar"):
            sums.table[number].soft_dirty = 0


def _piece_pages(pages: int) -> int:
    """Pieces small enough that threads share evenly, and few enough where all is reserved."""
    return max(1 << 15, pages >> 7)


def total(tallies: Sequence[Tally]) -> Tally:
    """The sum of tallies that were made alike."""
    if not tallies:
        return Tally._make([0] * len(counting.TALLIED))
    marks = list(map(id, tallies))
    alike = dict(zip(marks, tallies, strict=True))
    if 2 * len(alike) > len(tallies):
        columns = zip(*tallies, strict=True)
        return Tally._make([None if column[0] is None else sum(column) for column in columns])
    # mostly the same ones again: each is taken once, as often as it is there
    return total([_times(alike[mark], often) for mark, often in Counter(marks).items()])


def _times(tally: Tally, often: int) -> Tally:
    return Tally._make([None if count is None else count * often for count in tally])
