"""Saving what the kernel says of the frames that a process has its pages in.

Groups of frames are saved, as many as a page has words for: a huge page lies in one. The walk
through the page table marks which ones. The words of what is of other processes are not kept.
"""

from __future__ import annotations

import os

from pagemap._errors import PagemapError, PfnsHidden
from pagemap._kernel.frames import FrameReader
from pagemap._native.snapshot import FrameGroups
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._history.snapshot_writer import ProcessWriter
    from pagemap._space.live_space import LiveSpace

__all__ = ["FrameTaking"]

_WORD = 8
_AT_ONCE = max(1, (1 << 18) // PAGE_SIZE)  # groups of a chunk: half of what one may hold
_COLUMNS = ("flags", "mapcounts")


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
        self._fds = [self._reader.fileno(column) for column in _COLUMNS]
        self._end = self._reader.end
        self._shift = PAGE_SHIFT - 3  # of a group
        self.groups = FrameGroups((self._end - 1 >> self._shift) + 1, self._shift)

    def write(self, writer: ProcessWriter) -> dict[str, object]:
        """Write the words of all groups that were met; returns the facts that go with them."""
        for first, count in self.groups.runs(_AT_ONCE):
            flags, mapcounts = (self._words(fd, first, count) for fd in self._fds)
            self.groups.keep(first << self._shift, flags, mapcounts)
            writer.frames(first << self._shift, [flags, mapcounts])
        return {"frames_end": self._end}

    def _words(self, fd: int, first: int, count: int) -> bytearray:
        size = count * _WORD << self._shift
        try:
            words = os.pread(fd, size, first * _WORD << self._shift)
        except OSError as error:
            raise PagemapError(
                f"cannot read about frames: {error.strerror}",
                errno=error.errno,
                operation="save frames",
            ) from None
        return bytearray(words.ljust(size, b"\0"))  # past the last frame
