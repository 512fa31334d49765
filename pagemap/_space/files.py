"""The files of a target that the kernel ties to its address space when they are opened."""

from __future__ import annotations

from errno import ENOENT, ESRCH

from pagemap._errors import Unsupported
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._native.threads import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pagemap._kernel.folder import Folder

__all__ = ["MapsFile", "open_maps", "open_pagemap"]


def open_pagemap(folder: Folder) -> int:
    """The page table; CLOSED for a task without memory. Raises what stands for an OSError."""
    try:
        return Descriptor(folder.open("pagemap"))
    except OSError as error:
        if error.errno == ENOENT and folder.read("stat"):
            raise Unsupported(
                f"this kernel does not provide the page table of process {folder.pid}: "
                "it was built without CONFIG_PROC_PAGE_MONITOR",
                pid=folder.pid,
                errno=ENOENT,
                operation="read the page table",
                path=f"{folder.path}/pagemap",
            ) from None
        # A task without memory: ESRCH from 6.16 on, before that a file that reads as empty.
        if error.errno != ESRCH:
            raise folder.error(error, "read the page table", "pagemap") from None
    return CLOSED


def open_maps(folder: Folder) -> MapsFile:
    """The mappings. Raises what stands for an OSError."""
    try:
        return MapsFile(Descriptor(folder.open("maps")))
    except OSError as error:
        raise folder.error(error, "read the mappings", "maps") from None


class MapsFile:
    """The file of maps that was opened along with the pagemap.

    It serves one reader at a time; another one meanwhile opens a file of its own.
    """

    __slots__ = ("_fd", "_free")

    def __init__(self, fd: Descriptor) -> None:
        self._fd: int = fd
        self._free = allocate_lock()

    def blocks(self, folder: Folder, check: Callable[[], None]) -> Generator[bytes, None, None]:
        """The text in blocks of whole lines. Raises OSError.

        `check` raises where what was opened just now may be of another address space.
        """
        from pagemap._kernel.maps_blocks import in_order, read_blocks, settled

        ours = self._free.acquire(blocking=False)
        fd: int = CLOSED
        try:
            if ours:
                fd = self._fd
            else:
                fd = Descriptor(folder.open("maps"))
                check()
            for block in in_order(read_blocks(fd)):
                yield settled(block, fd)
        finally:
            fd = CLOSED  # an error that somebody keeps would hold it else
            if ours:
                self._free.release()

    def close(self) -> None:
        """Let go of the file; who reads it holds it until the end."""
        self._fd = CLOSED
