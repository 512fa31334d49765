"""A snapshot taken into a file that is there only when it is complete."""

from __future__ import annotations

import os
from stat import S_ISREG

from pagemap._errors import PagemapError
from pagemap._history.snapshot import take
from pagemap._kernel.new_file import NewFile
from pagemap._kernel.os_errors import kind_of_file_error
from pagemap._kernel.places import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pagemap._history.snapshot import Options

__all__ = ["take_file"]


def take_file(
    pids: Iterable[int], path: str, options: Options, *, procfs: str = "/proc"
) -> dict[str, Any]:
    """As `take`, into the file `path`, of mode 0600; an older one is replaced at the end.

    Raises PagemapError where it cannot be written; then, as after any error, it is as it was.
    """
    try:
        with find(path) as place:
            if place.mode and not S_ISREG(place.mode):
                raise PagemapError(f"cannot write {path}: it is not a regular file", path=path)
            new = NewFile(place)
            try:
                fd = new.create(place)
                try:
                    about = take(pids, _writer(fd), options, procfs=procfs)
                    os.close(os.dup(fd))  # a network file system may say now that its disk is full
                    new.put_into_place(fd)
                finally:
                    os.close(fd)
            finally:
                new.discard()
                new.close()
    except OSError as error:
        if isinstance(error, PagemapError):
            raise
        raise kind_of_file_error(error)(
            f"cannot write {path}: {error.strerror}",
            errno=error.errno,
            operation="write",
            path=path,
        ) from error
    return about


def _writer(fd: int) -> Callable[[bytes | memoryview], None]:
    def write(data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]

    return write
