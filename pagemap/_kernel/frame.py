"""Frames as they were read: columns of words, and a small record of each, made when asked for."""

from __future__ import annotations

from pagemap._native import NO_PFN
from pagemap._native.frames import NO_WORD
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from pagemap._vocabulary.frame_flags import PageFlag

    _Word = TypeVar("_Word", bound=int)

__all__ = ["Frame", "Frames"]


class Frame(Record):
    """A frame of `FrameReader.read`, and what was asked of it; None for what is not known."""

    pfn: int | None = field("", "its number; None where it is hidden or there is none")
    flags: PageFlag | None = field("", "what it is, as the kernel flags it")
    mapcount: int | None = field("", "how often it is mapped")
    cgroup: int | None = field("", "inode number of the memory cgroup that it is charged to")


class Frames:
    """Frames as `FrameReader.read` was asked for them: a sequence of `Frame` over columns.

    `pfns`, and those of `flags`, `mapcounts` and `cgroups` that were asked for, are read-only
    memoryviews of format ``Q``; the others are None. All bits are set where the kernel gives no
    value. `cgroups` are inode numbers of directories of memory cgroups.
    """

    __slots__ = ("cgroups", "flags", "mapcounts", "pfns")

    def __init__(
        self,
        pfns: memoryview,
        *,
        flags: memoryview | None = None,
        mapcounts: memoryview | None = None,
        cgroups: memoryview | None = None,
    ) -> None:
        self.pfns: memoryview = pfns.toreadonly()
        self.flags: memoryview | None = flags
        self.mapcounts: memoryview | None = mapcounts
        self.cgroups: memoryview | None = cgroups

    def __len__(self) -> int:
        return len(self.pfns)

    def __getitem__(self, index: int) -> Frame:
        if index < 0:
            index += len(self.pfns)
        if not 0 <= index < len(self.pfns):
            raise IndexError(f"frame {index} of {len(self.pfns)}")
        return self._frame(index)

    def __iter__(self) -> Iterator[Frame]:
        return map(self._frame, range(len(self.pfns)))

    def _frame(self, index: int) -> Frame:
        from pagemap._vocabulary.frame_flags import PageFlag  # enum takes long to load

        pfn = self.pfns[index]
        return Frame(
            None if pfn == NO_PFN else pfn,
            _known(self.flags, index, PageFlag),
            _known(self.mapcounts, index, int),
            _known(self.cgroups, index, int),
        )

    def __repr__(self) -> str:
        return f"<Frames {len(self.pfns)}>"


def _known(column: memoryview | None, index: int, kind: Callable[[int], _Word]) -> _Word | None:
    if column is None or column[index] == NO_WORD:
        return None
    return kind(column[index])
