"""Which processes share one address space: kcmp(2) tells, where their auxiliary vectors are equal.

A child of vfork shares that of its parent until it calls exec, and so does a process that clone
made with CLONE_VM. Sums over processes would otherwise count their memory once for each.
"""

from __future__ import annotations

from contextlib import closing
from errno import EPERM, ESRCH

from pagemap._errors import NoSuchProcess, PagemapError
from pagemap._kernel.chosen_pid import Chosen, same
from pagemap._kernel.folder import Folder
from pagemap._native.owners import BEFORE, SAME, compare_memory

TYPE_CHECKING = False

__all__ = ["SharedSpaces"]


class SharedSpaces:
    """The processes found so far; a new one is compared with those that may share its memory.

    `known` becomes False if kcmp cannot be used (it needs CONFIG_KCMP, may be forbidden, and knows
    only pids of our own /proc), or if a process can be read but not compared (which takes
    CAP_SYS_PTRACE, not CAP_PERFMON): shared address spaces are then counted separately. `meant` are
    the pids of processes that share theirs, by which to open them: opening fails if a pid belongs
    to another process by then.
    """

    def __init__(self, *, procfs: str = "/proc") -> None:
        self._works = procfs == "/proc"
        self._barred = False
        self.meant: dict[int, Chosen] = {}
        self._procfs = procfs
        self._tasks: dict[int, int] = {}  # the thread with the memory, where it is not the main one
        self._by_image: dict[bytes, list[int]] = {}

    @property
    def known(self) -> bool:
        """Whether all that share memory were told apart so far."""
        return self._works and not self._barred

    def image(self, pid: int) -> bytes:
        """The auxiliary vector: alike in a process and those that it forked.

        Empty for what has no memory. Raises AccessDenied.
        """
        try:
            with closing(Folder(pid, str(pid), self._procfs)) as folder:
                image = folder.image()
                if folder.task != pid:
                    self._tasks[pid] = folder.task
                return image
        except NoSuchProcess:
            return b""

    def find(self, pid: int, image: bytes) -> int | None:
        """One met before that has the same memory; else None, and this one is met from now on."""
        # those alike are kept in kcmp's order
        alike = self._by_image.setdefault(image, [])
        low, high = 0, len(alike)
        while low < high and self._works:
            middle = (low + high) // 2
            try:
                order = self._compare(pid, alike[middle])
                if order == SAME:
                    self._remember(alike[middle])
                    self._remember(pid)  # it is read where that one ends
                    order = self._compare(pid, alike[middle])  # so it was that one all the time
            except OSError as error:
                if error.errno not in (ESRCH, EPERM):
                    self._works = False
                elif self._is_lost(pid, error.errno):
                    return None
                elif error.errno == ESRCH or self._is_lost(alike[middle], EPERM):
                    del alike[middle]
                    high -= 1
                else:
                    self._works = False
                continue
            if order == SAME:
                return alike[middle]
            low, high = (low, middle) if order == BEFORE else (middle + 1, high)
        alike.insert(low, pid)
        return None

    def _compare(self, pid: int, other: int) -> int:
        return compare_memory(self._tasks.get(pid, pid), self._tasks.get(other, other))

    def _is_lost(self, pid: int, code: int) -> bool:
        """Whether it has ended; of EPERM, whether it may be compared to none, itself neither."""
        if code == ESRCH:
            return self._has_ended(pid)
        try:
            self._compare(pid, pid)
        except OSError as error:
            # it was read all the same, so it is kcmp that takes more rights than we have
            self._barred = self._barred or error.errno == EPERM
            return True
        return False

    def _has_ended(self, pid: int) -> bool:
        try:
            with closing(Folder(pid, str(pid), self._procfs)) as folder:
                return folder.has_ended() and not folder.find_living()
        except PagemapError:
            return True

    def _remember(self, pid: int) -> None:
        """Take note which process has this number, for when it is opened."""
        if pid in self.meant or isinstance(pid, Chosen):
            return
        try:
            with closing(Folder(pid, str(pid), self._procfs)) as folder:
                self.meant[pid] = same(pid, folder.start(), "that shares its memory with others")
        except PagemapError:
            return
