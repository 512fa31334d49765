"""The files of a target that the kernel ties to its address space when they are opened."""

from __future__ import annotations

from errno import ENOENT, ESRCH

from pagemap._errors import NoSuchProcess, Unsupported
from pagemap._native import identity
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._native.threads import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pagemap._errors import PagemapError
    from pagemap._kernel.folder import Folder

__all__ = ["MapsFile", "error_of"]


def error_of(folder: Folder, failed: identity.Failed) -> PagemapError:
    """The error for a process whose files could not be opened, or asked what they are of."""
    folder.follow(failed.thread)
    if failed.step == identity.STEP_TRIES:
        return NoSuchProcess(
            f"process {folder.pid} calls exec again and again: its memory was gone at every try",
            pid=folder.pid,
            errno=ESRCH,
            operation="open",
        )
    if failed.step == identity.STEP_ENDED:
        return folder.ended(failed.letter)
    if failed.step == identity.STEP_STATE:
        return folder.error(failed, "read stat", "stat")
    if failed.step == identity.STEP_MAPS:
        return folder.error(failed, "read the mappings", "maps")
    if failed.step == identity.STEP_IMAGE:
        return folder.error(failed, "read the page table", "auxv")
    if failed.step == identity.STEP_PAGEMAP and failed.errno == ENOENT:
        return Unsupported(
            f"this kernel does not provide the page table of process {folder.pid}: "
            "it was built without CONFIG_PROC_PAGE_MONITOR",
            pid=folder.pid,
            errno=ENOENT,
            operation="read the page table",
            path=f"{folder.path}/pagemap",
        )
    return folder.error(failed, "read the page table", "pagemap")


class MapsFile:
    """The file of maps that was opened along with the pagemap.

    It serves one reader at a time; another one meanwhile opens a file of its own.
    """

    __slots__ = ("_fd", "_free")

    def __init__(self, fd: int) -> None:
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
