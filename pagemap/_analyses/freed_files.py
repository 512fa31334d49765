"""Which files of memory end with a group of processes, and how much that is."""

from __future__ import annotations

import os
from contextlib import closing

from pagemap._errors import NoSuchProcess, PagemapError, TargetVanished
from pagemap._kernel.folder import Folder
from pagemap._kernel.unlinked import UnlinkedFiles, ipc_namespace, marked_segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pagemap._analyses.freed_groups import Ending
    from pagemap._kernel.unlinked import Unlinked
    from pagemap._space.every_process import EveryProcess

    Key = tuple[str, int, str]
    Find = Callable[[Folder], Iterator[Unlinked]]

__all__ = ["EndingFiles"]

_OTHERS = -1  # those that do not end


class EndingFiles:
    """The files without a name that one group alone holds: `keys`, and the bytes of each group.

    `shmem`, `swapped` and `hugetlb` are by the number of the group; `swapped` has None where that
    is not told.
    """

    def __init__(self, every: EveryProcess, ending: Ending) -> None:
        self._every = every
        self._files = UnlinkedFiles()
        self._holders: dict[Key, set[int]] = {}
        self._first: dict[Key, tuple[int, Unlinked]] = {}
        for number, group in enumerate(ending.groups):
            self._hold(number, group.spaces, group.members)
        if self._holders:  # else nobody else need be asked
            members = {pid for group in ending.groups for pid in group.members}
            others = [
                pid for first in ending.others for pid in (first, *every.sharers.get(first, ()))
            ]
            self._hold(_OTHERS, ending.others, [pid for pid in others if pid not in members])
        self.keys: set[Key] = set()
        self.shmem = [0] * len(ending.groups)
        self.hugetlb = [0] * len(ending.groups)
        self.swapped: list[int | None] = [0] * len(ending.groups)
        self._marked = marked_segments(every.procfs)
        self._namespace = _link(f"{every.procfs}/self/ns/ipc")
        for key, holders in self._holders.items():
            (number, *more) = holders
            if number != _OTHERS and not more and self._is_destroyed(key):
                self._add(number, key)

    def ends(self, device: str, inode: int, folder: Folder, *, segment: bool) -> bool:
        """Whether that of a mapping does; `segment`: it is one of System V."""
        return (device, inode, ipc_namespace(folder) if segment else "") in self.keys

    def _hold(self, number: int, spaces: Iterable[int], members: Iterable[int]) -> None:
        for pids, find in ((spaces, self._files.mapped), (members, self._files.opened)):
            for pid in pids:
                for file in self._of(pid, find, stays=number == _OTHERS):
                    self._holders.setdefault(file.key, set()).add(number)
                    self._first.setdefault(file.key, (pid, file))

    def _of(self, pid: int, find: Find, *, stays: bool) -> Iterator[Unlinked]:
        try:
            with closing(self._folder(pid)) as folder:
                try:
                    yield from find(folder)
                except OSError as error:
                    raise folder.error(error, "find its shared memory") from None
        except PagemapError as error:
            if not (
                stays and isinstance(error, (NoSuchProcess, TargetVanished))
            ):  # which holds nothing any more
                self._every.leave_out(pid, error)

    def _folder(self, pid: int) -> Folder:
        return Folder(self._every.meant(pid), str(pid), self._every.procfs)

    def _is_destroyed(self, key: Key) -> bool:
        """Whether the kernel ends it; of System V's segments only some, those of our namespace."""
        _, segment, namespace = key
        if not namespace:
            return True
        known = namespace == self._namespace
        return self._marked is None or (known and segment in self._marked)

    def _add(self, number: int, key: Key) -> None:
        pid, file = self._first[key]
        try:
            with closing(self._folder(pid)) as folder:
                amounts = self._files.amounts(folder, file)
        except PagemapError:
            return
        if amounts is None or amounts.links:
            return
        self.keys.add(key)
        if file.hugetlb:
            self.hugetlb[number] += amounts.resident
            return
        self.shmem[number] += amounts.resident
        before = self.swapped[number]
        known = before is not None and amounts.swapped is not None
        self.swapped[number] = (before or 0) + (amounts.swapped or 0) if known else None


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
