"""The files of a process that a kernel has with CONFIG_PROC_PAGE_MONITOR: smaps and clear_refs.

Where such a file is not there, either the kernel lacks it or the process is gone: its stat tells.
"""

from __future__ import annotations

import os
from errno import ENOENT

from pagemap._errors import Unsupported
from pagemap._kernel.maps_blocks import read_blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from pagemap._kernel.folder import Folder

__all__ = ["clear_refs", "open_monitored", "smaps_blocks"]


def open_monitored(folder: Folder, name: str, operation: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file of this process; `operation` is what errors say was tried.

    Raises Unsupported where the kernel has no such file, or what stands for another OSError.
    """
    try:
        return folder.open(name, flags)
    except OSError as error:
        if error.errno == ENOENT and folder.read("stat", operation):
            needed = "Linux 4.14, and " if name == "smaps_rollup" else ""
            needed += "CONFIG_PROC_PAGE_MONITOR"
            raise Unsupported(
                f"this kernel has no {folder.path}/{name}: it needs {needed}",
                pid=folder.pid,
                errno=ENOENT,
                operation=operation,
                path=f"{folder.path}/{name}",
            ) from None
        raise folder.error(error, operation, name) from None


def smaps_blocks(folder: Folder, operation: str) -> Generator[bytes, None, None]:
    """The text of smaps in blocks of whole lines. Raises as `open_monitored`."""
    fd = open_monitored(folder, "smaps", operation)
    try:
        yield from read_blocks(fd)
    except OSError as error:
        raise folder.error(error, operation, "smaps") from None
    finally:
        os.close(fd)


def clear_refs(folder: Folder, what: bytes, operation: str) -> None:
    """Write the number of what is to be cleared, as proc(5) has it. Raises as `open_monitored`."""
    fd = open_monitored(folder, "clear_refs", operation, os.O_WRONLY)
    try:
        os.write(fd, what)
    except OSError as error:
        raise folder.error(error, operation, "clear_refs") from None
    finally:
        os.close(fd)
