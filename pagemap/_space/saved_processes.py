"""Some or all processes of a snapshot, in the place of `EveryProcess`."""

from __future__ import annotations

from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from pagemap._errors import PagemapError
    from pagemap._kernel.folder import Folder
    from pagemap._space.every_process import LeftOut
    from pagemap._space.saved_space import SavedSpace

    _T = TypeVar("_T")

__all__ = ["SavedProcesses"]


class SavedProcesses:
    """The processes `spaces`, all of one moment of one snapshot, which says `about` of them all.

    None of them can end: whatever is wrong with one is an error of all.
    """

    def __init__(self, spaces: Sequence[SavedSpace], about: Mapping[str, Any]) -> None:
        self._spaces = {space.pid: space for space in spaces}
        self._about = about
        self.pids = list(self._spaces)
        self.names = {space.pid: space.name for space in spaces}
        self.errors: dict[int, PagemapError] = {}
        self.left_out: list[LeftOut] = []
        self.sharers_known: bool = about.get("sharers_known") is True
        self.sharers = _sharers(about, self._spaces)

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
            "pids": self.pids,
            "left_out": [],
            "complete": self._about.get("complete") is True,
            "all_namespaces": True,
            "sharers": self.sharers,
            "sharers_known": self.sharers_known,
        }

    def open(self, pid: int) -> SavedSpace:
        """Its address space."""
        return self._spaces[pid]

    def folder(self, pid: int) -> Folder:
        """What was saved of its files."""
        return self._spaces[pid].folder

    def read(self, look: Callable[[int], _T]) -> Iterator[tuple[int, _T]]:
        """The pid of each process, and what `look` gives of it."""
        for pid in self.pids:
            yield pid, look(pid)


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
