"""Pages looked at by the flags of their frames: of a process, of all memory, of a file's cache.

A page's flags are the word of its frame in /proc/kpageflags, and what its entry adds. As the
kernel's tool page-types does (tools/mm/page-types.c), internal flags are left out unless `raw` asks
for them, and pages in swap count with the flags of their entry alone: none, unless raw.

A word is of the moment it is read: a page may have moved since its PFN was learnt.
"""

from __future__ import annotations

import os

from pagemap import maps, pipeline
from pagemap._native.scan import Spans
from pagemap._native.types import BLOCK_PAGES, Job
from pagemap.arguments import check_threads
from pagemap.descriptors import Holder
from pagemap.errors import AccessDenied, PagemapError, PfnsHidden, UsageError, from_file_error
from pagemap.frames import FrameReader
from pagemap.page_flags import parse_filter
from pagemap.page_types import Histogram, joined, page_run
from pagemap.populated import Reach
from pagemap.units import PAGE_SHIFT, PAGE_SIZE, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from pagemap._native.types import Found
    from pagemap.page_files import OpenFile
    from pagemap.page_types import PageRun, PageTypes
    from pagemap.process import Process

    _Survey = TypeVar("_Survey", bound="Survey")

__all__ = ["Look", "Survey"]


class Look(Holder):
    """One place to look at, as a survey wants it; each call looks anew.

    Raises TargetVanished when the process exits or calls exec midway, or the file becomes shorter.
    """

    __slots__ = ("_steps", "_unit")

    def __init__(self, steps: Callable[[bool], Iterator[Found]], unit: int | None) -> None:
        self._steps = steps
        self._unit = unit

    def types(self) -> PageTypes:
        """How many pages have which flags."""
        histogram = Histogram()
        self.add_to(histogram)
        return histogram.types()

    def add_to(self, histogram: Histogram) -> None:
        """Count into `histogram`; what was seen before an error stays there."""
        histogram.add(self._steps(False))

    def runs(self) -> Iterator[PageRun]:
        """The pages themselves in order, those in a row that are alike as one."""
        return (page_run(row, self._unit) for row in joined(self._steps(True)))


class Survey(Holder):
    """What is wanted of pages; then `process`, `memory` and `file` give a `Look` at some.

    Use it as a context manager, or call `close()`: it holds the kernel's files about frames.

    `bits` are filters (see `pagemap.page_flags`) that must all hold. `cgroup` is the inode of a
    memory cgroup to keep to, and leaves out pages in swap. `mapcounts` and `cgroups` say that runs
    are to tell these. `threads` read, by default as many as pay. `procfs` is where /proc is.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, Unsupported where the kernel lacks a file that
    is needed, UsageError for a filter that cannot be understood.

    >>> from pagemap.page_survey import Survey
    >>> with Survey(bits=["anon,~dirty"]) as survey:  # doctest: +SKIP
    ...     survey.memory().types().pages
    1234
    """

    __slots__ = ("_cgroup", "_cgroups", "_files", "_filters", "_mapcounts", "_raw", "_threads")

    def __init__(
        self,
        *,
        raw: bool = False,
        bits: Iterable[str] = (),
        cgroup: int | None = None,
        mapcounts: bool = False,
        cgroups: bool = False,
        threads: int | None = None,
        procfs: str = "/proc",
    ) -> None:
        self._files = FrameReader(procfs=procfs)
        self._filters = [parse_filter(text, raw=raw) for text in bits]
        self._raw, self._threads = raw, check_threads(threads)
        self._cgroup, self._cgroups, self._mapcounts = cgroup, cgroups, mapcounts
        if cgroup is not None and not 0 <= cgroup < 1 << 64:
            raise UsageError(f"{cgroup} is no inode number of a cgroup")
        self._job(listed=True)  # what may not be read is told before any work

    def __enter__(self: _Survey) -> _Survey:  # noqa: PYI019 - typing.Self is of 3.11
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called again."""
        self._files.close()

    def _job(self, *, listed: bool) -> Job:
        by_cgroup = self._cgroup is not None
        try:
            return Job(
                page_shift=PAGE_SHIFT,
                kpageflags=self._files.fileno("flags"),
                kpagecount=self._files.fileno("mapcounts") if listed and self._mapcounts else -1,
                kpagecgroup=self._files.fileno("cgroups")
                if by_cgroup or (listed and self._cgroups)
                else -1,
                raw=self._raw,
                listed=listed,
                cgroup=self._cgroup,
                filters=self._filters,
            )
        except AccessDenied as error:
            raise AccessDenied(
                f"{error.message}; 'pagemap maps' and 'pagemap regions' do without, and tell "
                "what is present, swapped, of files and huge",
                errno=error.errno,
                operation=error.operation,
                path=error.path,
            ) from None

    def process(self, process: Process, ranges: Iterable[tuple[int, int]] | None = None) -> Look:
        """The present and the swapped pages of a process.

        `ranges` are addresses ``(start, end)`` to keep to, in bytes, widened to whole pages. Raises
        PfnsHidden without CAP_SYS_ADMIN.
        """
        kept = None if ranges is None else sorted(page_range(*each) for each in ranges)
        return Look(lambda listed: self._of_process(process, kept, listed=listed), PAGE_SIZE)

    def memory(self, ranges: Sequence[tuple[int, int]] | None = None) -> Look:
        """All frames, or those in `ranges` of PFNs ``(start, end)``.

        Raises UsageError for a range that is none, or begins past the last frame.
        """
        end = self._files.end
        for first, last in ranges or ():
            if not 0 <= first < last:
                raise UsageError(f"{first:#x}-{last:#x} is no range of PFNs")
            if first >= end:
                raise UsageError(f"there is no frame {first:#x}: the last one here is {end - 1:#x}")
        kept = [(0, end)] if ranges is None else [(first, min(last, end)) for first, last in ranges]
        return Look(lambda listed: self._of_memory(kept, listed=listed), None)

    def file(self, file: OpenFile) -> Look:
        """The pages of an open file that are in the page cache, the last one included.

        Nothing is read in, and no page looks used afterwards.
        """
        return Look(lambda listed: self._of_file(file, listed=listed), PAGE_SIZE)

    # Each of these gives what was found step by step, in order.

    def _of_process(
        self, process: Process, ranges: list[tuple[int, int]] | None, *, listed: bool
    ) -> Iterator[Found]:
        if process.kernel_thread:
            return
        if not process.pfns_visible:
            raise PfnsHidden(
                f"cannot tell the types of the pages of process {process.pid}: the kernel hides "
                "their PFNs without CAP_SYS_ADMIN (in the initial user namespace); run with sudo; "
                "'pagemap maps' and 'pagemap regions' do without",
                pid=process.pid,
                operation="read PFNs",
            )
        job = self._job(listed=listed)
        reach = _Reach(first=pipeline.ALONE_PAGES)
        blocks = job.blocks()
        for block in process.maps_blocks():
            spans = Spans(list(_spans(block, ranges)))
            pieces = job.of_spans(spans, process.fileno(), use_scan=process.can_scan, pages=reach)
            with pipeline.run(pieces, lambda: blocks, self._threads) as results:
                for piece, found in process.reading(results):
                    yield found
                    if piece.done:
                        reach.learn(piece.pages, piece.work)
        process.check()

    def _of_memory(self, ranges: list[tuple[int, int]], *, listed: bool) -> Iterator[Found]:
        job = self._job(listed=listed)
        blocks = job.blocks()
        pieces = (piece for each in ranges for piece in job.of_memory(*each, BLOCK_PAGES))
        try:
            with pipeline.run(pieces, lambda: blocks, self._threads) as results:
                for _, found in results:
                    yield found
        except OSError as error:
            if isinstance(error, PagemapError):
                raise
            raise from_file_error(error, self._files.path("flags")) from None

    def _of_file(self, file: OpenFile, *, listed: bool) -> Iterator[Found]:
        from pagemap.page_files import file_error

        job = self._job(listed=listed)
        own = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        sink = -1
        try:
            sink = os.memfd_create("pagemap")
            blocks = job.blocks()
            pieces = job.of_file(own, file.fd, sink, file.pages, BLOCK_PAGES)
            with pipeline.run(pieces, lambda: blocks, self._threads) as results:
                for _, found in results:
                    yield found
        except OSError as error:
            if isinstance(error, PagemapError):
                raise
            raise file_error(error, file.path) from None
        finally:
            os.close(own)
            if sink >= 0:
                os.close(sink)
        file.check()


class _Reach(Reach):
    """A piece is a step, where all is populated."""

    LEAST = BLOCK_PAGES


def _spans(block: bytes, ranges: list[tuple[int, int]] | None) -> Iterator[tuple[int, int]]:
    for start, end, _ in maps.parse_labels(block):
        if ranges is None:
            yield start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT
            continue
        seen = start
        for begin, stop in ranges:
            first, last = max(seen, begin), min(end, stop)
            if first < last:
                yield first >> PAGE_SHIFT, (last - first) >> PAGE_SHIFT
                seen = last
