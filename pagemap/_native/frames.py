"""Values of frames from /proc/kpageflags and the like: sorted, read in bulk, put back in order."""

from __future__ import annotations

from errno import ERANGE

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, entries_of, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["NO_WORD", "Scratch", "WishPiece", "Wishes", "frames_end", "known", "words_of"]

PARTS: int = lib.PM_PARTS

NO_WORD = 2**64 - 1
"""In a column of words: the kernel has none for this frame."""


def frames_end(fd: int) -> int:
    """The first PFN past those that a file of /proc/kpage* has a word for."""
    return checked(lib.pm_kpage_end(fd))


def known(column: Any) -> None:
    """Take from a column of /proc/kpageflags the bits that mean nothing in their words."""
    lib.pm_kpage_known(column, len(column))


class Scratch:
    """What one thread needs to gather."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words = allocate("uint64_t[]", READ_BLOCK)


class Wishes:
    """PFNs, in any order, sorted once; columns of words are then gathered by pieces.

    `column()` makes a column to gather into, an item for each PFN, and `words_of` reads it.
    """

    __slots__ = ("_ends", "_unread", "count", "size", "spare", "table")

    def __init__(self, pfns: memoryview) -> None:
        self.size = len(pfns)
        self._unread = allocate("uint64_t[]", self.size)
        self._ends = ffi.new("uint64_t[]", PARTS)
        self.table = allocate("uint64_t[]", self.size)
        self.spare = allocate("uint64_t[]", self.size)
        wanted = entries_of(pfns)
        count = lib.pm_kpage_part(
            wanted, self.size, self.table, self.spare, self._ends, self._unread
        )
        if count == -ERANGE:
            self._ends = None
            self.spare = None
            self.table = allocate("struct pm_wish[]", self.size)
            spare = allocate("struct pm_wish[]", self.size)
            count = lib.pm_kpage_sort(wanted, self.size, self.table, spare, self._unread)
        self.count: int = checked(count)

    def column(self) -> Any:
        """A column for `gather`, in which PFNs that are none have their word already."""
        out = allocate("uint64_t[]", self.size)
        if self.count < self.size:
            ffi.memmove(out, self._unread, 8 * self.size)
        return out

    def pieces(self, fd: int, column: Any, size: int) -> Iterator[WishPiece]:
        """Gather from `fd` into `column`, in pieces of about `size` wishes, for threads to share.

        Each is to have ended before there are pieces of another column.
        """
        kind = WishPiece if self._ends is None else PartPiece
        ends = range(size, self.count + size, size) if self._ends is None else list(self._ends)
        first = 0
        for end in ends:
            last = min(end, self.count)
            if last - first >= size or (last == self.count and first < last):
                yield kind(self, fd, first, last - first, column)
                first = last


class WishPiece:
    """A stretch of sorted wishes, to be read in one step."""

    __slots__ = ("_column", "_fd", "_first", "_wishes", "work")

    done = True

    def __init__(self, wishes: Wishes, fd: int, first: int, count: int, column: Any) -> None:
        self._wishes = wishes
        self._fd = fd
        self._first = first
        self._column = column
        self.work = count

    def run(self, scratch: Scratch) -> int:
        """Read; returns how many frames the kernel has a word for."""
        table = self._wishes.table + self._first
        return checked(lib.pm_kpage_gather(self._fd, table, self.work, scratch.words, self._column))


class PartPiece(WishPiece):
    """Parts of wishes, to be sorted and read in one step."""

    __slots__ = ()

    def run(self, scratch: Scratch) -> int:
        """Sort and read; returns how many frames the kernel has a word for."""
        wishes = self._wishes
        return checked(
            lib.pm_kpage_gather_part(
                self._fd,
                wishes.table + self._first,
                self.work,
                wishes.size,
                wishes.spare + self._first,
                scratch.words,
                self._column,
            )
        )


def words_of(column: Any) -> memoryview:
    """A gathered column, read-only, format Q."""
    return view_of(column, "Q").toreadonly()
