"""Tallies: how many pages of each mapping, or of all, are this and that, counted in C."""

from __future__ import annotations

import struct
import time
from itertools import chain

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked
from pagemap._native.descriptors import CLOSED
from pagemap._native.scan import Piece, Spans, address_space_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

__all__ = [
    "ABSENT",
    "BY_ENTRIES",
    "BY_SCAN",
    "COUNTED",
    "UNTOUCHED",
    "ZEROS",
    "Job",
    "Sample",
    "Sums",
    "TallyBuffer",
    "TallyPiece",
    "Way",
    "counts_of",
    "exclusive_by_count",
    "zero_pages",
]

BY_SCAN: int = lib.PM_BY_SCAN
BY_ENTRIES: int = lib.PM_BY_ENTRIES
UNTOUCHED: int = lib.PM_UNTOUCHED
ABSENT: int = lib.PM_ABSENT
ZEROS: int = lib.PM_ZEROS

COUNTED: tuple[str, ...] = tuple(name for name, _ in ffi.typeof("struct pm_counts").fields)
"""The fields of struct pm_counts, in their order; the last two are no counts to ask for."""


class Way:
    """How pages are counted, as struct pm_tally_job has it; `mapcounts` and `flags` are open files.

    `kinds` says what the types of swap entries are (`pagemap._kernel.swap_types.kinds`).
    """

    __slots__ = ("any_of", "flags", "kinds", "mapcounts", "returned", "use_scan", "ways")

    def __init__(self, *, use_scan: bool) -> None:
        self.use_scan = use_scan
        self.ways = self.any_of = self.returned = 0
        self.mapcounts: int = CLOSED
        self.flags: int = CLOSED
        self.kinds = bytes(lib.PM_TYPES_OF_SWAP)


class TallyBuffer:
    """What one thread needs to count."""

    __slots__ = ("scratch",)

    def __init__(self) -> None:
        self.scratch = allocate("uint64_t[]", READ_BLOCK)


class Job:
    """How to count the pages of `spans`; what is found is the sum of its pieces.

    `hugetlb` has 1 for each span that is of hugetlb, else 0; None: none is. `end` is the first page
    past the address space.
    """

    __slots__ = ("_kept", "spans", "table")

    def __init__(
        self,
        spans: Spans,
        fd: int,
        page_shift: int,
        way: Way,
        *,
        end: int,
        hugetlb: bytes | bytearray | None = None,
    ) -> None:
        self.spans = spans
        marks = ffi.NULL if hugetlb is None else ffi.from_buffer("uint8_t[]", hugetlb)
        kinds = ffi.from_buffer("uint8_t[]", way.kinds)
        # the job has their addresses and numbers alone
        self._kept = marks, kinds, fd, way.mapcounts, way.flags
        self.table = ffi.new(
            "struct pm_tally_job *",
            {
                "source": spans.source(fd, page_shift, use_scan=way.use_scan),
                "hugetlb": marks,
                "kinds": kinds,
                "mapcounts": way.mapcounts,
                "flags": way.flags,
                "ways": way.ways,
                "end": end,
                "any_of": way.any_of,
                "returned": way.returned,
            },
        )

    def pieces(self, pages: int) -> Iterator[TallyPiece]:
        """Pieces of `pages` pages each, to count."""
        for at, to, count in self.spans.stretches(lambda: pages):
            yield TallyPiece(self, at, to, count)


class TallyPiece(Piece):
    """A stretch to count."""

    __slots__ = ("_first", "_tallies", "job")

    def __init__(self, job: Job, at: Any, to: Any, pages: int) -> None:
        super().__init__(job.spans, at, to, pages)
        self.job = job
        self._first: int = at.span
        self._tallies = ffi.new("struct pm_counts[]", to.span - at.span + 1)

    def run(self, out: TallyBuffer) -> TallyPiece:
        """Count, and give this piece back."""
        found = lib.pm_tally_spans(self.job.table, self._at, self._to, out.scratch, self._tallies)
        # a mapping of its own costs as much as some pages
        self.work = checked(found) + 16 * len(self._tallies)
        return self

    def add_to(self, sums: Sums) -> None:
        """Add what was counted to the sums of all pieces."""
        count = min(len(self._tallies), sums.count - self._first)
        lib.pm_counts_add(self._tallies, count, sums.table + self._first)


class Sums:
    """A tally for each of `count` spans."""

    __slots__ = ("count", "table")

    def __init__(self, count: int) -> None:
        self.count = count
        self.table = ffi.new("struct pm_counts[]", count)

    def rows(self) -> list[bytes]:
        """The counts of each span, in the order of COUNTED, as `counts_of` reads them."""
        if not self.count:
            return []
        return list(chain.from_iterable(_ROW.iter_unpack(ffi.buffer(self.table))))


_ROW = struct.Struct(f"={8 * len(COUNTED)}s")

counts_of = struct.Struct(f"={len(COUNTED)}Q").unpack
"""The counts in a row of `Sums.rows`."""


class Sample:
    """One tally over the whole address space, made again and again in the same memory."""

    __slots__ = (
        "_at",
        "_fds",
        "_hugetlb",
        "_job",
        "_kinds",
        "_part",
        "_scratch",
        "_span",
        "_tally",
        "_to",
    )

    def __init__(self, fd: int, page_shift: int, way: Way) -> None:
        end = address_space_end(fd, page_shift)
        self._fds: tuple[int, int, int] = (fd, way.mapcounts, way.flags)
        self._span = Spans([(0, end)])
        self._hugetlb = bytearray(1)
        self._kinds = way.kinds
        # of the job itself, which would hold the descriptors, nothing is kept but its table
        self._job = Job(self._span, fd, page_shift, way, end=end, hugetlb=self._hugetlb).table
        self._scratch = allocate("uint64_t[]", READ_BLOCK)
        self._at = ffi.new("struct pm_place *")
        self._to = ffi.new("struct pm_place *")
        self._tally = ffi.new("struct pm_counts *")
        self._part = ffi.new("struct pm_counts *")

    def close(self) -> None:
        """Let go of the descriptors; a count that is being taken holds them until its end."""
        self._fds = CLOSED, CLOSED, CLOSED

    def take(
        self,
        max_pages: int,
        max_ns: int,
        ranges: Iterable[tuple[int, int, bool]] | None = None,
        *,
        first: int = 0,
        kinds: bool = True,
    ) -> tuple[Any, int | None]:
        """The counts from page `first` on, and the page where a limit stopped; None: at the end.

        `ranges` are the first and the last page, without, of what is mapped, and whether it is of
        hugetlb: without them nothing is, and all is walked, which takes a kernel without
        PAGEMAP_SCAN a minute. By a scan, `kinds` has entries read of what is not present.
        """
        job = self._job
        held = self._fds  # for as long as C reads from their numbers
        job.source.fd, job.mapcounts, job.flags = held
        ways = job.ways
        if not kinds:
            job.ways = ways & ~ABSENT
        try:
            return self._take(max_pages, max_ns, ranges, first)
        finally:
            job.ways = ways

    def _take(
        self,
        max_pages: int,
        max_ns: int,
        ranges: Iterable[tuple[int, int, bool]] | None,
        first: int,
    ) -> tuple[Any, int | None]:
        tally = self._tally
        ffi.buffer(tally)[:] = _EMPTY
        found, began = 0, time.monotonic_ns()
        for start, last, hugetlb in ranges or ((0, self._span.pages, False),):
            if last <= first:
                continue
            at = max(start, first)
            left = max_pages - found
            left_ns = began + max_ns - time.monotonic_ns() if max_ns else 0
            if at > first and ((max_pages and left <= 0) or (max_ns and left_ns <= 0)):
                return tally, at
            self._hugetlb[0] = hugetlb
            more, stopped = self._count(
                at, last, max(left, 1) if max_pages else 0, max(left_ns, 1) if max_ns else 0
            )
            lib.pm_counts_add(self._part, 1, tally)
            found += more
            if stopped is not None:
                return tally, stopped
        return tally, None

    def _count(self, first: int, last: int, max_pages: int, max_ns: int) -> tuple[int, int | None]:
        at, to, job = self._at, self._to, self._job
        at.span, at.page, to.page = 0, first, last
        job.max_pages = max_pages
        job.max_ns = max_ns
        ffi.buffer(self._part)[:] = _EMPTY
        found = checked(lib.pm_tally_spans(job, at, to, self._scratch, self._part))
        return found, None if at.span or at.page >= last else int(at.page)


_EMPTY = bytes(ffi.sizeof("struct pm_counts"))


def exclusive_by_count(
    mapcounts: int, vpn: int, entries: Sequence[int], page_shift: int
) -> list[int]:
    """Entries of pages from `vpn` on, with bit 56 by kpagecount where a PMD may map many."""
    table = ffi.new("uint64_t[]", entries)
    checked(lib.pm_exclusive_by_count(mapcounts, vpn, table, len(entries), page_shift))
    return list(table)


def zero_pages(flags: int, vpn: int, entries: Sequence[int], page_shift: int) -> tuple[int, int]:
    """How many are of zeros by kpageflags, and how many of those have the mark of a file."""
    marked = ffi.new("uint64_t *")
    table = ffi.new("uint64_t[]", entries)
    found = lib.pm_zero_pages(flags, vpn, table, len(entries), page_shift, marked)
    return checked(found), int(marked[0])
