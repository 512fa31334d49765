"""One tally over a whole address space, for who counts again and again."""

from __future__ import annotations

import time

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked
from pagemap._native.counting import ABSENT, HUGETLB, NONE, Job
from pagemap._native.descriptors import CLOSED
from pagemap._native.scan import Spans, address_space_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pagemap._native.counting import Way

__all__ = ["Sample"]


class Sample:
    """One tally over the whole address space, made again and again in the same memory."""

    __slots__ = (
        "_at",
        "_backing",
        "_fds",
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
        self._backing = bytearray(1)
        self._kinds = way.kinds
        # of the job itself, which would hold the descriptors, nothing is kept but its table
        self._job = Job(self._span, fd, page_shift, way, end=end, backing=self._backing).table
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
            self._backing[0] = HUGETLB if hugetlb else NONE
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
