"""Saving what the kernel says of the frames that a process has its pages in.

Groups of frames are saved, as many as a page has words for: a huge page lies in one. The walk
through the page table marks which ones. The words of what is of other processes are not kept.
"""

from __future__ import annotations

from pagemap._errors import PagemapError, PfnsHidden
from pagemap._kernel.frames import FrameReader
from pagemap._native.snapshot import FrameGroups
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._history.snapshot_writer import ProcessWriter
    from pagemap._space.live_space import LiveSpace

__all__ = ["FrameTaking"]

_AT_ONCE = max(1, (1 << 18) // PAGE_SIZE)  # groups of a chunk: half of what one may hold


class FrameTaking:
    """The taking of frames of one process: its page table is walked with `groups`, then `write`.

    Raises AccessDenied, Unsupported and PfnsHidden where there are none to be seen.
    """

    def __init__(self, process: LiveSpace) -> None:
        if not process.pfns_visible:
            raise PfnsHidden(
                f"cannot save the frames of process {process.pid}: {process.machine.why_hidden}",
                pid=process.pid,
                operation="save frames",
            )
        self._reader = FrameReader(procfs=process.procfs, purpose="save frames")
        self._fds = self._reader.fileno("flags"), self._reader.fileno("mapcounts")
        self._end = self._reader.end
        self._shift = PAGE_SHIFT - 3  # of a group
        self.groups = FrameGroups((self._end - 1 >> self._shift) + 1, self._shift)

    def write(self, writer: ProcessWriter) -> dict[str, object]:
        """Write the words of all groups that were met; returns the facts that go with them."""
        for first, count in self.groups.runs(_AT_ONCE):
            writer.frames(first << self._shift, self._words(first, count))
        return {"frames_end": self._end}

    def _words(self, first: int, count: int) -> list[bytearray]:
        try:
            return self.groups.read(first, count, self._fds)
        except OSError as error:
            raise PagemapError(
                f"cannot read about frames: {error.strerror}",
                errno=error.errno,
                operation="save frames",
            ) from None
