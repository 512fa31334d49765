"""Writes all bytes to an open descriptor, or raises an error that says why it cannot."""

from __future__ import annotations

import os
from errno import EACCES, ENOENT

from pagemap._kernel.os_errors import kind_of_file_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._errors import PagemapError

__all__ = ["Output", "failure"]


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
            raise failure("write", self.name, error) from error
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

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close what was opened; nothing here."""


def failure(operation: str, name: str, error: OSError) -> PagemapError:
    """What the system said when `operation` on the output was tried, as an error of ours."""
    hint = ""
    if operation == "open" and error.strerror == os.strerror(EACCES):
        hint = " (both the file and its directory must be writable)"
    elif operation == "open" and error.errno == ENOENT:
        hint = " (its directory must be there)"
    return kind_of_file_error(error)(
        f"cannot {operation} {name}: {error.strerror}{hint}",
        errno=error.errno,
        operation=operation,
        path=name,
    )
