"""Words about frames, out of /proc/kpageflags and its like: sorted, read in bulk, put back."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, entries_of, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["NO_WORD", "Scratch", "WishPiece", "Wishes", "frames_end", "words_of"]

NO_WORD = 2**64 - 1
"""In a column of words: the kernel has none for this frame."""


def frames_end(fd: int) -> int:
    """The first PFN past those that a file of /proc/kpage* has a word for."""
    return checked(lib.pm_kpage_end(fd))


class Scratch:
    """What one thread needs to gather."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words = allocate("uint64_t[]", READ_BLOCK)


class Wishes:
    """PFNs, in any order, sorted once; columns of words are then gathered by pieces.

    `column()` makes a column to gather into, an item for each PFN, and `words_of` reads it.
    """

    __slots__ = ("_unread", "count", "size", "table")

    def __init__(self, pfns: memoryview) -> None:
        self.size = len(pfns)
        self.table = allocate("struct pm_wish[]", self.size)
        self._unread = allocate("uint64_t[]", self.size)
        spare = allocate("struct pm_wish[]", self.size)
        self.count: int = checked(
            lib.pm_kpage_sort(entries_of(pfns), self.size, self.table, spare, self._unread)
        )

    def column(self) -> Any:
        """A column for `gather`, in which PFNs that are none have their word already."""
        out = allocate("uint64_t[]", self.size)
        if self.count < self.size:
            ffi.memmove(out, self._unread, 8 * self.size)
        return out

    def pieces(self, fd: int, column: Any, size: int) -> Iterator[WishPiece]:
        """Gather from `fd` into `column`, in pieces of `size` wishes that threads may share."""
        for first in range(0, self.count, size):
            yield WishPiece(fd, self.table + first, min(size, self.count - first), column)


class WishPiece:
    """A stretch of sorted wishes, to be read in one step."""

    __slots__ = ("_column", "_fd", "_wishes", "work")

    done = True

    def __init__(self, fd: int, wishes: Any, count: int, column: Any) -> None:
        self._fd = fd
        self._wishes = wishes
        self._column = column
        self.work = count

    def run(self, scratch: Scratch) -> int:
        """Read; returns how many frames the kernel has a word for."""
        return checked(
            lib.pm_kpage_gather(self._fd, self._wishes, self.work, scratch.words, self._column)
        )


def words_of(column: Any) -> memoryview:
    """A gathered column, read-only, format Q."""
    return view_of(column, "Q").toreadonly()
