"""The directory /proc/PID of one process, held open so that it cannot become that of another.

A pid is only a number: it is reused, and exec puts another program behind it. All opens here go
through a descriptor of the folder, which fails with ESRCH once the process is gone. What state its
tasks are in, and which image they run, is found in C (`pagemap._native.identity`).
"""

from __future__ import annotations

import os
from errno import EBADF, EMFILE, ENFILE, ENOENT, ESRCH

from pagemap._errors import ClosedProcess, NoSuchProcess, PagemapError, TargetVanished
from pagemap._kernel.chosen_pid import Chosen
from pagemap._kernel.os_errors import from_os_error, no_proc
from pagemap._kernel.regular import open_told
from pagemap._kernel.whole_text import read_whole
from pagemap._native import identity
from pagemap._native.descriptors import CLOSED, Descriptor, Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ZOMBIE", "Folder"]

ZOMBIE = "is a zombie: it has ended, and its parent has not taken note; it has no memory to read"
"""Why there is nothing to read of what has ended, after ``process PID``."""

_ENDED = (b"Z", b"X")


class Folder(Holder):
    """/proc/PID by descriptor; `name` is the pid, a thread id, or "self", `pid` its number.

    That of an open process is `Process.folder`. `fd` is held; `path` is what it was opened by.

    Of a process whose main thread has ended, which has no memory of its own then, files are those
    of a thread that lives, once `find_living` was called, as `image` does: ``task/TID`` below this
    same folder, so that it is surely of this process.

    Raises NoSuchProcess, also where `pid` is of `find` and another process has it by now;
    AccessDenied; Unsupported where no proc file system is mounted. After `settle()` a process that
    is gone is TargetVanished: it was there when the caller began.
    """

    __slots__ = ("_copied", "_settled", "_within", "fd", "path", "pid")

    def __init__(self, pid: int, name: str, procfs: str) -> None:
        self.fd: int = CLOSED
        self.pid: int = int(pid)
        self.path: str = f"{procfs}/{name}"
        self._settled = False
        self._copied = procfs != "/proc"  # perhaps: then anything may lie in it
        self._within = ""  # where the files are: of the main thread, or of another one
        try:
            self.fd = Descriptor(os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            missing = no_proc(procfs) if error.errno == ENOENT else None
            raise missing or self.error(error, "open the folder") from None
        if isinstance(pid, Chosen):
            try:
                pid.confirm(self)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Give the descriptor back, once no other thread opens anything below it."""
        self.fd = CLOSED

    def settle(self) -> None:
        """Take the process as found: from now on it can vanish, but not be missing."""
        self._settled = True

    def inner(self, name: str) -> str:
        """Where below `fd` the file `name` is: of a living thread, after `find_living`."""
        return self._within + name

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """The number of the file `name`, open to be read, which the caller is to close.

        Raises OSError as the kernel gave it.
        """
        if self._copied:
            return open_told(self._within + name, flags, folder=self.fd)
        return os.open(self._within + name, flags | os.O_CLOEXEC, dir_fd=self.fd)

    def read(self, name: str, operation: str = "") -> bytes:
        """The text of the file `name`, all of it; `operation` is what the caller wants it for."""
        try:
            return self._read(read_whole, name)
        except OSError as error:
            raise self.error(error, operation or f"read {name}", name) from None

    def peek(self, name: str) -> bytes | None:
        """The same, or None where there is none to read.

        Raises PagemapError where this process may open no more files.
        """
        return self._read_if_any(read_whole, name)

    def head(self, name: str) -> bytes | None:
        """The same of the first 4096 bytes, for what may be as long as a process likes."""
        return self._read_if_any(_read_head, name)

    def _read_if_any(self, read: Callable[[int], bytes], name: str) -> bytes | None:
        try:
            return self._read(read, name)
        except OSError as error:
            if error.errno in (EMFILE, ENFILE):
                raise self.error(error, f"read {name}", name) from None
            return None

    def _read(self, read: Callable[[int], bytes], name: str) -> bytes:
        fd = self.open(name)
        try:
            return read(fd)
        finally:
            os.close(fd)

    def executable_path(self) -> bytes | None:
        """The path that the kernel tells of the file that is run; None where it is hidden."""
        try:
            return os.readlink(os.fsencode(f"{self._within}exe"), dir_fd=self.fd)
        except OSError:
            return None

    def open_executable(self) -> int:
        """An O_PATH descriptor of the file that is run, which the caller is to close.

        Raises OSError as the kernel gave it.
        """
        return os.open(f"{self._within}exe", os.O_PATH | os.O_CLOEXEC, dir_fd=self.fd)

    def start(self) -> int:
        """When the process began, in clock ticks since the boot; 0 where that is not told."""
        try:
            return identity.State(self.fd, 0).start
        except OSError:
            return 0

    def find_living(self) -> bool:
        """Go on with a thread that lives, where the one so far has ended; False where none is.

        Such a process (of pthread_exit in main) looks like a zombie. Its memory is there all the
        same, but the kernel shows it below a living thread alone.
        """
        found = identity.find_living(self.fd, self.thread)
        if found:
            self.follow(found)
        return found != 0

    def follow(self, thread: int) -> None:
        """Go on with the files of this thread; 0: those of the folder itself."""
        self._within = f"task/{thread}/" if thread else ""

    @property
    def thread(self) -> int:
        """The thread whose files are read, after `find_living`; 0: they are the folder's own."""
        return int(self._within.split("/")[1]) if self._within else 0

    @property
    def task(self) -> int:
        """The id of the thread whose files are read: the pid, but after `find_living`."""
        return self.thread or self.pid

    def has_ended(self) -> bool:
        """Whether the task has ended, and waits to be reaped, or is gone altogether."""
        return identity.has_ended(self.fd, self.thread)

    def is_gone(self) -> bool:
        """Whether no thread of it is left that lives: it has ended, or is about to."""
        try:
            self.is_kernel_thread()
        except (NoSuchProcess, TargetVanished):
            return not self.find_living()
        return False

    def state_of(self, thread: str) -> bytes:
        """The letter of the state of one of its threads; X of one that is gone."""
        try:
            return identity.State(self.fd, int(thread)).letter
        except OSError:
            return b"X"

    def image(self, otherwise: bytes | None = None) -> bytes:
        """What marks this run of exec; empty when the process has no memory, or is gone.

        The auxiliary vector holds addresses (of the vDSO, of random bytes on the stack) that the
        kernel draws anew for each exec. It can be read by whoever may read the pagemap; who may not
        any more, because rights were dropped or the target changed its user, gets `otherwise`.
        """
        before = self.thread
        try:
            found, thread = identity.image(self.fd, before)
        except OSError as error:
            if otherwise is not None and error.errno in identity.DENIED:
                return otherwise
            raise self.error(error, "read the page table", "auxv") from None
        if thread != before:
            self.follow(thread)
        return found

    def is_kernel_thread(self) -> bool:
        """Whether this task, found without memory, is a kernel's own.

        False for one that is between two images, in the midst of exec; raises NoSuchProcess for one
        that has ended.
        """
        state = self._state()
        if state.ending:
            raise self.ended(state.letter)
        return state.of_kernel

    def _state(self) -> identity.State:
        """The state of the task, which anybody may read."""
        try:
            return identity.State(self.fd, self.thread)
        except OSError as error:
            raise self.error(error, "read stat", "stat") from None

    def ended(self, letter: bytes) -> NoSuchProcess:
        """The error for a process that has ended, by the `letter` of its state."""
        why = ZOMBIE if letter in _ENDED else "is ending: it has no memory to read"
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
        if name != "stat" and error.errno in identity.DENIED:
            # A task without memory is not dumpable: the files of its folder are root's then.
            state = self._state()
            if state.ending:
                return self.vanished("exited") if self._settled else self.ended(state.letter)
        path = f"{self.path}/{self._within}{name}" if name else self.path
        return from_os_error(error, pid=self.pid, operation=operation, path=path)

    def another(self, meant: str) -> NoSuchProcess:
        """The error for a process that is not the one `meant`, but has its number now."""
        return NoSuchProcess(
            f"process {self.pid} is not the one {meant}: that one ended, or became another program,"
            " before it could be opened; try again",
            pid=self.pid,
            errno=ESRCH,
            operation="open",
        )

    def closed(self) -> ClosedProcess:
        """The error for a call that came after `close`, or that `close` overtook."""
        return ClosedProcess(f"this Process of {self.pid} is closed; open another", pid=self.pid)

    def vanished(self, how: str) -> TargetVanished:
        """The error for a process that `how` (exited, called exec) after it was opened."""
        return TargetVanished(
            f"process {self.pid} {how} before it was read to the end",
            pid=self.pid,
            errno=ESRCH,
            operation="read",
        )


def _read_head(fd: int) -> bytes:
    return os.read(fd, 4096)
