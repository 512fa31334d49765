"""Files of sysfs, debugfs and cgroups that take commands: small texts, written in one call.

Each call is checked, close() too: what a file makes of a text it may tell as late as that, and a
Python file object that is closed by `with` would tell it of the flush alone.
"""

from __future__ import annotations

import os
import time
from errno import EBUSY, EIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _T = TypeVar("_T")

__all__ = ["get", "patiently", "put"]

_MOST = 1 << 26  # bytes: more than the kernel has to say of 65,535 memory cgroups

_BUSY_SECONDS = 3.0


def get(path: str, *, most: int = _MOST) -> str:
    """The text of a file, without the newline at its end. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        pieces = []
        left = most
        while left > 0 and (piece := file.read(min(left, 1 << 16))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces).decode("utf-8", "surrogateescape").removesuffix("\n")


def put(path: str, text: str | int, *, close: Callable[[int], None] = os.close) -> None:
    """Write a text to a file that exists. Raises OSError, also for what close() says."""
    data = os.fsencode(str(text))
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        try:
            written = os.write(fd, data)
        except BaseException:
            os.close(fd)
            raise
        close(fd)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    if written != len(data):
        raise OSError(EIO, f"it took {written} of {len(data)} bytes", path)


def patiently(call: Callable[[], _T]) -> _T:
    """What a call gives, tried again for a while where a file is busy with somebody else."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return call()
        except OSError as error:
            if error.errno != EBUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)
