"""What pages are: how many have which flags of the kernel's, and which pages these are.

A page's flags are the word of its frame in /proc/kpageflags, and what its entry adds. As the
kernel's tool page-types does (tools/mm/page-types.c), internal flags are left out unless `raw` asks
for them, and pages in swap count with the flags of their entry alone: none, unless raw.

A word is of the moment it is read: a page may have moved since its PFN was learnt.
"""

from __future__ import annotations

import os
from collections import namedtuple

from pagemap import maps, pipeline
from pagemap._native.scan import Spans
from pagemap._native.types import BLOCK_PAGES, NO_WORD, Job
from pagemap.errors import AccessDenied, PagemapError, PfnsHidden, UsageError, from_file_error
from pagemap.frames import FrameReader
from pagemap.page_files import OpenFile, file_error
from pagemap.page_flags import flag_names, letters, parse_filter
from pagemap.populated import Reach
from pagemap.units import PAGE_SHIFT, PAGE_SIZE, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import NamedTuple, TypeVar

    from pagemap._native.types import Found
    from pagemap.process import Process

    _Survey = TypeVar("_Survey", bound="Survey")

    class _TypeFields(NamedTuple):
        flags: int
        pages: int

    class PageRun(NamedTuple):
        """Pages in a row that are alike.

        `start` is the first one's address, or its offset in the file, in bytes; None of memory.
        `pfn` is its frame, None of pages in swap; those have a `swap_offset`, in pages. `mapcount`
        and `cgroup` (an inode number) are None unless asked for, or where nobody knows.
        """

        start: int | None
        pfn: int | None
        swap_offset: int | None
        pages: int
        flags: int
        mapcount: int | None
        cgroup: int | None
else:
    _TypeFields = namedtuple("_TypeFields", ("flags", "pages"))
    PageRun = namedtuple(
        "PageRun", ("start", "pfn", "swap_offset", "pages", "flags", "mapcount", "cgroup")
    )

__all__ = ["Histogram", "PageRun", "PageType", "PageTypes", "Survey"]


class PageType(_TypeFields):
    """How many `pages` have just these `flags`, in bits as `pagemap.flags.PAGE_FLAGS` has them."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """What they take, in bytes."""
        return self.pages * PAGE_SIZE

    @property
    def letters(self) -> str:
        """A character for each known flag: its letter, or ``_``."""
        return letters(self.flags)

    @property
    def names(self) -> list[str]:
        """The names of the flags."""
        return flag_names(self.flags)


class PageTypes(tuple["PageType", ...]):
    """A `PageType` for each distinct set of flags, the most pages first.

    `unknown` pages lie in frames that the kernel has no flags of: device memory, mostly.
    """

    unknown: int = 0

    @property
    def pages(self) -> int:
        """The sum of all."""
        return sum(each.pages for each in self)

    @property
    def size(self) -> int:
        """The same in bytes."""
        return self.pages * PAGE_SIZE


class Histogram:
    """Counts that grow: of several targets, or of one until it vanishes."""

    __slots__ = ("_counts", "_unknown")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._unknown = 0

    def add(self, steps: Iterable[Found]) -> None:
        """Add what a survey finds. What came before an error stays."""
        counts = self._counts
        for found in steps:
            self._unknown += found.unknown
            for flags, pages in found.rows:
                counts[flags] = counts.get(flags, 0) + pages

    def types(self) -> PageTypes:
        """What was counted until now."""
        ordered = sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))
        types = PageTypes(PageType(flags, pages) for flags, pages in ordered)
        types.unknown = self._unknown
        return types


class Survey:
    """What to look for; `types_*` count it, `runs_*` list it, in a process, in memory, in a file.

    Use it as a context manager, or call `close()`: it holds the kernel's files about frames.

    `bits` are filters (see `pagemap.page_flags`) that must all hold. `cgroup` is the inode of a
    memory cgroup to keep to, and leaves out pages in swap. `mapcounts` and `cgroups` say that runs
    are to tell these. `threads` read, by default as many as pay.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, Unsupported where the kernel lacks a file that
    is needed, UsageError for a filter that cannot be understood.

    >>> from pagemap.page_types import Survey
    >>> with Survey(bits=["anon,~dirty"]) as survey:  # doctest: +SKIP
    ...     survey.types_of_memory().pages
    1234
    """

    __slots__ = ("_files", "_filters", "cgroup", "cgroups", "mapcounts", "raw", "threads")

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
        self.raw, self.threads = raw, threads
        self.cgroup, self.cgroups, self.mapcounts = cgroup, cgroups, mapcounts
        if cgroup is not None and not 0 <= cgroup < 1 << 64:
            raise UsageError(f"{cgroup} is no inode number of a cgroup")
        if threads is not None and threads < 1:
            raise UsageError(f"threads must be 1 or more, not {threads}")
        self._job(listed=True)  # what may not be read is told before any work

    def __enter__(self: _Survey) -> _Survey:  # noqa: PYI019 - typing.Self is of 3.11
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called again."""
        self._files.close()

    def _job(self, *, listed: bool) -> Job:
        by_cgroup = self.cgroup is not None
        try:
            return Job(
                page_shift=PAGE_SHIFT,
                kpageflags=self._files.fileno("flags"),
                kpagecount=self._files.fileno("mapcounts") if listed and self.mapcounts else -1,
                kpagecgroup=self._files.fileno("cgroups")
                if by_cgroup or (listed and self.cgroups)
                else -1,
                raw=self.raw,
                listed=listed,
                cgroup=self.cgroup,
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

    # Each place to look at gives steps, in order; what a step found is counted or listed.

    def steps_of_process(
        self, process: Process, ranges: Iterable[tuple[int, int]] | None = None, *, listed: bool
    ) -> Iterator[Found]:
        """What is found step by step, for `Histogram.add`: see `types_of_process`."""
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
        kept = None if ranges is None else sorted(page_range(*each) for each in ranges)
        job = self._job(listed=listed)
        reach = Reach()
        for block in process.maps_blocks():
            spans = Spans(list(_spans(block, kept)))
            pieces = job.of_spans(spans, process.fileno(), use_scan=process.can_scan, pages=reach)
            with pipeline.run(pieces, job.block, self.threads) as results:
                for piece, found in process.reading(results):
                    yield found
                    if piece.done:
                        reach.learn(piece.pages, piece.work)
        process.check()

    def steps_of_memory(
        self, ranges: Sequence[tuple[int, int]] | None = None, *, listed: bool
    ) -> Iterator[Found]:
        """The same of frames: see `types_of_memory`."""
        end = self._files.end
        job = self._job(listed=listed)
        for first, last in [(0, end)] if ranges is None else ranges:
            if not 0 <= first < last:
                raise UsageError(f"{first:#x}-{last:#x} is no range of PFNs")
            if first >= end:
                raise UsageError(f"there is no frame {first:#x}: the last one here is {end - 1:#x}")
            pieces = job.of_memory(first, min(last, end), BLOCK_PAGES)
            try:
                with pipeline.run(pieces, job.block, self.threads) as results:
                    for _, found in results:
                        yield found
            except OSError as error:
                if isinstance(error, PagemapError):
                    raise
                raise from_file_error(error, self._files.path("flags")) from None

    def steps_of_file(self, file: OpenFile, *, listed: bool) -> Iterator[Found]:
        """The same of the pages of a file that are cached: see `types_of_file`."""
        job = self._job(listed=listed)
        own = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        sink = -1
        try:
            sink = os.memfd_create("pagemap")
            pieces = job.of_file(own, file.fd, sink, file.pages, BLOCK_PAGES)
            with pipeline.run(pieces, job.block, self.threads) as results:
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

    def types_of_process(
        self, process: Process, ranges: Iterable[tuple[int, int]] | None = None
    ) -> PageTypes:
        """The types of the present and the swapped pages of a process.

        `ranges` are addresses ``(start, end)`` to keep to, in bytes, widened to whole pages. Raises
        PfnsHidden without CAP_SYS_ADMIN, TargetVanished.
        """
        return _counted(self.steps_of_process(process, ranges, listed=False))

    def types_of_memory(self, ranges: Sequence[tuple[int, int]] | None = None) -> PageTypes:
        """The types of all frames, or of those in `ranges` of PFNs ``(start, end)``.

        Raises UsageError for a range that begins past the last frame.
        """
        return _counted(self.steps_of_memory(ranges, listed=False))

    def types_of_file(self, path: str | OpenFile) -> PageTypes:
        """The types of the pages of a file that are in the page cache, the last one included.

        Nothing is read in, and no page looks used afterwards. Raises what `OpenFile` raises, and
        TargetVanished for a file that became shorter meanwhile.
        """
        if isinstance(path, OpenFile):
            return _counted(self.steps_of_file(path, listed=False))
        with OpenFile(path) as file:
            return _counted(self.steps_of_file(file, listed=False))

    def runs_of_process(
        self, process: Process, ranges: Iterable[tuple[int, int]] | None = None
    ) -> Iterator[PageRun]:
        """The present and the swapped pages themselves, in order of address."""
        return _runs(self, self.steps_of_process(process, ranges, listed=True), PAGE_SIZE)

    def runs_of_memory(
        self, ranges: Sequence[tuple[int, int]] | None = None
    ) -> Iterator[PageRun]:
        """The frames themselves, in order."""
        return _runs(self, self.steps_of_memory(ranges, listed=True), None)

    def runs_of_file(self, file: OpenFile) -> Iterator[PageRun]:
        """The cached pages of an open file themselves, in order."""
        return _runs(self, self.steps_of_file(file, listed=True), PAGE_SIZE)


def _spans(block: bytes, ranges: list[tuple[int, int]] | None) -> Iterator[tuple[int, int]]:
    for start, end, _ in maps.parse_labels(block):
        if ranges is None:
            yield start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT
            continue
        seen = start
        for first, last in ranges:
            first, last = max(seen, first), min(end, last)
            if first < last:
                yield first >> PAGE_SHIFT, (last - first) >> PAGE_SHIFT
                seen = last


def _counted(steps: Iterator[Found]) -> PageTypes:
    histogram = Histogram()
    histogram.add(steps)
    return histogram.types()


def _runs(survey: Survey, steps: Iterator[Found], unit: int | None) -> Iterator[PageRun]:
    """Rows as runs; neighbours alike are one, also where one step ended and the next began."""
    last: list[int] | None = None
    for found in steps:
        for row in found.rows:
            place, pfn, swapped, pages, *alike = row
            if last is not None:
                before, frame, was, count, *like = last
                if (
                    before + count == place
                    and frame + count == pfn
                    and (was, like) == (swapped, alike)
                ):
                    last[3] += pages
                    continue
                yield _run(survey, last, unit)
            last = list(row)
    if last is not None:
        yield _run(survey, last, unit)


def _run(survey: Survey, row: list[int], unit: int | None) -> PageRun:
    place, pfn, swapped, pages, flags, mapcount, cgroup = row
    return PageRun(
        None if unit is None else place * unit,
        None if swapped else pfn,
        pfn if swapped else None,
        pages,
        flags,
        mapcount if survey.mapcounts and mapcount != NO_WORD else None,
        cgroup if survey.cgroups and cgroup != NO_WORD else None,
    )
