"""Pages with the flags of their frames: of a process, of all memory, or of a file's cache.

The flags of a page are those of its frame in /proc/kpageflags, with some from its entry. As in the
kernel's tool page-types (tools/mm/page-types.c), internal flags are left out unless `raw` asks for
them, and pages in swap have only the flags from their entry: none, unless raw. Guard regions and
other entries that are neither count only if a filter names them; they have a flag of that name.

Flags are of the moment they are read: a page may have moved since its PFN was read.
"""

from __future__ import annotations

from pagemap._analyses.page_cache import CacheWalk
from pagemap._analyses.page_filter import Choice
from pagemap._errors import PagemapError, PfnsHidden, UsageError
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.os_errors import from_file_error
from pagemap._kernel.swap_types import kinds
from pagemap._native import pipeline
from pagemap._native.descriptors import Holder
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._native.types import Job, SeenFrames
from pagemap._native.types_blocks import BLOCK_PAGES, COUNTS
from pagemap._space.walk import Reach
from pagemap._vocabulary.checks import check_int, check_threads
from pagemap._vocabulary.filters import parse_filters
from pagemap._vocabulary.page_flags import divide, read_word
from pagemap._vocabulary.units import PAGE_SHIFT, clipped, page_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeVar

    from pagemap._kernel.files_below import Failed
    from pagemap._kernel.page_files import OpenFile
    from pagemap._native.types_blocks import Blocks, Found
    from pagemap._space.address_space import AddressSpace

    _Survey = TypeVar("_Survey", bound="Survey")

__all__ = ["OF_FRAMES", "OF_PROCESSES", "Survey"]

OF_PROCESSES = "tell page types"
OF_FRAMES = "tell the types of frames"
"""What errors say failed: for pages of processes, and for those of files and memory."""


class Survey(Holder):
    """What is wanted of pages; then `process`, `memory` and `files` give what is found, in steps.

    `wanted` is COUNTS, ALIKE or EACH of `pagemap._native.types_blocks`. Of a process each frame
    counts with the first page that lies in it, of whichever process; of files, pages in frames that
    were met before are left out: one file has several names, and several files one cache (overlay).

    Raises AccessDenied without CAP_DAC_READ_SEARCH, Unsupported where the kernel lacks a file that
    is needed, UsageError for a filter that cannot be understood.
    """

    __slots__ = (
        "_by_entries",
        "_cache",
        "_cgroup",
        "_cgroups",
        "_choice",
        "_end",
        "_files",
        "_flags",
        "_kept",
        "_mapcounts",
        "_raw",
        "_seen",
        "_threads",
        "_wanted",
    )

    def __init__(
        self,
        wanted: int = COUNTS,
        *,
        raw: bool = False,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        cgroup: int | None = None,
        mapcounts: bool = False,
        cgroups: bool = False,
        threads: int | None = None,
        procfs: str = "/proc",
        purpose: str = OF_PROCESSES,
        frames: FrameReader | None = None,
    ) -> None:
        self._wanted = wanted
        flags, entries = divide(parse_filters(only, without, read_word), raw=raw)
        self._flags = flags
        self._choice = Choice(filters=entries)
        self._by_entries = bool(entries)
        self._raw, self._threads = raw, check_threads(threads)
        self._cgroup, self._cgroups, self._mapcounts = cgroup, cgroups, mapcounts
        if cgroup is not None:
            check_int("cgroup", cgroup, 0, 1 << 64)
        self._files = frames or FrameReader(procfs=procfs, purpose=purpose)
        self._cache = CacheWalk(threads)
        self._kept: tuple[Job, Blocks] | None = None
        self._end = 0
        self._seen: SeenFrames | None = None
        self._job()  # what may not be read is told before any work

    def __enter__(self: _Survey) -> _Survey:  # noqa: PYI019 - typing.Self is of 3.11
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called again."""
        self._kept = None
        self._cache.close()
        self._files.close()

    @property
    def end(self) -> int:
        """The first PFN past the machine's last frame."""
        self._end = self._end or self._files.end
        return self._end

    def _job(
        self,
        *,
        seen: SeenFrames | None = None,
        once: bool = False,
        choice: Choice | None = None,
        swap_kinds: bytes | None = None,
    ) -> Job:
        listed = self._wanted != COUNTS
        by_cgroup = self._cgroup is not None
        return Job(
            page_shift=PAGE_SHIFT,
            kpageflags=self._files.fileno("flags"),
            kpagecount=self._files.fileno("mapcounts") if listed and self._mapcounts else -1,
            kpagecgroup=self._files.fileno("cgroups")
            if by_cgroup or (listed and self._cgroups)
            else -1,
            raw=self._raw,
            wanted=self._wanted,
            cgroup=self._cgroup,
            kinds=swap_kinds or kinds(),
            filters=self._flags,
            all_of=choice.all_of if choice else 0,
            none_of=choice.none_of if choice else 0,
            kinds_wanted=choice.counted if choice else 0,
            seen=seen,
            once=once,
        )

    def _frames_seen(self) -> SeenFrames:
        if self._seen is None:
            self._seen = SeenFrames(self.end)
        return self._seen

    def process(
        self, process: AddressSpace, ranges: Iterable[tuple[int, int]] | None = None
    ) -> Iterator[Found]:
        """The present and the swapped pages of a process.

        `ranges` are addresses ``(start, end)`` to keep to, in bytes, widened to whole pages. Raises
        PfnsHidden without CAP_SYS_ADMIN, Unsupported for a word that this kernel does not tell;
        while it is read, TargetVanished.
        """
        kept = None if ranges is None else page_ranges(ranges)
        if process.kernel_thread:
            return iter(())
        if not process.pfns_visible:
            raise PfnsHidden(
                f"cannot tell the types of the pages of process {process.pid}: the kernel hides "
                "their PFNs without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
                pid=process.pid,
                operation=OF_PROCESSES,
            )
        return self._of_process(process, kept, self._choice.of(process))

    def memory(self, ranges: Sequence[tuple[int, int]] | None = None) -> Iterator[Found]:
        """All frames, or those in `ranges` of PFNs ``(start, end)``, each once.

        Raises UsageError for a range that is none, or begins past the last frame, and for a filter
        by entries, of which memory has none.
        """
        self._refuse_entries("memory")
        end = self.end
        for first, last in ranges or ():
            if not 0 <= first < last:
                raise UsageError(f"{first:#x}-{last:#x} is not a range of PFNs")
            if first >= end:
                raise UsageError(f"there is no frame {first:#x}: the last one here is {end - 1:#x}")
        return self._of_memory([(0, end)] if ranges is None else _united(ranges, end))

    def files(
        self, files: Iterable[OpenFile], failed: Failed, *, close: bool = False
    ) -> Iterator[Found]:
        """The pages of open files that are in the page cache, the last one of each included.

        Nothing is read from disk, and no page is marked as accessed. Files that cannot be read, or
        are truncated meanwhile, are passed to `failed`. With `close` each file is closed after use.
        """
        self._refuse_entries("a file")
        return self._of_files(files, failed, close=close)

    def _refuse_entries(self, whose: str) -> None:
        if self._by_entries:
            raise UsageError(
                f"{whose} has no page table: select its pages by the flags of their frames, not by "
                "words about entries such as present, swap and file"
            )

    # Each of these gives what was found step by step, in order.

    def _of_process(
        self,
        process: AddressSpace,
        ranges: list[tuple[int, int]] | None,
        choice: Choice,
    ) -> Iterator[Found]:
        counted = self._frames_seen() if self._wanted == COUNTS else None
        job = self._job(seen=counted, choice=choice, swap_kinds=process.machine.swap_kinds())
        reach = _Reach(first=pipeline.ALONE_PAGES)
        blocks = job.blocks()
        for block in process.maps_blocks():
            spans = Spans(list(_spans(block, ranges)))
            pieces = job.of_spans(spans, process.source, use_scan=process.can_scan, pages=reach)
            with pipeline.run(pieces, lambda: blocks, self._threads) as results:
                for piece, found in process.reading(results):
                    yield found
                    if piece.done:
                        reach.learn(piece.pages, piece.work)
        process.check()

    def _of_memory(self, ranges: list[tuple[int, int]]) -> Iterator[Found]:
        job = self._job()
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
        self, files: Iterable[OpenFile], failed: Failed, *, close: bool
    ) -> Iterator[Found]:
        # What a walk needs is kept for the next file, of which there may be many, and small ones.
        kept, self._kept = self._kept, None
        if kept is None:
            job = self._job(seen=self._frames_seen(), once=True)
            kept = job, job.blocks()
        for _, found in self._cache.steps(*kept, files, failed, close=close):
            yield found
        self._kept = kept


class _Reach(Reach):
    """A piece is a step, where all is populated."""

    LEAST = BLOCK_PAGES


def _spans(block: bytes, ranges: list[tuple[int, int]] | None) -> Iterator[tuple[int, int]]:
    for start, end, _ in Lines(block).ranges():
        for first, last in clipped(start, end, ranges):
            yield first >> PAGE_SHIFT, (last - first) >> PAGE_SHIFT


def _united(ranges: Iterable[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The same PFNs below `end`, ascending, each in one range."""
    united: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if united and first <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], min(last, end))
        else:
            united.append((first, min(last, end)))
    return united
