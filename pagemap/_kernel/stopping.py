"""A process that rests for a moment: SIGSTOP, and SIGCONT in any case.

Its parent is told of both, as always. Signals go through the process's open folder in /proc, which
never becomes that of another process (pidfd_send_signal(2) takes it, since Linux 5.1).
"""

from __future__ import annotations

import contextlib
import os
import signal
from errno import EACCES, EINVAL, EPERM, ETIMEDOUT
from time import monotonic, sleep

from pagemap._errors import AccessDenied, PagemapError, Unsupported
from pagemap._native import guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._kernel.folder import Folder

__all__ = ["stopped"]

_SECONDS = 2.0  # that a process may take to stop: its threads are in the kernel for that long
_AT_REST = (b"T", b"t", b"Z", b"X")  # stopped, stopped by a tracer, ended
_OPERATION = "stop it"


@contextlib.contextmanager
def stopped(folder: Folder) -> Iterator[None]:
    """Meanwhile all its threads rest. One that rests already is left as it is, also afterwards.

    Raises AccessDenied where it may not be stopped, Unsupported where a signal cannot reach it,
    PagemapError where it does not stop, TargetVanished.
    """
    if _rests(folder):
        yield
        return
    try:
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
    except OSError as error:
        raise folder.error(error, _OPERATION) from None
    try:
        child, held = guard.begin(fd)
        try:
            _signal(folder, fd, signal.SIGSTOP)
            _wait(folder)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGCONT)
            guard.end(child, held)
    finally:
        os.close(fd)


def _signal(folder: Folder, fd: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(fd, number)
    except OSError as error:
        if error.errno in (EPERM, EACCES):
            raise AccessDenied(
                f"cannot stop process {folder.pid} for a moment: permission denied; run as its "
                "user, or with sudo (CAP_KILL)",
                pid=folder.pid,
                errno=error.errno,
                operation=_OPERATION,
            ) from None
        if error.errno == EINVAL:
            raise Unsupported(
                f"cannot stop process {folder.pid}: it is of another PID namespace, which no "
                "signal reaches from here; run this in that namespace or outside of it",
                pid=folder.pid,
                errno=EINVAL,
                operation=_OPERATION,
            ) from None
        raise folder.error(error, _OPERATION) from None


def _wait(folder: Folder) -> None:
    end = monotonic() + _SECONDS
    while not _rests(folder):
        if monotonic() > end:
            raise PagemapError(
                f"process {folder.pid} did not stop within {_SECONDS:g} seconds: one of its "
                "threads waits in the kernel; try again",
                pid=folder.pid,
                errno=ETIMEDOUT,
                operation=_OPERATION,
            )
        sleep(0.0002)


def _rests(folder: Folder) -> bool:
    """Whether no thread of it runs. Raises TargetVanished."""
    if folder.has_ended():
        raise folder.vanished("exited")
    try:
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
        try:
            threads = os.listdir(tasks)
        finally:
            os.close(tasks)
    except OSError as error:
        raise folder.error(error, _OPERATION) from None
    return all(folder.state_of(thread) in _AT_REST for thread in threads)
