"""What a snapshot has of the frames: the words of /proc/kpageflags and kpagecount, by PFN.

They are put into files in memory, of which only the parts that were saved take any, so that whoever
reads the kernel's files can read these. Parts are groups of as many frames as a page has words for.
Where words were lost they are NO_WORD there, as of frames that the kernel has none for.
"""

from __future__ import annotations

import os
from array import array
from errno import EBADMSG, ENOENT

from pagemap._errors import PagemapError, Unsupported
from pagemap._kernel import meminfo
from pagemap._kernel.frames import FILES, NO_WORD, FrameReader
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Protocol

    class Saved(Protocol):
        """What a file has of the frames of a process (`pagemap._space.snapshot_file`)."""

        def frames(self) -> Iterator[tuple[int, bytes, bytes]]: ...
        def groups(self, count: int, shift: int) -> bytearray | None: ...


__all__ = ["MOST_END", "SavedFrameReader", "SavedFrames", "zeros_alone"]

_WORD = 8
_SHIFT = PAGE_SHIFT - 3  # of groups
MOST_END = 1 << 34
_SHARE = 16
"""Such a part of this machine's memory they may take: a file of kilobytes may unpack to more."""
_SAVED = ("kpageflags", "kpagecount")
_MOST_ZEROS = PAGE_SIZE // _WORD  # in a row: those of a huge page
_ZERO = next(1 << flag.bit for flag in PAGE_FLAGS if flag.name == "zero_page")


class SavedFrames:
    """Those of the processes `saved`; there are `end` frames.

    `path` is the snapshot. Where `end` is None it has none of them.
    """

    def __init__(self, end: object, saved: Sequence[Saved], path: str) -> None:
        self._end = end if type(end) is int and 0 < end <= MOST_END else 0
        self._saved = saved
        self.path = path
        self._files: dict[str, int] = {}
        self._left = 0  # bytes that words may take yet
        self._met: set[int] = set()  # groups that do

    def open(self, name: str) -> int:
        """A file as that below /proc; CLOSED where it was not saved. Raises PagemapError."""
        if not self._end or name not in _SAVED:
            return CLOSED
        if not self._files:
            self._files = self._made()
        return self._files[name]

    def _made(self) -> dict[str, int]:
        files = {name: Descriptor(os.memfd_create(name, os.MFD_CLOEXEC)) for name in _SAVED}
        self._left = max((meminfo.total() or 0) // _SHARE, 1 << 26)
        lost: list[int] = []
        for each in self._saved:
            marks = each.groups((self._end - 1 >> _SHIFT) + 1, _SHIFT)
            for first, *columns in each.frames():
                groups = self._put(files, first, columns)
                if marks is not None:
                    end = min(groups.stop, len(marks))
                    marks[groups.start : end] = bytes(end - groups.start)
            for group in _marked(marks or b""):
                self._meet(range(group, group + 1))
                lost.append(group)
        _forget(files, lost)
        for fd in files.values():
            os.ftruncate(fd, self._end * _WORD)
        return dict(files)

    def _put(self, files: Mapping[str, int], first: int, columns: list[bytes]) -> range:
        """Write the words of frames from `first` on; returns the groups that they are."""
        size, place = sum(map(len, columns)), first * _WORD
        if place % PAGE_SIZE or size % (2 * _WORD) or first >= self._end:
            raise self._damaged("frames at no place")
        groups = range(first >> _SHIFT, (place + len(columns[0]) - 1) // PAGE_SIZE + 1)
        again = any(group in self._met for group in groups)
        self._meet(groups)
        for fd, column in zip(files.values(), columns, strict=True):
            words = _with_known(column, os.pread(fd, len(column), place)) if again else column
            os.pwrite(fd, words, place)
        return groups

    def _meet(self, groups: range) -> None:
        """Take note of groups that take memory. Raises PagemapError where that is too much."""
        self._left -= 2 * PAGE_SIZE * sum(group not in self._met for group in groups)
        if self._left < 0:
            raise PagemapError(
                f"{printable(self.path)} has the words of more frames than this machine has "
                "memory for: read it on a larger one",
                path=self.path,
            )
        self._met.update(groups)

    def _damaged(self, what: str) -> PagemapError:
        return PagemapError(
            f"{printable(self.path)} is damaged: {what}", errno=EBADMSG, path=self.path
        )


def _marked(marks: bytes | bytearray) -> Iterator[int]:
    """The groups that are left."""
    at = marks.find(1)
    while at >= 0:
        yield at
        at = marks.find(1, at + 1)


def _forget(files: Mapping[str, int], groups: Iterable[int]) -> None:
    """Let nothing be known of frames in these groups that no process has words of."""
    flags, mapcounts = files.values()
    nothing = b"\xff" * PAGE_SIZE
    for group in groups:
        place = group * PAGE_SIZE
        words = array("Q", os.pread(flags, PAGE_SIZE, place).ljust(PAGE_SIZE, b"\0"))
        if not any(words):
            os.pwrite(flags, nothing, place)
            os.pwrite(mapcounts, nothing, place)
            continue
        counts = array("Q", os.pread(mapcounts, PAGE_SIZE, place).ljust(PAGE_SIZE, b"\0"))
        for number, word in enumerate(words):
            if not word:
                words[number] = counts[number] = NO_WORD
        os.pwrite(flags, words, place)
        os.pwrite(mapcounts, counts, place)


def _with_known(words: bytes, before: bytes) -> array[int]:
    """The words, where they are not 0, and else those of another process of the same frames."""
    old = array("Q", before.ljust(len(words), b"\0"))
    return array("Q", [new or known for new, known in zip(array("Q", words), old, strict=True)])


def zeros_alone(ranges: Iterable[tuple[int, int]], end: int) -> Descriptor:
    """A file as /proc/kpageflags where all that is known is which frames are those of zeros.

    Of `ranges`, ``(first, count)``, what is below `end` has that flag, and no other frame any.
    """
    fd = Descriptor(os.memfd_create("kpageflags", os.MFD_CLOEXEC))
    os.ftruncate(fd, end * _WORD)
    for first, count in ranges:
        some = min(count, _MOST_ZEROS, end - first)
        if some > 0:
            os.pwrite(fd, array("Q", [_ZERO]) * some, first * _WORD)
    return fd


class SavedFrameReader(FrameReader):
    """The files about frames that a snapshot has, in the place of the kernel's."""

    __slots__ = ("_frames", "_ksm_told")

    def __init__(self, frames: SavedFrames, purpose: str, *, ksm_told: bool | None = None) -> None:
        super().__init__(procfs="", purpose=purpose)
        self._frames = frames
        self._ksm_told = ksm_told

    def tells_ksm(self) -> bool | None:
        """What was found when it was taken."""
        return self._ksm_told

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
