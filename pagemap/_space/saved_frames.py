"""What a snapshot has of the frames: the words of /proc/kpageflags and kpagecount, by PFN.

They are put into files in memory, of which only the parts that were saved take any, so that whoever
reads the kernel's files can read these. Parts are groups of as many frames as a page has words for.
"""

from __future__ import annotations

import os
from errno import EBADMSG, ENOENT

from pagemap._errors import PagemapError, Unsupported
from pagemap._kernel import meminfo
from pagemap._kernel.frames import FILES, FrameReader
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Parts = Callable[[], Iterator[tuple[int, bytes, bytes]]]

__all__ = ["SavedFrameReader", "SavedFrames"]

_WORD = 8
_MOST_END = 1 << 34
_SHARE = 16
"""Such a part of this machine's memory they may take: a file of kilobytes may unpack to more."""
_SAVED = ("kpageflags", "kpagecount")


class SavedFrames:
    """`parts` gives the first frame of each, its flags and its map counts; there are `end` frames.

    `path` is the snapshot. Where `end` is None it has none of them.
    """

    def __init__(self, end: object, parts: Parts, path: str) -> None:
        self._end = end if type(end) is int and 0 < end <= _MOST_END else 0
        self._parts = parts
        self.path = path
        self._files: dict[str, int] = {}

    def open(self, name: str) -> int:
        """A file as that below /proc; CLOSED where it was not saved. Raises PagemapError."""
        if not self._end or name not in _SAVED:
            return CLOSED
        if not self._files:
            self._files = self._made()
        return self._files[name]

    def _made(self) -> dict[str, int]:
        files = {name: Descriptor(os.memfd_create(name, os.MFD_CLOEXEC)) for name in _SAVED}
        most = max((meminfo.total() or 0) // _SHARE, 1 << 26)
        for first, *columns in self._parts():
            size = sum(map(len, columns))
            most -= size
            if first * _WORD % PAGE_SIZE or size % (2 * _WORD) or first >= self._end:
                raise self._damaged("frames at no place")
            if most < 0:
                raise PagemapError(
                    f"{printable(self.path)} has the words of more frames than this machine has "
                    "memory for: read it on a larger one",
                    path=self.path,
                )
            for fd, column in zip(files.values(), columns, strict=True):
                os.pwrite(fd, column, first * _WORD)
        for fd in files.values():
            os.ftruncate(fd, self._end * _WORD)
        return dict(files)

    def _damaged(self, what: str) -> PagemapError:
        return PagemapError(
            f"{printable(self.path)} is damaged: {what}", errno=EBADMSG, path=self.path
        )


class SavedFrameReader(FrameReader):
    """The files about frames that a snapshot has, in the place of the kernel's."""

    __slots__ = ("_frames",)

    def __init__(self, frames: SavedFrames) -> None:
        super().__init__(procfs="")
        self._frames = frames

    def path(self, column: str) -> str:
        """The snapshot."""
        super().path(column)
        return self._frames.path

    def fileno(self, column: str) -> int:
        """The descriptor of a column. Raises Unsupported where it was not saved."""
        path = self.path(column)
        fd = self._frames.open(FILES[column])
        if fd == CLOSED:
            remedy = "" if column == "cgroups" else ": take it as root, with frames"
            raise Unsupported(
                f"{printable(path)} is a snapshot without the {column} of frames{remedy}",
                errno=ENOENT,
                operation=self._purpose,
                path=path,
            )
        return fd
