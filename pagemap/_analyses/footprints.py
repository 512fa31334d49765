"""All processes, or those of a cgroup, one after another, whatever happens to them meanwhile.

A process that ends or forbids reading is noted and passed over. Totals cost one open and one read
of smaps_rollup each, below a descriptor of the process's folder, so that a pid that is reused
midway never lends its name to another's numbers.
"""

from __future__ import annotations

from pagemap._analyses.footprint import footprint, footprints, read_sums
from pagemap._errors import (
    AccessDenied,
    NoSuchProcess,
    PagemapError,
    TargetVanished,
)
from pagemap._kernel.folder import Folder
from pagemap._native.descriptors import Holder
from pagemap._space.address_space import AddressSpace
from pagemap._space.twins import Twins
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from pagemap._analyses.gentle import Gentle
    from pagemap._kernel.smaps import Footprint
    from pagemap._vocabulary.rows.mapping import Mapping

    _T = TypeVar("_T")

__all__ = ["Passed", "Survey"]


class Passed(Record):
    """A process that was passed over."""

    pid: int = field("", "the process")
    name: str | None = field("", "its command name; None where it could not be read either")
    error: PagemapError = field("", "why it was passed over")


class Survey(Holder):
    """Footprints of many processes; `passed` are those that were passed over, and why.

    Kernel threads have no memory, and no row: `kernel_threads` are their pids. A process whose main
    thread has ended is read through one that lives. With `gentle` each is walked in small chunks.

    An address space that several processes have (vfork, CLONE_VM) is read once, under the first of
    them: ``twins.sharers[pid]`` are the others. Where `twins.known` is False that is not told, and
    each of them has it.
    """

    def __init__(
        self, pids: Iterable[int], *, gentle: Gentle | None = None, procfs: str = "/proc"
    ) -> None:
        self._pids = pids
        self._gentle = gentle
        self._procfs = procfs
        self.twins = Twins(procfs=procfs)
        self._seen: list[str] = []  # the name of the process that is being read
        self.passed: list[Passed] = []
        self.kernel_threads: list[int] = []

    def totals(self) -> Iterator[tuple[int, str, Footprint]]:
        """The pid of each process, its command name, and what it takes."""
        read = self._sums if self._gentle is None else self._walked
        for pid in self.twins.each(self._pids):
            found = self._try(pid, read)
            if found:
                yield pid, *found

    def mappings(self) -> Iterator[tuple[int, str, list[tuple[Mapping, Footprint]]]]:
        """The pid of each process, its command name, and its mappings with what they take."""
        for pid in self.twins.each(self._pids):
            found = self._try(pid, self._listed)
            if found:
                yield pid, *found

    def _try(self, pid: int, read: Callable[[int], tuple[str, _T] | None]) -> tuple[str, _T] | None:
        """What `read` gives of the process."""
        self._seen.clear()
        try:
            return read(pid)
        except (NoSuchProcess, TargetVanished, AccessDenied) as error:
            failure: PagemapError = error
        try:
            if self._is_kernel_thread(pid):  # who is not root is denied what there is not
                self.kernel_threads.append(pid)
                return None
        except PagemapError as error:  # it says how it ended
            failure = failure if isinstance(failure, TargetVanished) else error
        name = self._seen[-1] if self._seen else self._name_of(pid)
        self.passed.append(Passed(pid, name, failure))
        return None

    def _is_kernel_thread(self, pid: int) -> bool:
        folder = Folder(pid, str(pid), self._procfs)
        try:
            return folder.is_kernel_thread()
        finally:
            folder.close()

    def _name_of(self, pid: int) -> str | None:
        try:
            with open(f"{self._procfs}/{pid}/comm", "rb") as file:
                return _comm(file.read())
        except OSError:
            return None

    def _sums(self, pid: int) -> tuple[str, Footprint]:
        folder = Folder(pid, str(pid), self._procfs)
        try:
            self._seen.append(_comm(folder.read("comm")))
            return self._seen[-1], read_sums(folder)
        finally:
            folder.close()

    def _walked(self, pid: int) -> tuple[str, Footprint] | None:
        with AddressSpace(pid, procfs=self._procfs) as process:
            self._seen.append(process.name)
            if process.kernel_thread:
                self.kernel_threads.append(pid)
                return None
            return self._seen[-1], footprint(process, self._gentle)

    def _listed(self, pid: int) -> tuple[str, list[tuple[Mapping, Footprint]]] | None:
        with AddressSpace(pid, procfs=self._procfs) as process:
            self._seen.append(process.name)
            if process.kernel_thread:
                self.kernel_threads.append(pid)
                return None
            return self._seen[-1], list(footprints(process, self._gentle))


def _comm(data: bytes) -> str:
    return data.removesuffix(b"\n").decode("utf-8", "surrogateescape")
