"""Written pages of ranges of addresses, found and protected anew in bulk."""

from __future__ import annotations

from array import array
from itertools import chain, compress

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    Found: TypeAlias = tuple[array[int], array[int], array[int], array[int]]

__all__ = ["Populated", "Writes"]

_CAPACITY = 1 << 13  # regions found in one call
_REGION: int = ffi.sizeof("struct pm_region")


class Writes:
    """Ranges ``(start, end)`` in bytes, in order, of the process whose pagemap is `fd`.

    `private_file` says of each whether it is private memory of a file, `shared` whether it is of
    shared memory; `files` has for each a number, the same as before where what was populated there
    is of this one, else 0; `never` are categories of pages that nobody wrote; `userfaultfd` tracks
    them. Methods raise OSError.
    """

    __slots__ = ("_count", "_kept", "_table", "files")

    def __init__(
        self,
        fd: int,
        ranges: Sequence[tuple[int, int]],
        private_file: bytes,
        shared: bytes,
        files: array[int],
        never: int,
        userfaultfd: int = -1,
    ) -> None:
        bounds = ffi.from_buffer("uint64_t[]", array("Q", chain.from_iterable(ranges)))
        private = ffi.from_buffer("uint8_t[]", private_file)
        of_shared = ffi.from_buffer("uint8_t[]", shared)
        numbers = ffi.from_buffer("uint64_t[]", files)
        # for as long as the table points to them
        self._kept = (bounds, private, of_shared, numbers, fd, userfaultfd)
        self._count = len(ranges)
        self.files = files
        self._table = ffi.new(
            "struct pm_writes *",
            {
                "bounds": bounds,
                "private_file": private,
                "shared": of_shared,
                "files": numbers,
                "count": self._count,
                "never": never,
                "fd": fd,
                "userfaultfd": userfaultfd,
            },
        )

    def untracked(self) -> bytes:
        """For each range 1 where nobody tracks it, else 0."""
        found = allocate("uint8_t[]", self._count)
        checked(lib.pm_writes_untracked(self._table, found))
        return bytes(ffi.buffer(found))

    def protect(self) -> None:
        """Protect what is populated, of what is tracked."""
        checked(lib.pm_writes_protect(self._table))

    def peek(self, before: Populated) -> Found:
        """What was written: a start, an end and the number of its range for each region.

        And the same of what was populated `before` of shared memory, and has left the page table;
        then of what has a guard now, of these; then of what got a mark, and was not populated. All
        stays written.
        """
        return self._round(lib.PM_WRITES_PEEK, before)

    def collect(self, before: Populated) -> Found:
        """The same; written then means after this call, and nothing between is lost."""
        return self._round(lib.PM_WRITES_COLLECT, before)

    def populated(self) -> array[int]:
        """The same of all that is there, tracked or not, and may have been written."""
        return self._regions(
            lambda *to: lib.pm_writes_next(self._table, lib.PM_WRITES_POPULATED, *to)
        )

    def kept(
        self, before: Populated, gone: array[int], written: array[int], most: int
    ) -> Populated:
        """What is populated now: at most so many regions, the first ones."""
        less, more = _Regions(gone), _Regions(written)
        capacity = min(before.count + less.count + more.count + self._count, most)
        out = allocate("struct pm_region[]", capacity)
        count = checked(
            lib.pm_writes_kept(self._table, before.table, less.table, more.table, out, capacity)
        )
        words = array("Q")
        words.frombytes(view_of(out, "B")[: _REGION * count])
        return Populated(words, self.files)

    def _round(self, step: int, before: Populated) -> Found:
        table, old, count = self._table, before.table, self._count
        found = self._regions(lambda *to: lib.pm_writes_round(table, old, step, *to))
        gone, marked = array("Q"), array("Q")
        if before.count and found and max(found[2::3]) >= count:
            found, gone, marked = (_of(found, count, times) for times in range(3))
        guarded = self._regions(lambda *to: lib.pm_writes_guarded(table, old, *to))
        return found, gone, guarded, marked

    def _regions(self, find: Callable[[Any, Any, int], int]) -> array[int]:
        words = array("Q")
        place = ffi.new("struct pm_writes_place *")
        regions = allocate("struct pm_region[]", _CAPACITY)
        view = view_of(regions, "B")
        while place.range < self._count:
            words.frombytes(view[: _REGION * checked(find(place, regions, _CAPACITY))])
        return words


def _of(words: array[int], count: int, times: int) -> array[int]:
    """Those of the regions to whose numbers `count` was added so many times, without that."""
    more = times * count
    wanted = [more <= number < more + count for number in words[2::3]]
    picked = array("Q", bytes(_REGION * sum(wanted)))
    for part in range(2):
        picked[part::3] = array("Q", compress(words[part::3], wanted))
    picked[2::3] = array("Q", [number - more for number in compress(words[2::3], wanted)])
    return picked


class _Regions:
    """Words as C takes them, for as long as this lives."""

    __slots__ = ("_words", "count", "table")

    def __init__(self, words: array[int]) -> None:
        self._words = ffi.from_buffer("struct pm_region[]", words)
        self.count: int = len(self._words)
        self.table: Any = ffi.new(
            "struct pm_regions *", {"regions": self._words, "count": self.count}
        )


class Populated:
    """Regions by the numbers of ranges, and the `files` that these had then."""

    __slots__ = ("_files", "_found", "count", "table", "words")

    def __init__(self, words: array[int], files: array[int]) -> None:
        self.words = words
        self._found = _Regions(words)
        self._files = ffi.from_buffer("uint64_t[]", files)
        self.count = self._found.count
        self.table: Any = ffi.new(
            "struct pm_writes_before *", {"found": self._found.table[0], "files": self._files}
        )
