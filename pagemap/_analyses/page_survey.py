"""Pages looked at by the flags of their frames: of a process, of all memory, of a file's cache.

A page's flags are the word of its frame in /proc/kpageflags, and what its entry adds. As the
kernel's tool page-types does (tools/mm/page-types.c), internal flags are left out unless `raw` asks
for them, and pages in swap count with the flags of their entry alone: none, unless raw.

A word is of the moment it is read: a page may have moved since its PFN was learnt.
"""

from __future__ import annotations

from pagemap._analyses.page_cache import CacheWalk
from pagemap._analyses.page_types import Histogram, joined, page_run
from pagemap._errors import AccessDenied, PagemapError, PfnsHidden, UsageError, from_file_error
from pagemap._kernel import maps
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.swap_types import kinds
from pagemap._native import pipeline
from pagemap._native.descriptors import Holder
from pagemap._native.scan import Spans
from pagemap._native.types import BLOCK_PAGES, Job, SeenFrames
from pagemap._space.walk import Reach
from pagemap._vocabulary.checks import check_int, check_names, check_threads
from pagemap._vocabulary.page_flags import parse_filter
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from pagemap._analyses.page_types import PageRun, PageTypes
    from pagemap._kernel.page_files import Failed, OpenFile
    from pagemap._native.types import Blocks, Found
    from pagemap._space.address_space import AddressSpace

    _Survey = TypeVar("_Survey", bound="Survey")
    # Whether a list is wanted, and the frames that were seen, when a frame is to count once.
    _Steps = Callable[[bool, SeenFrames | None], Iterator[Found]]

__all__ = ["Look", "Survey"]


class Look(Holder):
    """One place to look at, as a survey wants it; each call looks anew.

    `unknown` is how many pages the last list left out, because the kernel tells nothing of their
    frames. Raises TargetVanished when the process exits or calls exec midway, or the file becomes
    shorter.
    """

    __slots__ = ("_end", "_steps", "_unit", "unknown")

    def __init__(self, steps: _Steps, unit: int | None, end: int) -> None:
        self._steps = steps
        self._unit = unit
        self._end = end
        self.unknown = 0

    def types(self) -> PageTypes:
        """How many pages have which flags, and in how many frames they lie."""
        histogram = Histogram()
        self.add_to(histogram)
        return histogram.types()

    def add_to(self, histogram: Histogram) -> None:
        """Count into `histogram`; what was seen before an error stays.

        Frames that it has counted already are not counted again. Of files, pages in such frames
        are left out: one file has several names, and several files one cache (overlay).
        """
        if histogram.seen is None:
            histogram.seen = SeenFrames(self._end)
        histogram.add(self._steps(False, histogram.seen))

    def runs(self, seen: SeenFrames | None = None) -> Iterator[PageRun]:
        """The pages themselves in order, those in a row that are alike as one.

        Of files, those in frames that are `seen` are left out; see `Survey.seen_frames`.
        """
        self.unknown = 0
        return (page_run(row, self._unit) for row in joined(self._listed(seen)))

    def _listed(self, seen: SeenFrames | None) -> Iterator[Found]:
        for found in self._steps(True, seen):
            self.unknown += found.unknown
            yield found


class Survey(Holder):
    """What is wanted of pages; then `process`, `memory` and `file` give a `Look` at some.

    Use it as a context manager, or call `close()`: it holds the kernel's files about frames.

    `bits` are filters (see `pagemap._vocabulary.page_flags`) that must all hold. `cgroup` is the
    inode of a memory cgroup to keep to, and leaves out pages in swap. `mapcounts` and `cgroups` say
    that runs
    are to tell these. `threads` read, by default as many as pay. `procfs` is where /proc is.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, Unsupported where the kernel lacks a file that
    is needed, UsageError for a filter that cannot be understood.

    >>> from pagemap._analyses.page_survey import Survey
    >>> with Survey(bits=["anon,~dirty"]) as survey:  # doctest: +SKIP
    ...     survey.memory().types().pages
    1234
    """

    __slots__ = (
        "_cache",
        "_cgroup",
        "_cgroups",
        "_end",
        "_files",
        "_filters",
        "_kept",
        "_mapcounts",
        "_raw",
        "_threads",
    )

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
        self._filters = [parse_filter(text, raw=raw) for text in check_names("bits", bits)]
        self._raw, self._threads = raw, check_threads(threads)
        self._cgroup, self._cgroups, self._mapcounts = cgroup, cgroups, mapcounts
        if cgroup is not None:
            check_int("cgroup", cgroup, 0, 1 << 64)
        self._cache = CacheWalk(threads)
        self._kept: list[tuple[bool, SeenFrames | None, Job, Blocks]] = []
        self._end = 0
        self._job(listed=True)  # what may not be read is told before any work

    def __enter__(self: _Survey) -> _Survey:  # noqa: PYI019 - typing.Self is of 3.11
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called again."""
        self._kept.clear()
        self._cache.close()
        self._files.close()

    @property
    def end(self) -> int:
        """The first PFN past the machine's last frame."""
        self._end = self._end or self._files.end
        return self._end

    def seen_frames(self) -> SeenFrames:
        """Frames that lists of files leave out when they come again: none yet."""
        return SeenFrames(self.end)

    def _job(self, *, listed: bool, seen: SeenFrames | None = None, once: bool = False) -> Job:
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
                kinds=kinds() if listed else None,
                filters=self._filters,
                seen=seen,
                once=once,
            )
        except AccessDenied as error:
            raise AccessDenied(
                error.message,
                errno=error.errno,
                operation="tell page types",
                path=error.path,
            ) from None

    def process(
        self, process: AddressSpace, ranges: Iterable[tuple[int, int]] | None = None
    ) -> Look:
        """The present and the swapped pages of a process.

        `ranges` are addresses ``(start, end)`` to keep to, in bytes, widened to whole pages. Raises
        PfnsHidden without CAP_SYS_ADMIN.
        """
        kept = None if ranges is None else sorted(page_range(*each) for each in ranges)
        return Look(
            lambda listed, seen: self._of_process(process, kept, seen, listed=listed),
            PAGE_SIZE,
            self.end,
        )

    def memory(self, ranges: Sequence[tuple[int, int]] | None = None) -> Look:
        """All frames, or those in `ranges` of PFNs ``(start, end)``, each once.

        Raises UsageError for a range that is none, or begins past the last frame.
        """
        end = self.end
        for first, last in ranges or ():
            if not 0 <= first < last:
                raise UsageError(f"{first:#x}-{last:#x} is no range of PFNs")
            if first >= end:
                raise UsageError(f"there is no frame {first:#x}: the last one here is {end - 1:#x}")
        kept = [(0, end)] if ranges is None else _united(ranges, end)
        return Look(lambda listed, _: self._of_memory(kept, listed=listed), None, end)

    def file(self, file: OpenFile) -> Look:
        """The pages of an open file that are in the page cache, the last one included.

        Nothing is read in, and no page looks used afterwards.
        """
        return Look(
            lambda listed, seen: self._of_files([file], _raise, seen, listed=listed),
            PAGE_SIZE,
            self.end,
        )

    def files(self, files: Iterable[OpenFile], failed: Failed) -> Look:
        """The same of many files, to be counted together; each is closed when it was looked at.

        What cannot be looked at, or becomes shorter meanwhile, is told to `failed`.
        """
        return Look(
            lambda listed, seen: self._of_files(files, failed, seen, listed=listed, close=True),
            PAGE_SIZE,
            self.end,
        )

    # Each of these gives what was found step by step, in order.

    def _of_process(
        self,
        process: AddressSpace,
        ranges: list[tuple[int, int]] | None,
        seen: SeenFrames | None,
        *,
        listed: bool,
    ) -> Iterator[Found]:
        if process.kernel_thread:
            return
        if not process.pfns_visible:
            raise PfnsHidden(
                f"cannot tell the types of the pages of process {process.pid}: the kernel hides "
                "their PFNs without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
                pid=process.pid,
                operation="tell page types",
            )
        job = self._job(listed=listed, seen=seen)
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

    def _of_files(
        self,
        files: Iterable[OpenFile],
        failed: Failed,
        seen: SeenFrames | None,
        *,
        listed: bool,
        close: bool = False,
    ) -> Iterator[Found]:
        # What a walk needs is kept for the next file, of which there may be many, and small ones.
        try:
            kept = self._kept.pop()
        except IndexError:
            kept = None
        if kept is None or kept[0] != listed or kept[1] is not seen:
            job = self._job(listed=listed, seen=seen, once=seen is not None)
            kept = listed, seen, job, job.blocks()
        yield from self._cache.steps(kept[2], kept[3], files, failed, close=close)
        self._kept.append(kept)


def _raise(error: PagemapError) -> None:
    raise error


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


def _united(ranges: Iterable[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The same PFNs below `end`, ascending, each in one range."""
    united: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if united and first <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], min(last, end))
        else:
            united.append((first, min(last, end)))
    return united
