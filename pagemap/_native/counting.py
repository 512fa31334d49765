"""Tallies: how many pages of each mapping, or of all, are this and that, counted in C."""

from __future__ import annotations

import struct
import time
from itertools import chain

from pagemap._core import ffi, lib
from pagemap._native import COUNTS, READ_BLOCK, allocate, checked
from pagemap._native.scan import Piece, Spans, address_space_end
from pagemap.descriptors import CLOSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

__all__ = [
    "BY_ENTRIES",
    "BY_SCAN",
    "TALLIED",
    "UNTOUCHED",
    "Job",
    "Sample",
    "Sums",
    "TallyBuffer",
    "TallyPiece",
    "counts_of",
]

BY_SCAN: int = lib.PM_BY_SCAN
BY_ENTRIES: int = lib.PM_BY_ENTRIES
UNTOUCHED: int = lib.PM_UNTOUCHED

TALLIED = (*COUNTS, "huge")


class TallyBuffer:
    """What one thread needs to count."""

    __slots__ = ("scratch",)

    def __init__(self) -> None:
        self.scratch = allocate("uint64_t[]", READ_BLOCK)


class Job:
    """How to count the pages of `spans`; what is found is the sum of its pieces."""

    __slots__ = ("_fd", "spans", "table")

    def __init__(
        self,
        spans: Spans,
        fd: int,
        page_shift: int,
        *,
        ways: int,
        use_scan: bool,
        categories: int,
        end: int,
    ) -> None:
        self.spans = spans
        self._fd = fd  # held for as long as C may read from its number
        self.table = ffi.new(
            "struct pm_tally_job *",
            {
                "spans": spans.table,
                "fd": fd,
                "page_shift": page_shift,
                "ways": ways,
                "use_scan": use_scan,
                "end": end,
                "categories": categories,
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
        self._tallies = ffi.new("struct pm_tally[]", to.span - at.span + 1)

    def run(self, out: TallyBuffer) -> TallyPiece:
        """Count, and give this piece back."""
        found = lib.pm_tally_spans(self.job.table, self._at, self._to, out.scratch, self._tallies)
        # a mapping of its own costs as much as some pages
        self.work = checked(found) + 16 * len(self._tallies)
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

    def rows(self) -> list[bytes]:
        """The counts of each span, in the order of TALLIED, as `counts_of` reads them."""
        if not self.count:
            return []
        return list(chain.from_iterable(_ROW.iter_unpack(ffi.buffer(self.table))))


_ROW = struct.Struct(f"={8 * len(TALLIED)}s")

counts_of = struct.Struct(f"={len(TALLIED)}Q").unpack
"""The counts in a row of `Sums.rows`."""


class Sample:
    """One tally over the whole address space, made again and again in the same memory."""

    __slots__ = ("_at", "_fd", "_job", "_part", "_scratch", "_span", "_tally", "_to")

    def __init__(
        self, fd: int, page_shift: int, *, ways: int, use_scan: bool, categories: int
    ) -> None:
        end = address_space_end(fd, page_shift)
        self._fd = fd
        self._span = Spans([(0, end)])
        job = Job(
            self._span,
            fd,
            page_shift,
            ways=ways,
            use_scan=use_scan,
            categories=categories,
            end=end,
        )
        self._job = job.table
        self._scratch = allocate("uint64_t[]", READ_BLOCK)
        self._at = ffi.new("struct pm_place *")
        self._to = ffi.new("struct pm_place *")
        self._tally = ffi.new("struct pm_tally *")
        self._part = ffi.new("struct pm_tally *")

    def close(self) -> None:
        """Let go of the descriptor; a count that is being taken holds it until its end."""
        self._fd = CLOSED

    def take(
        self, max_pages: int, max_ns: int, ranges: Iterable[tuple[int, int]] | None = None
    ) -> tuple[Any, bool]:
        """The tally, and whether it is of the whole address space.

        `ranges` are the first and the last page, without, of what is mapped: for a kernel without
        PAGEMAP_SCAN, which takes a minute for all that is not.
        """
        tally = self._tally
        held = self._fd  # for as long as C reads from its number
        self._job.fd = held
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
