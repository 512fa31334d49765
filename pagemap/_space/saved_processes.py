"""Some or all processes of a snapshot, in the place of `EveryProcess`."""

from __future__ import annotations

from errno import EBADMSG
from time import time

from pagemap._errors import PagemapError, PfnsHidden
from pagemap._native.scan import Query, scan
from pagemap._space.every_space import SeveralSpaces
from pagemap._space.left_out import LeftOut
from pagemap._space.saved_frames import MOST_END, SavedFrameReader, SavedFrames
from pagemap._space.saved_space import SavedSpace
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from pagemap._kernel.folder import Folder
    from pagemap._kernel.frames import FrameReader

    _T = TypeVar("_T")

__all__ = ["FRAMES_LOST", "SavedProcesses"]

FRAMES_LOST = "the flags of its frames were lost where the file was damaged"
_MAPPINGS_LOST = "its mappings were lost where the file was damaged"

_ZERO_HUGE = sum(1 << flag.bit for flag in SCAN_CATEGORIES if flag.name in ("huge", "pfnzero"))
_PMD_PAGES = PAGE_SIZE >> 3


class SavedProcesses(SeveralSpaces):
    """The processes `spaces`, all of one moment of one snapshot, which says `about` of them all.

    None of them can end: whatever is wrong with one is an error of all. `named` of the `pids`, at
    their beginning, were asked for, and others are those that are looked at beside them.
    """

    sees_all = True

    def __init__(
        self, spaces: Sequence[SavedSpace], about: Mapping[str, Any], *, named: int = 0
    ) -> None:
        self._open = {}
        self._spaces = {space.pid: space for space in spaces}
        self._about = about
        self.pids = list(self._spaces)
        self.named = named
        self.names = {space.pid: space.name for space in spaces}
        self.errors: dict[int, PagemapError] = {}
        self.left_out: list[LeftOut] = []
        # one process alone, as of a record, cannot be counted twice
        self.sharers_known: bool = about.get("sharers_known") is True or len(self.pids) == 1
        self.salvaged: bool = about.get("salvaged") is True
        """Whether what is whole of a damaged file is all that there is."""
        self.sharers = _sharers(about, self._spaces)
        if self.salvaged:
            lost = [pid for pid, space in self._spaces.items() if space.mappings_lost]
            self._leave_out(lost, _MAPPINGS_LOST)

    @property
    def without_smaps(self) -> list[int]:
        """Those of which the kernel's sums were not saved."""
        return [pid for pid, space in self._spaces.items() if not space.has_smaps]

    def memory(self) -> int | None:
        """All memory of the machine that they were on, in bytes; None where that was not told."""
        return self._spaces[self.pids[0]].machine.memory()

    def about(self) -> dict[str, object]:
        """What the `about` of a result says: the machine and the time are those of the snapshot."""
        return {
            **self._spaces[self.pids[0]].machine.about(time()),
            "pids": list(self.pids),
            "left_out": [each._asdict() for each in self.left_out],
            "complete": self._about.get("complete") is True and not self.left_out,
            "all_namespaces": True,
            "sharers": self.sharers,
            "sharers_known": self.sharers_known,
        }

    @property
    def has_frames(self) -> bool:
        """Whether flags and map counts of frames were saved, and none lost since."""
        return not self.frames_lost and self.has_some_frames

    @property
    def has_some_frames(self) -> bool:
        """Whether flags and map counts of frames were saved, be it that some were lost since."""
        return any(each.has_frames for each in self._spaces.values())

    @property
    def frames_lost(self) -> bool:
        """Whether some of those that were saved were lost where the file was damaged."""
        return any(each.frames_lost for each in self._spaces.values())

    def leave_out_lost(self, *, zeros: bool = False) -> None:
        """Leave out those that have lost all flags of frames, where the whole file was meant.

        With `zeros` also those that have lost some, where nothing else tells pages of zeros. Not
        where that holds for all: then there is nothing to show.
        """
        lost = [
            pid
            for pid, space in self._spaces.items()
            if space.frames_lost and not (space.has_frames and (not zeros or _tells_zeros(space)))
        ]
        self._leave_out(lost, FRAMES_LOST)

    def _leave_out(self, lost: Sequence[int], why: str) -> None:
        if self.named or len(lost) == len(self._spaces):
            return
        for pid in lost:
            space = self._spaces.pop(pid)
            self.pids.remove(pid)
            self.sharers.pop(pid, None)
            self.left_out.append(LeftOut(pid, space.name, why))

    def require_pfns(self, purpose: str) -> None:
        """Raise PfnsHidden where one was taken without: `purpose` is what cannot be done."""
        for space in self._spaces.values():
            if not space.pfns_visible:
                raise PfnsHidden(
                    f"cannot {purpose}: PFNs are not visible; {space.machine.why_hidden}",
                    pid=space.pid,
                    operation=purpose,
                    path=space.path,
                )

    @property
    def frames_end(self) -> int:
        """A PFN past all frames."""
        return min(max(s.machine.memory_end() for s in self._spaces.values()), MOST_END)

    def frame_reader(self, purpose: str) -> FrameReader:
        """What was saved about frames, of all of them. Its methods raise Unsupported: nothing."""
        spaces = list(self._spaces.values())
        ends = [space.machine.memory_end() for space in spaces if space.has_frames]
        records = [space.record for space in spaces]
        frames = SavedFrames(max(ends, default=None), records, spaces[0].path)
        return SavedFrameReader(frames, purpose, ksm_told=spaces[0].machine.ksm_told)

    def zero_frames(self) -> list[tuple[int, int]]:
        """The frames of zeros, ``(first, count)``: the small ones, and the huge one where met."""
        found = []
        for space in self._spaces.values():
            found.append(space.machine.zero_frames(-1))
            if _tells_zeros(space):
                found += _huge_zero(space)
        return list(dict.fromkeys(found))

    def open(self, pid: int) -> SavedSpace:
        """Its address space, for the caller to close."""
        space = self._spaces[pid]
        return SavedSpace(space.record, space)

    def described(self, pid: int) -> SavedSpace:
        """The same."""
        return self.open(pid)

    def folder(self, pid: int) -> Folder:
        """What was saved of its files."""
        return self._spaces[pid].folder

    def instead(self, pid: int, error: PagemapError) -> int | None:
        """Raise the error: none of them can end."""
        self.leave_out(pid, error)
        return None

    def leave_out(self, pid: int, error: PagemapError) -> None:  # noqa: ARG002 - of all alike
        """Raise the error."""
        raise error

    def read(self, look: Callable[[int], _T]) -> Iterator[tuple[int, _T]]:
        """The pid of each process, and what `look` gives of it."""
        for pid in self.pids:
            yield pid, look(pid)


def _tells_zeros(space: SavedSpace) -> bool:
    """Whether entries tell the huge page of zeros."""
    return space.can_find("huge") and space.can_find("pfnzero")


def _huge_zero(space: SavedSpace) -> list[tuple[int, int]]:
    """The frames of the huge page of zeros, by the first place where it is mapped."""
    query = Query(all_of=_ZERO_HUGE, any_of=0, none_of=0, returned=0)
    try:
        found, _ = scan(space.source, query, 0, space.end_page() << PAGE_SHIFT, 1)
    except OSError as error:
        if error.errno == EBADMSG:
            raise space.read_error(error) from None
        raise
    if not found:
        return []
    pfn = space.entry(found[0][0]).pfn or 0
    return [(pfn - pfn % _PMD_PAGES, _PMD_PAGES)]


def _sharers(about: Mapping[str, Any], among: Mapping[int, object]) -> dict[int, list[int]]:
    """Those that had the memory of one of these, as the file says."""
    said = about.get("sharers")
    if not isinstance(said, dict):
        return {}
    return {
        int(pid): others
        for pid, others in said.items()
        if pid.isascii()
        and pid.isdecimal()
        and len(pid) < 11
        and int(pid) in among
        and isinstance(others, list)
        and all(type(other) is int for other in others)
    }
