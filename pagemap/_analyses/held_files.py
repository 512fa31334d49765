"""The files that processes have open or mapped, each once, and which processes these are."""

from __future__ import annotations

from contextlib import closing

from pagemap._errors import PagemapError
from pagemap._kernel.askable_mounts import AskableMounts
from pagemap._kernel.held_files import held_files
from pagemap._native.descriptors import Holder
from pagemap._space.every_process import EveryProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pagemap._kernel.held_files import Held

    Progress = Callable[[int, int], object]

__all__ = ["HeldFiles", "Holders"]


class Holders:
    """Who has a file: `pids` in order, `names` of these, and how often it is open and mapped."""

    __slots__ = ("descriptors", "mappings", "names", "pids")

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.names: dict[str, None] = {}
        self.descriptors = self.mappings = 0


class HeldFiles(Holder):
    """The files of all processes; `holders` has who has each, by device and inode."""

    def __init__(self, *, procfs: str = "/proc", progress: Progress | None = None) -> None:
        self._every = EveryProcess(procfs=procfs)
        self._progress = progress
        self._mounts = AskableMounts()
        self.holders: dict[tuple[int, int], Holders] = {}

    @property
    def processes(self) -> int:
        """How many there are, those included that could not be read."""
        return len(self._every.pids)

    def about(self) -> dict[str, object]:
        """What the `about` of a result says of the processes, and of files that were left out."""
        return {**self._every.about(), "unasked": len(self._mounts.unasked)}

    def __iter__(self) -> Iterator[Held]:
        """Each file when it is met first; it can be opened until the next one is asked for."""
        every = self._every
        for done, first in enumerate(tuple(every.pids), 1):
            for pid in (first, *every.sharers.get(first, ())):
                try:
                    yield from self._of(pid)
                except PagemapError as error:
                    every.leave_out(pid, error)
            if self._progress is not None:
                self._progress(done, len(every.pids))

    def _of(self, pid: int) -> Iterator[Held]:
        with closing(self._every.folder(pid)) as folder:
            folder.settle()
            name = self._every.names[pid]
            try:
                for held in held_files(folder, self._mounts):
                    holders = self.holders.get(held.identity)
                    new = holders is None
                    if holders is None:
                        holders = self.holders[held.identity] = Holders()
                    if pid not in holders.pids[-1:]:
                        holders.pids.append(int(pid))
                    holders.names[name] = None
                    if held.mapped:
                        holders.mappings += held.times
                    else:
                        holders.descriptors += 1
                    if new:
                        yield held
            except OSError as error:
                if isinstance(error, PagemapError):
                    raise
                raise folder.error(error, "list the open files") from None
