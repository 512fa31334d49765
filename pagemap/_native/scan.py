"""Regions, populated entries and tallies: what is found without looking at every page."""

from __future__ import annotations

import time

from pagemap._core import ffi, lib
from pagemap._native import (
    COUNTS,
    READ_BLOCK,
    allocate,
    checked,
    entries_of,
    span_table_of,
    view_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

__all__ = [
    "BY_ENTRIES",
    "BY_SCAN",
    "TALLIED",
    "UNTOUCHED",
    "EntryBuffer",
    "Query",
    "Sample",
    "Spans",
    "Sums",
    "TallyBuffer",
    "address_space_end",
    "classify",
    "scan",
]

BY_SCAN: int = lib.PM_BY_SCAN
BY_ENTRIES: int = lib.PM_BY_ENTRIES
UNTOUCHED: int = lib.PM_UNTOUCHED

TALLIED = (*COUNTS, "huge")


def address_space_end(fd: int, page_shift: int) -> int:
    """The first page number past the address space; 0 when it is gone."""
    return checked(lib.pm_end(fd, page_shift))


class Query:
    """Which pages to find, and what to tell of them, in bits of categories."""

    __slots__ = ("table",)

    def __init__(
        self, *, all_of: int, any_of: int, none_of: int, returned: int, max_pages: int = 0
    ) -> None:
        self.table = ffi.new(
            "struct pm_query *",
            {
                "all_of": all_of,
                "any_of": any_of,
                "none_of": none_of,
                "returned": returned,
                "max_pages": max_pages,
            },
        )


def scan(
    fd: int, query: Query, start: int, end: int, capacity: int
) -> tuple[list[tuple[int, int, int]], int]:
    """Up to `capacity` regions ``(start, end, categories)`` from `start` on, and where to go on."""
    out = allocate("struct pm_region[]", capacity)
    resume = ffi.new("uint64_t *")
    found = checked(lib.pm_scan(fd, query.table, start, end, out, capacity, resume))
    return _triples(out, found), resume[0]


def classify(
    entries: memoryview, start: int, page_shift: int, query: Query, capacity: int
) -> tuple[list[tuple[int, int, int]], int]:
    """The same out of entries: regions of the pages at address `start`, and the entries used."""
    out = allocate("struct pm_region[]", capacity)
    used = ffi.new("uint64_t *")
    found = checked(
        lib.pm_classify(
            entries_of(entries), len(entries), start, page_shift, query.table, out, capacity, used
        )
    )
    return _triples(out, found), used[0]


def _triples(regions: Any, count: int) -> list[tuple[int, int, int]]:
    words = view_of(regions, "Q")[: 3 * count].tolist()
    return list(zip(words[::3], words[1::3], words[2::3], strict=True))


class EntryBuffer:
    """How much one step reads; its entries are given away, so each has a buffer of its own."""

    __slots__ = ()

    size = 1 << 16
    runs = 1 << 14


class TallyBuffer:
    """What one thread needs to count."""

    __slots__ = ("scratch",)

    def __init__(self) -> None:
        self.scratch = allocate("uint64_t[]", READ_BLOCK)


class Spans:
    """Ranges of pages ``(vpn, count)`` in order of address, to be walked in pieces."""

    __slots__ = ("count", "pages", "table")

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self.table = span_table_of([word for vpn, count in spans for word in (vpn, count, 0, 0)])
        self.count = len(spans)
        self.pages = sum(count for _, count in spans)

    def stretches(self, pages: Callable[[], int]) -> Iterator[tuple[Any, Any, int]]:
        """Stretches of `pages()` pages each: where it begins, where it ends, how many pages."""
        rows = ffi.new("struct pm_rows *", {"spans": self.table, "spans_count": self.count})
        at = ffi.new("struct pm_place *")
        while True:
            to = ffi.new("struct pm_place *")
            count = lib.pm_rows_advance(rows, at, pages(), to)
            if not count:
                return
            yield ffi.new("struct pm_place *", at[0]), to, count
            at = to

    def populated(
        self, fd: int, page_shift: int, *, use_scan: bool, pages: Callable[[], int]
    ) -> Iterator[PopulatedPiece]:
        """Pieces of `pages()` pages each, to read the populated entries of."""
        for at, to, count in self.stretches(pages):
            yield PopulatedPiece(self, fd, page_shift, use_scan, at, to, count)

    def tallies(self, job: Any, pages: int) -> Iterator[TallyPiece]:
        """Pieces of `pages` pages each, to count."""
        for at, to, count in self.stretches(lambda: pages):
            yield TallyPiece(self, job, at, to, count)

    def job(
        self,
        fd: int,
        page_shift: int,
        *,
        ways: int,
        use_scan: bool,
        categories: int,
        end: int,
        max_pages: int = 0,
        max_ns: int = 0,
    ) -> Any:
        """How to count these spans."""
        return ffi.new(
            "struct pm_tally_job *",
            {
                "spans": self.table,
                "fd": fd,
                "page_shift": page_shift,
                "ways": ways,
                "use_scan": use_scan,
                "end": end,
                "categories": categories,
                "max_pages": max_pages,
                "max_ns": max_ns,
            },
        )


class _Piece:
    __slots__ = ("_at", "_spans", "_to", "pages", "work")

    def __init__(self, spans: Spans, at: Any, to: Any, pages: int) -> None:
        self._spans = spans
        self._at = at
        self._to = to
        self.pages = pages
        self.work = 0  # pages looked at

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        at, to = self._at, self._to
        return bool((at.span, at.page) >= (to.span, to.page))


class PopulatedPiece(_Piece):
    """A stretch whose populated entries are to be read, perhaps in several runs."""

    __slots__ = ("_fd", "_page_shift", "_use_scan")

    def __init__(
        self, spans: Spans, fd: int, page_shift: int, use_scan: bool, at: Any, to: Any, pages: int
    ) -> None:
        super().__init__(spans, at, to, pages)
        self._fd = fd
        self._page_shift = page_shift
        self._use_scan = use_scan

    def run(self, out: EntryBuffer) -> tuple[memoryview, list[int]]:
        """Some more entries, in a buffer of their own, and ``[vpn, count, vpn, count, ...]``."""
        capacity = min(self.pages, out.size)
        entries = allocate("uint64_t[]", capacity)
        runs = allocate("struct pm_range[]", min(self.pages, out.runs))
        stored = ffi.new("uint64_t *")
        got = checked(
            lib.pm_populated(
                self._fd,
                self._use_scan,
                self._page_shift,
                self._spans.table,
                self._at,
                self._to,
                entries,
                capacity,
                runs,
                len(runs),
                stored,
            )
        )
        self.work += got + 16 * stored[0]  # a run of its own costs as much as 16 pages
        words = view_of(runs, "Q")[: 2 * stored[0]].tolist()
        return view_of(entries, "Q")[:got].toreadonly(), words


class TallyPiece(_Piece):
    """A stretch to count; `first` is the span it begins in."""

    __slots__ = ("_first", "_job", "_tallies")

    def __init__(self, spans: Spans, job: Any, at: Any, to: Any, pages: int) -> None:
        super().__init__(spans, at, to, pages)
        self._job = job
        self._first: int = at.span
        self._tallies = ffi.new("struct pm_tally[]", to.span - at.span + 1)

    def run(self, out: TallyBuffer) -> TallyPiece:
        """Count, and give this piece back."""
        found = lib.pm_tally_spans(self._job, self._at, self._to, out.scratch, self._tallies)
        self.work = checked(found)
        return self

    def add_to(self, sums: Sums) -> None:
        """Add what was counted to the sums of all pieces."""
        count = min(len(self._tallies), sums.count - self._first)
        lib.pm_tally_add(self._tallies, count, sums.table + self._first)


class Sums:
    """A tally for each of `count` spans."""

    __slots__ = ("count", "table")

    def __init__(self, count: int) -> None:
        self.count = count
        self.table = ffi.new("struct pm_tally[]", count)

    def columns(self) -> list[list[int]]:
        """The counts of all spans, a list for each of TALLIED."""
        words = view_of(self.table, "Q")
        return [words[i :: len(TALLIED)].tolist() for i in range(len(TALLIED))]


class Sample:
    """One tally over the whole address space, made again and again in the same memory."""

    __slots__ = ("_at", "_job", "_part", "_scratch", "_span", "_tally", "_to")

    def __init__(
        self, fd: int, page_shift: int, *, ways: int, use_scan: bool, categories: int
    ) -> None:
        end = address_space_end(fd, page_shift)
        self._span = Spans([(0, end)])
        self._job = self._span.job(
            fd, page_shift, ways=ways, use_scan=use_scan, categories=categories, end=end
        )
        self._scratch = allocate("uint64_t[]", READ_BLOCK)
        self._at = ffi.new("struct pm_place *")
        self._to = ffi.new("struct pm_place *")
        self._tally = ffi.new("struct pm_tally *")
        self._part = ffi.new("struct pm_tally *")

    def take(
        self, max_pages: int, max_ns: int, ranges: Iterable[tuple[int, int]] | None = None
    ) -> tuple[Any, bool]:
        """The tally, and whether it is of the whole address space.

        `ranges` are the first and the last page, without, of what is mapped: for a kernel without
        PAGEMAP_SCAN, which takes a minute for all that is not.
        """
        tally = self._tally
        ffi.buffer(tally)[:] = _EMPTY
        if ranges is None:
            _, whole = self._count(0, self._span.pages, max_pages, max_ns)
            lib.pm_tally_add(self._part, 1, tally)
            return tally, whole
        found, began = 0, time.monotonic_ns()
        for first, last in ranges:
            left = max_pages - found
            left_ns = began + max_ns - time.monotonic_ns() if max_ns else 0
            if (max_pages and left <= 0) or (max_ns and left_ns <= 0):
                return tally, False
            more, whole = self._count(first, last, left if max_pages else 0, left_ns)
            lib.pm_tally_add(self._part, 1, tally)
            found += more
            if not whole:
                return tally, False
        return tally, True

    def _count(self, first: int, last: int, max_pages: int, max_ns: int) -> tuple[int, bool]:
        at, to, job = self._at, self._to, self._job
        at.span, at.page, to.page = 0, first, last
        job.max_pages = max_pages
        job.max_ns = max_ns
        ffi.buffer(self._part)[:] = _EMPTY
        found = checked(lib.pm_tally_spans(job, at, to, self._scratch, self._part))
        return found, bool(at.span or at.page >= last)


_EMPTY = bytes(ffi.sizeof("struct pm_tally"))
