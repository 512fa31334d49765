"""One pass over /proc/kpageflags: all frames counted, by threads, in steps of a GiB."""

from __future__ import annotations

import heapq
from array import array
from operator import itemgetter

from pagemap._errors import PagemapError
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.os_errors import from_file_error
from pagemap._native import pipeline
from pagemap._native.memory import STEP, FramesJob, FramesPiece, FramesScratch, FramesSums
from pagemap._vocabulary.frame_kinds import FRAME_KINDS, MOVABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from pagemap._analyses.memory_segments import Segment
    from pagemap._native.memory_groups import FrameGroups

    Progress: TypeAlias = Callable[[int, int], object]

__all__ = ["Block", "Counted", "count"]

_NAMES = [kind.name for kind in FRAME_KINDS]
_FREE = _NAMES.index("free")
_MOVABLE = [_NAMES.index(name) for name in MOVABLE]
_PURPOSE = "tell what memory is used for"


class Block:
    """An aligned block that is not free: its frames of each kind."""

    __slots__ = ("frames", "gain", "movable", "pfn", "stays", "zone")

    def __init__(self, pfn: int, frames: list[int], zone: int) -> None:
        self.pfn, self.frames, self.zone = pfn, frames, zone
        self.movable = sum(frames[kind] for kind in _MOVABLE)
        self.stays = sum(frames) - self.movable - frames[_FREE]
        self.gain = self.movable + frames[_FREE] if self.stays else 0

    @property
    def weight(self) -> tuple[int, int, int]:
        """The most first: what frames that stay spoil, and blocks that are blocked."""
        return self.gain, self.stays, -self.pfn


class Counted:
    """What was counted: `zones` has the sums of each.

    `cgroups` has the frames of each kind by inode number, or by that of a group, `blocks` the
    heaviest of those that are not free, and `runs` (PFN, frames, zone) of the longest free ones;
    `all_blocks` and `all_runs` are how many there are of both. `ksm_told` is as
    `FrameReader.tells_ksm` has it.
    """

    __slots__ = ("all_blocks", "all_runs", "blocks", "cgroups", "ksm_told", "runs", "zones")

    def __init__(self, zones: int, *, ksm_told: bool | None) -> None:
        self.zones = [FramesSums() for _ in range(zones)]
        self.ksm_told = ksm_told
        self.cgroups: dict[int, list[int]] = {}
        self.blocks: list[Block] = []
        self.runs: list[tuple[int, int, int]] = []
        self.all_blocks = self.all_runs = 0

    def add(self, other: Counted) -> None:
        """Add the sums of what was counted elsewhere; lists are not."""
        for sums, more in zip(self.zones, other.zones, strict=True):
            sums.add(more)
        _add_cgroups(self.cgroups, other.cgroups)


def count(
    segments: Sequence[Segment],
    zones: int,
    *,
    buddy_order: int,
    block_order: int,
    cgroups: bool = False,
    groups: FrameGroups | None = None,
    blockers: int | None = None,
    runs: int | None = None,
    least_run: int,
    threads: int | None = None,
    progress: Progress | None = None,
    procfs: str = "/proc",
) -> Counted:
    """Count the frames of `segments`, which lie in so many `zones`.

    With `groups` frames are counted by the number of their group, in the place of cgroups.
    `blockers` and `runs` are how many of these to list, None for none. Raises AccessDenied and
    Unsupported where /proc/kpageflags cannot be read, or with `cgroups` /proc/kpagecgroup.
    """
    with FrameReader(procfs=procfs, purpose=_PURPOSE) as reader:
        flags = reader.fileno("flags")
        charges = reader.fileno("cgroups") if cgroups else None
        counted = Counted(zones, ksm_told=reader.tells_ksm())
        job = FramesJob(
            flags,
            cgroups=charges,
            groups=groups,
            ksm_told=bool(counted.ksm_told),
            buddy_order=buddy_order,
            block_order=None if blockers is None else block_order,
            least_run=None if runs is None else least_run,
        )
        done, total = 0, sum(each.end - each.start for each in segments)
        heaviest = _Heaviest(blockers or 0)
        free = _FreeRuns(least_run)
        try:
            with pipeline.run(_pieces(job, segments), lambda: FramesScratch(job), threads) as found:
                for _, piece in found:
                    piece.add_to(counted.zones[piece.zone])
                    _add_cgroups(counted.cgroups, piece.cgroups)
                    heaviest.add(piece)
                    free.add(piece)
                    done += piece.work
                    if progress is not None:
                        progress(done, total)
        except OSError as error:
            if isinstance(error, PagemapError):
                raise
            raise from_file_error(error, reader.path("flags")) from None
    counted.blocks, counted.all_blocks = heaviest.result(), heaviest.seen
    counted.runs, counted.all_runs = free.result(runs or 0), free.seen
    return counted


def _pieces(job: FramesJob, segments: Sequence[Segment]) -> Iterator[FramesPiece]:
    for segment in segments:
        start = segment.start
        while start < segment.end:
            end = min((start // STEP + 1) * STEP, segment.end)
            yield FramesPiece(job, start, end, segment.zone)
            start = end


def _add_cgroups(sums: dict[int, list[int]], found: dict[int, list[int]]) -> None:
    for inode, frames in found.items():
        before = sums.get(inode)
        sums[inode] = (
            frames if before is None else [a + b for a, b in zip(before, frames, strict=True)]
        )


class _Heaviest:
    """The blocks with the most weight, `most` of all that were seen."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.seen = 0
        self._heap: list[tuple[tuple[int, int, int], Block]] = []

    def add(self, piece: FramesPiece) -> None:
        self.seen += len(piece.blocks)
        for pfn, frames in piece.blocks:
            block = Block(pfn, frames, piece.zone)
            entry = block.weight, block
            if len(self._heap) < self._most:
                heapq.heappush(self._heap, entry)
            elif self._heap and entry[0] > self._heap[0][0]:
                heapq.heapreplace(self._heap, entry)

    def result(self) -> list[Block]:
        return [block for _, block in sorted(self._heap, key=itemgetter(0), reverse=True)]


class _FreeRuns:
    """Free runs of `least` frames or more; those that steps have cut are joined again."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._pfns, self._frames, self._zones = array("q"), array("q"), array("q")
        self._open: tuple[int, int, int] | None = None

    def add(self, piece: FramesPiece) -> None:
        for pfn, frames in piece.runs:
            run = self._open
            if run is not None and (run[0] + run[1], run[2]) == (pfn, piece.zone):
                self._open = run[0], run[1] + frames, piece.zone
            else:
                self._close()
                self._open = pfn, frames, piece.zone

    def _close(self) -> None:
        if self._open is not None and self._open[1] >= self._least:
            for column, value in zip(
                (self._pfns, self._frames, self._zones), self._open, strict=True
            ):
                column.append(value)
        self._open = None

    @property
    def seen(self) -> int:
        return len(self._pfns)

    def result(self, most: int) -> list[tuple[int, int, int]]:
        self._close()
        rows = zip(self._pfns, self._frames, self._zones, strict=True)
        return heapq.nlargest(most, rows, key=lambda row: (row[1], -row[0]))
