"""The folder /proc/PID of one process, pinned so that it cannot become another's.

A pid is only a number: it is reused, and exec puts another program behind it. All opens here go
through a descriptor of the folder, which fails with ESRCH once the process is gone, and the image
that exec made is recognised by its auxv.
"""

from __future__ import annotations

import os
from errno import EACCES, EBADF, ENOENT, EPERM, ESRCH

from pagemap.descriptors import CLOSED, Descriptor, Holder
from pagemap.errors import (
    AccessDenied,
    ClosedProcess,
    NoSuchProcess,
    PagemapError,
    TargetVanished,
    from_os_error,
)
from pagemap.tasks import why_ended

__all__ = ["Folder"]

# In the flags of /proc/PID/stat; include/linux/sched.h.
_PF_EXITING = 0x00000004
_PF_KTHREAD = 0x00200000


class Folder(Holder):
    """/proc/PID by descriptor; `name` is the pid, a thread id, or "self", `pid` its number.

    Raises NoSuchProcess, AccessDenied. After `settle()` a process that is gone is TargetVanished:
    it was there when the caller began.
    """

    __slots__ = ("_settled", "fd", "path", "pid")

    def __init__(self, pid: int, name: str, procfs: str) -> None:
        self.fd: int = CLOSED
        self.pid = pid
        self.path = f"{procfs}/{name}"
        self._settled = False
        try:
            self.fd = Descriptor(os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise self.error(error, "open the folder") from None

    def close(self) -> None:
        """Give the descriptor back, once no other thread opens anything below it."""
        self.fd = CLOSED

    def settle(self) -> None:
        """Take the process as found: from now on it can vanish, but not be missing."""
        self._settled = True

    def open(self, name: str) -> int:
        """The number of the file `name`, open to be read, which the caller is to close.

        Raises OSError as the kernel gave it.
        """
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.fd)

    def read(self, name: str, operation: str = "") -> bytes:
        """The first 64 KiB of the file `name`; `operation` is what the caller wants it for."""
        try:
            fd = self.open(name)
            try:
                return os.read(fd, 1 << 16)
            finally:
                os.close(fd)
        except OSError as error:
            raise self.error(error, operation or f"read {name}", name) from None

    def image(self, otherwise: bytes | None = None) -> bytes:
        """What marks this run of exec; empty when the process has no memory, or is gone.

        The auxiliary vector holds addresses (of the vDSO, of random bytes on the stack) that the
        kernel draws anew for each exec. It can be read by whoever may read the pagemap; who may not
        any more, because rights were dropped or the target changed its user, gets `otherwise`.
        """
        try:
            return self.read("auxv", "read the page table")
        except (NoSuchProcess, TargetVanished):
            return b""
        except AccessDenied:
            if otherwise is None:
                raise
            return otherwise

    def is_kernel_thread(self) -> bool:
        """Whether this task, found without memory, is a kernel's own.

        False for one that is between two images, in the midst of exec; raises NoSuchProcess for one
        that has ended.
        """
        state, flags = self._state()
        if flags & _PF_EXITING or state in (b"Z", b"X"):
            raise self._ended(state)
        return bool(flags & _PF_KTHREAD)

    def _state(self) -> tuple[bytes, int]:
        """The letter of the task's state, and its flags, which anybody may read."""
        fields = self.read("stat").rpartition(b")")[2].split()
        return fields[0], int(fields[6])

    def _ended(self, state: bytes) -> NoSuchProcess:
        if state in (b"Z", b"X"):
            why = why_ended(self.path)
        else:
            why = "is ending: it has no memory to read"
        return NoSuchProcess(
            f"process {self.pid} {why}",
            pid=self.pid,
            errno=ESRCH,
            operation="open",
        )

    def error(self, error: OSError, operation: str, name: str = "") -> PagemapError:
        """The error that stands for `error` of this process."""
        if isinstance(error, PagemapError):
            return error
        if self.fd == CLOSED and error.errno == EBADF:
            return self.closed()
        if self._settled and error.errno in (ENOENT, ESRCH):
            return self.vanished("exited")
        if name != "stat" and error.errno in (EACCES, EPERM):
            # A task without memory is not dumpable: the files of its folder are root's then.
            state, flags = self._state()
            if flags & _PF_EXITING or state in (b"Z", b"X"):
                return self.vanished("exited") if self._settled else self._ended(state)
        path = f"{self.path}/{name}" if name else self.path
        return from_os_error(error, pid=self.pid, operation=operation, path=path)

    def closed(self) -> ClosedProcess:
        """The error for a call that came after `close`, or that `close` overtook."""
        return ClosedProcess(f"this Process of {self.pid} is closed; open another", pid=self.pid)

    def vanished(self, how: str) -> TargetVanished:
        """The error for a process that `how` (exited, called exec) after it was opened."""
        return TargetVanished(
            f"process {self.pid} {how} while it was read; what was read until then stands",
            pid=self.pid,
            errno=ESRCH,
            operation="read",
        )
