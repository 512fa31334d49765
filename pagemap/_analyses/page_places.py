"""Where pages are read by their flags: processes, files, or all memory; and what failed there."""

from __future__ import annotations

import time

from pagemap._analyses.page_survey import OF_FRAMES, OF_PROCESSES
from pagemap._errors import PagemapError, UsageError
from pagemap._kernel.files_below import files_in
from pagemap._native.types_blocks import COUNTS
from pagemap._space.about import about
from pagemap._space.address_space import AddressSpace
from pagemap._space.arguments import pid_of
from pagemap._space.every_process import EveryProcess
from pagemap._space.every_space import require_pfns
from pagemap._space.saved_processes import SavedProcesses
from pagemap._space.saved_space import SavedSpace
from pagemap._vocabulary.checks import check_several
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, page_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pagemap._analyses.page_survey import Survey
    from pagemap._kernel.frames import FrameReader
    from pagemap._kernel.page_files import OpenFile
    from pagemap._native.types_blocks import Found
    from pagemap._space.arguments import Target

    Failed = Callable[[PagemapError], object]

__all__ = ["Places"]


class Places:
    """Where to look: processes, files or memory; and what could not be looked at."""

    def __init__(
        self,
        wanted: int,
        processes: Sequence[Target],
        files: Sequence[str],
        frames: Sequence[tuple[int, int]] | None,
        ranges: Sequence[tuple[int, int]] | None,
        procfs: str,
        failed: Failed | None,
    ) -> None:
        self._begin = time.time()
        self._wanted = wanted
        for name, value in (("processes", processes), ("files", files)):
            check_several(name, value, "a sequence")
        self._processes, self._files = list(processes), list(files)
        kinds = [
            name
            for name, given in (("processes", processes), ("files", files), ("frames", frames))
            if given
        ]
        if len(kinds) > 1:
            raise UsageError(f"{' and '.join(kinds)} cannot be combined: make one call for each")
        if ranges is not None and not files and len(self._processes) != 1:
            raise UsageError("ranges need exactly one process, whose addresses they select")
        self._frames, self._ranges, self._procfs = frames, ranges, procfs
        self._of_file = None if ranges is None or not files else _pages(ranges)
        self._failed = failed
        self._left_out: list[dict[str, object]] = []
        self._every: EveryProcess | None = None
        self.unknown = self.unknown_frames = 0
        self.unit = PAGE_SIZE if processes or files else 1
        self.purpose = OF_PROCESSES if processes else OF_FRAMES
        self.processes = len(dict.fromkeys(map(_pid, self._processes)))

    @property
    def _saved(self) -> list[SavedSpace]:
        """The processes, if they are of a snapshot. Raises UsageError where only some are."""
        saved = [each for each in self._processes if isinstance(each, SavedSpace)]
        if saved and (len(saved) < len(self._processes) or len({s.path for s in saved}) > 1):
            raise UsageError("each snapshot has frames of its own: make one call for each")
        return saved

    def reader(self) -> FrameReader | None:
        """What was saved of the frames; None where the kernel's files tell. As Survey takes it."""
        saved = self._saved
        return SavedProcesses(saved, {}).frame_reader(OF_PROCESSES) if saved else None

    def each(self, survey: Survey) -> Iterator[tuple[Any, Iterator[Found]]]:
        """The pid or the path of each place, and what is found there, step by step."""
        if self._files:
            require_pfns(OF_PROCESSES)  # else they would seem to have no frame
        if self._files and self._wanted == COUNTS:  # together, for they may be many and small
            yield None, survey.files(self._open_files(), self._fail_file, close=True)
        elif self._files:
            for file in self._open_files():
                yield file.path, survey.files([file], self._fail_file, close=True)
        elif self._processes:
            yield from self._of_processes(survey)
        else:
            yield None, survey.memory(self._frames)

    def _open_files(self) -> Iterator[OpenFile]:
        entered: set[tuple[int, int]] = set()
        for path in self._files:
            try:
                for file in files_in(path, self._fail_file, entered):
                    file.ranges = self._of_file
                    yield file
            except PagemapError as error:
                self._fail_file(error)

    def _fail_file(self, error: PagemapError) -> None:
        self._left_out.append({"path": error.path, "reason": str(error)})
        self._tell(error)

    def _tell(self, error: PagemapError) -> None:
        if self._failed is None:
            raise error
        self._failed(error)

    def _of_processes(self, survey: Survey) -> Iterator[tuple[int, Iterator[Found]]]:
        given = {_pid(each): each for each in self._processes}
        held = {pid: each for pid, each in given.items() if isinstance(each, AddressSpace)}
        if len(held) == len(given) == 1:
            ((pid, space),) = held.items()
            yield pid, self._until_it_ends(survey, pid, space)
            return
        if self._saved:
            for pid, space in held.items():
                yield pid, self._until_it_ends(survey, pid, space)
            return
        self._every = every = EveryProcess(given, others=(), procfs=self._procfs)
        opened: dict[int, AddressSpace] = {}
        try:
            # all of them are opened before one is looked at, which may take long
            opened.update(every.read(lambda pid: held.get(pid) or every.open(pid)))
            for error in every.errors.values():
                self._tell(error)
            for pid, space in opened.items():
                yield pid, self._until_it_ends(survey, pid, space)
        finally:
            for pid, space in opened.items():
                if pid not in held:
                    space.close()

    def _until_it_ends(self, survey: Survey, pid: int, space: AddressSpace) -> Iterator[Found]:
        try:
            yield from survey.process(space, self._ranges)
        except UsageError:
            raise
        except PagemapError as error:
            if self._every is not None:
                self._every.leave_out(pid, error)
            self._tell(error)

    def add_unknown(self, found: Found) -> None:
        """Take note of pages, and frames, of which nothing is known."""
        pages, frames = found.unknown
        self.unknown += pages
        self.unknown_frames += frames

    def about(self, *, raw: bool) -> dict[str, object]:
        """What holds for all rows."""
        told = {} if self._every is None else self._every.about()
        left_out = [*self._left_out, *told.pop("left_out", [])]  # type: ignore[misc]
        saved = self._saved
        of_file = saved[0].machine.about(self._begin) if saved else {}
        return {
            **about(self._begin),
            **of_file,
            "raw": raw,
            "unknown": self.unknown,
            **told,
            "left_out": left_out,
            "complete": not left_out and all(space.complete for space in saved),
        }


def _pages(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pages of a file that ranges of bytes are in."""
    return [(start >> PAGE_SHIFT, end >> PAGE_SHIFT) for start, end in page_ranges(ranges)]


def _pid(target: Target) -> int:
    """The pid that it has, or had when it was saved."""
    return target.pid if isinstance(target, AddressSpace) and not target.live else pid_of(target)
