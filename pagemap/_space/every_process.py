"""All processes, or some: each address space once, and which were left out, with reasons.

A process is one address space however many threads it has. Several processes may be one too, a
child of vfork and its parent, or what clone made with CLONE_VM: such memory is read once.
"""

from __future__ import annotations

import os
from contextlib import closing
from errno import ESRCH

from pagemap._errors import (
    AccessDenied,
    NoSuchProcess,
    PagemapError,
    PfnsHidden,
    TargetVanished,
    Unsupported,
    UsageError,
)
from pagemap._kernel import meminfo
from pagemap._kernel.folder import Folder
from pagemap._kernel.processes import pids
from pagemap._native.descriptors import Holder
from pagemap._space.left_out import (
    HAS_ENDED,
    KERNEL_THREAD,
    LeftOut,
    raise_for_want_of_files,
    reason_of,
)
from pagemap._space.live_space import LiveSpace
from pagemap._space.machine import Machine
from pagemap._space.shared_spaces import SharedSpaces
from pagemap._space.tree_space import TreeSpace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    _T = TypeVar("_T")
    _Space = TypeVar("_Space", LiveSpace, TreeSpace)

__all__ = ["EveryProcess"]

# What would befall one process as another: it is no reason to leave one out.
_OF_ALL = (Unsupported, PfnsHidden, UsageError)


class EveryProcess(Holder):
    """The processes `first`, then `others`: by default all that /proc shows.

    `pids` are those to read, one for each address space, and ``sharers[pid]`` the other processes
    with the memory of `pid`, as kcmp(2) told when this was made. Where `pid` ends before it was
    read, the next of them is read in its place, and stands for it in `pids`. Where kcmp cannot be
    used (`sharers_known` is False; it needs CONFIG_KCMP and may be forbidden) they are read apart,
    and counted again and again. `named` of the `pids`, at their beginning, are of `first`.

    Kernel threads have no memory, and zombies: among what /proc shows they do not count, nor do
    kernel threads among `others`. `left_out` are
    those that could not be read, `errors` the errors by pid; `names` the command names of those
    that were opened. `sees_all` is False where processes were looked for and there are others that
    /proc does not show: those of other PID namespaces than its own, or hidden ones.

    Raises NoSuchProcess when processes are to be looked for, and /proc shows none.
    """

    def __init__(
        self,
        first: Iterable[int] = (),
        *,
        others: Iterable[int] | None = None,
        procfs: str = "/proc",
    ) -> None:
        self.procfs = procfs
        self.errors: dict[int, PagemapError] = {}
        self.names: dict[int, str] = {}
        self.sharers: dict[int, list[int]] = {}
        self._left_out: dict[int, LeftOut] = {}
        self._instead_of: dict[int, tuple[int, PagemapError]] = {}
        self._twins = SharedSpaces(procfs=procfs)
        self._listed = others is not None  # by somebody who saw them
        self.sees_all = self._listed or self._sees_kernel_threads()
        given = dict.fromkeys(first)
        self.pids = [pid for pid in given if self._is_to_be_read(pid, named=True)]
        self.named = len(self.pids)
        rest = pids(procfs) if others is None else dict.fromkeys(others)
        for pid in rest:
            if pid not in given and self._is_to_be_read(pid, named=False):
                self.pids.append(pid)

    def _sees_kernel_threads(self) -> bool:
        """Whether /proc shows the initial PID namespace, which holds all others."""
        try:
            with closing(Folder(2, "2", self.procfs)) as folder:
                return folder.is_kernel_thread()
        except PagemapError:
            return False

    def _is_to_be_read(self, pid: int, *, named: bool) -> bool:
        """Whether the process has memory that was not met before; reading tells what is wrong."""
        image = b""
        try:
            image = self._twins.image(pid)
        except PagemapError as error:
            raise_for_want_of_files(error)
        if not image:
            return self._may_have_memory(pid, named=named)
        twin = self._twins.find(pid, image)
        if twin is not None:
            self.sharers.setdefault(twin, []).append(pid)
        return twin is None

    def _may_have_memory(self, pid: int, *, named: bool) -> bool:
        try:
            with closing(Folder(pid, str(pid), self.procfs)) as folder:
                if not folder.is_kernel_thread():
                    return True  # it forbids reading, or is in the midst of exec
        except PagemapError as error:
            raise_for_want_of_files(error)
            return named or self._listed or isinstance(error, AccessDenied)
        if named:
            self._left_out[pid] = LeftOut(int(pid), self._name_of(pid), KERNEL_THREAD)
        return False

    @property
    def sharers_known(self) -> bool:
        """Whether kcmp could tell who shares memory."""
        return self._twins.known

    @property
    def left_out(self) -> list[LeftOut]:
        """Those that were not read, or not to the end, in the order in which that was noted."""
        return list(self._left_out.values())

    def memory(self) -> int | None:
        """All memory of the machine, in bytes; None where that is not told."""
        return meminfo.total(procfs=self.procfs)

    def about(self) -> dict[str, object]:
        """What the `about` of a result says of the processes that it is of."""
        return {
            **({} if self.procfs == "/proc" else Machine(self.procfs).identity()),
            "left_out": [each._asdict() for each in self.left_out],
            "complete": self.sees_all and not self._left_out,
            "all_namespaces": self.sees_all,
            "sharers": {int(pid): list(map(int, each)) for pid, each in self.sharers.items()},
            "sharers_known": self.sharers_known,
        }

    def meant(self, pid: int) -> int:
        """The pid to open it by: no other process can have taken the number of a twin since."""
        return self._twins.meant.get(pid, pid)

    def open(self, pid: int) -> LiveSpace:
        """Its address space, for the caller to close."""
        return self._named(pid, LiveSpace(self.meant(pid), procfs=self.procfs))

    def described(self, pid: int) -> LiveSpace | TreeSpace:
        """The same; or, in a copy of /proc, what the kernel told of it."""
        if not self._is_copy(pid):
            return self.open(pid)
        return self._named(pid, TreeSpace(self.meant(pid), procfs=self.procfs))

    def _named(self, pid: int, space: _Space) -> _Space:
        try:
            self.names[pid] = space.name
        except BaseException:
            space.close()
            raise
        return space

    def _is_copy(self, pid: int) -> bool:
        """Whether `procfs` is a copy: page tables are files that nobody copies."""
        if self.procfs == "/proc":
            return False
        folder = f"{self.procfs}/{int(pid)}"
        return os.path.exists(f"{folder}/smaps") and not os.path.exists(f"{folder}/pagemap")

    def folder(self, pid: int) -> Folder:
        """Its folder in /proc, for the caller to close."""
        folder = Folder(self.meant(pid), str(pid), self.procfs)
        try:
            self.names[pid] = _comm(folder.read("comm"))
        except BaseException:
            folder.close()
            raise
        return folder

    def read(self, look: Callable[[int], _T]) -> Iterator[tuple[int, _T]]:
        """The pid of each process, and what `look` gives of it.

        `look` is given a pid, and opens it by `open` or `folder`. Raises what is no reason to leave
        out one process: Unsupported, PfnsHidden, UsageError, and too many open files.
        """
        for first in tuple(self.pids):
            pid: int | None = first
            while pid is not None:
                try:
                    found = look(pid)
                except PagemapError as error:
                    pid = self.instead(pid, error)
                else:
                    yield pid, found
                    break

    def instead(self, pid: int, error: PagemapError) -> int | None:
        """Another process to read in the place of `pid`, which ended and had the same memory.

        None where there is none: then `pid` is left out. Who shares its memory with short-lived
        processes is read that way.
        """
        if isinstance(error, HAS_ENDED):
            twins = self.sharers.pop(pid, [])
            if twins:
                twin = self.pids[self.pids.index(pid)] = twins.pop(0)
                if twins:
                    self.sharers[twin] = twins
                self._instead_of[twin] = self._instead_of.get(pid, (pid, error))
                return twin
            pid, error = self._instead_of.get(pid, (pid, error))
        self.leave_out(pid, error)
        return None

    def ended_since(self, pid: int) -> bool:
        """Whether `pid`, which was read, has ended since, with all that share its memory.

        Then it is left out: what was not asked of it by then, nobody knows any more.
        """
        if not all(map(self._is_gone, (pid, *self.sharers.get(pid, ())))):
            return False
        self.sharers.pop(pid, None)
        self.leave_out(pid, _vanished(pid))
        return True

    def _is_gone(self, pid: int) -> bool:
        try:
            with closing(Folder(self.meant(pid), str(pid), self.procfs)) as folder:
                return folder.is_gone()
        except HAS_ENDED:
            return True
        except PagemapError:
            return False

    def leave_out(self, pid: int, error: PagemapError) -> None:
        """Take note that `pid` could not be read, or not to its end; raise as `read` does."""
        raise_for_want_of_files(error)
        if isinstance(error, _OF_ALL):
            raise error
        if isinstance(error, NoSuchProcess):
            error = self._how_it_ended(pid, error)
        self.errors.setdefault(pid, error)
        if pid not in self._left_out:
            name = self.names.get(pid) or self._name_of(pid)
            self._left_out[pid] = LeftOut(int(pid), name, reason_of(error))

    def _how_it_ended(self, pid: int, error: PagemapError) -> PagemapError:
        """The error that tells a zombie from what is gone."""
        try:
            with closing(Folder(self.meant(pid), str(pid), self.procfs)) as folder:
                folder.is_kernel_thread()
        except PagemapError as more:
            return more
        return error

    def _name_of(self, pid: int) -> str | None:
        try:
            with closing(Folder(self.meant(pid), str(pid), self.procfs)) as folder:
                comm = folder.peek("comm")
        except PagemapError:
            return None
        return None if comm is None else _comm(comm)


def _vanished(pid: int) -> TargetVanished:
    return TargetVanished(
        f"process {pid} exited before it was read to the end",
        pid=pid,
        errno=ESRCH,
        operation="read",
    )


def _comm(data: bytes) -> str:
    return data.removesuffix(b"\n").decode("utf-8", "surrogateescape")
