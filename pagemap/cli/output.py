"""Where data goes: stdout or a file, without a buffer of Python's in between.

A dump is written in blocks of many rows already, so a buffered layer would only copy them once
more, and would try again at exit to write what a full disk or a closed pipe has refused.
"""

from __future__ import annotations

import os
import sys
from errno import EACCES, EBADF, EISDIR, EPERM
from stat import S_ISREG

from pagemap.errors import PagemapError, TargetVanished, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Output", "open_output"]

# Physical addresses help Rowhammer attacks, so nobody else may read them.
_MODE = 0o600

_DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}


def open_output(path: str | None = None) -> Output:
    """The open place for output that `path` names; stdout for None or ``-``.

    Devices, pipes and descriptors (/dev/stdout, /dev/fd/N) are written to as they are. A regular or
    new file comes into its place only when all is written. Raises PagemapError when it cannot be
    opened.
    """
    if path is None or path == "-":
        # A closed descriptor 1 is given to the next file opened: the target's pagemap, it may be.
        if sys.stdout is None:
            raise PagemapError("cannot write to standard output: it is closed", operation="write")
        return Output(1, "standard output")
    if not path:
        raise UsageError("the name of the output file is empty")
    try:
        descriptor = _descriptor(path)
        if descriptor is not None:
            return Output(descriptor, path)
        if _is_regular(path):
            return _Replacement(path)
        return _Direct(os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY), path)
    except OSError as error:
        raise _failure("open", path, error) from error


class Output:
    """An open descriptor that takes bytes, whole; a context manager that closes what it opened."""

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of `data`, a buffer of bytes, and return its length in bytes.

        Raises BrokenPipeError when nobody reads any more, PagemapError for every other failure.
        """
        size = done = len(data)
        try:
            try:
                done = os.write(self.fd, data)
            except BlockingIOError:
                done = 0
            if done < size:
                self._write_rest(memoryview(data)[done:])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _failure("write", self.name, error) from error
        return size

    def _write_rest(self, rest: memoryview) -> None:
        # Whoever shares a terminal or pipe with us may have made it non-blocking.
        from select import POLLOUT, poll

        waiter = poll()
        waiter.register(self.fd, POLLOUT)
        while rest:
            waiter.poll()
            try:
                rest = rest[os.write(self.fd, rest) :]
            except BlockingIOError:
                continue

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what was opened; nothing here."""


class _Direct(Output):
    """A device or fifo, opened by its name."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)


class _Replacement(Output):
    """A file that is written beside the one it replaces, and comes into its place at the end.

    Until then an older file stays as it is. It is kept when all went well and when the target
    vanished, for what was read stands; after any other end nothing is left of it.
    """

    def __init__(self, path: str) -> None:
        from pagemap.cli.interrupts import Interrupts  # signal costs more than most of the start

        self._place = os.path.realpath(path)
        # A rename would go over a file that may not be written to, as `>` would not.
        if os.path.exists(self._place) and not os.access(self._place, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
        # Not named after the file: with anything added, that could be too long for a name.
        beside = f".pagemap-{os.getpid()}-{os.urandom(4).hex()}"
        self._temporary = os.path.join(os.path.dirname(self._place), beside)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        # First, so that there is no moment in which a signal leaves the file behind.
        self._interrupts = Interrupts(self._discard)
        try:
            super().__init__(os.open(self._temporary, flags, _MODE), path)
        except BaseException as error:
            if not isinstance(error, FileExistsError):  # that one is not ours
                self._discard()
            self._interrupts.restore()
            if isinstance(error, FileNotFoundError) and os.path.exists(self._place):
                # As /proc does for /proc/self/comm, which is there itself.
                raise OSError(EPERM, "its directory takes no new file") from error
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        keep = kind is None or issubclass(kind, TargetVanished)
        try:
            # Before the rename: a network file system may tell only now that its disk is full.
            os.close(self.fd)
            if keep:
                # An interrupt that came to nothing, in a callback say, has taken the file away.
                self._interrupts.check()
                os.replace(self._temporary, self._place)
        except OSError as failure:
            if keep:
                raise _failure("write", self.name, failure) from failure
        finally:
            self._discard()
            self._interrupts.restore()

    def _discard(self) -> None:
        # When it is in its place already, nothing has this name.
        if os.path.lexists(self._temporary):
            os.unlink(self._temporary)


def _is_regular(path: str) -> bool:
    """Whether `path` names a regular file, or one that is yet to be made."""
    if path.endswith("/"):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    try:
        return S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True


def _descriptor(path: str) -> int | None:
    """The number of the open descriptor that `path` names, if it does.

    Opened by name, a file that the shell opened for appending would be written over from its start.
    """
    number = _DESCRIPTORS.get(path)
    if number is None:
        folder, _, name = path.rpartition("/")
        if folder not in ("/dev/fd", "/proc/self/fd") or not (name.isascii() and name.isdecimal()):
            return None
        # The kernel allows fewer (fs.nr_open), and os.fstat() of far more is an OverflowError.
        if len(name) > 9:
            raise OSError(EBADF, os.strerror(EBADF))
        number = int(name)
    os.fstat(number)
    return number


def _failure(operation: str, name: str, error: OSError) -> PagemapError:
    hint = ""
    if error.errno == EACCES and operation == "open":
        hint = " (both the file and its directory must be writable)"
    return PagemapError(
        f"cannot {operation} {name}: {error.strerror}{hint}",
        errno=error.errno,
        operation=operation,
        path=name,
    )
