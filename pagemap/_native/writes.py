"""Written pages of ranges of addresses, found and protected anew in bulk."""

from __future__ import annotations

from array import array
from itertools import chain

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Writes"]

_CAPACITY = 1 << 13  # regions found in one call
_REGION: int = ffi.sizeof("struct pm_region")


class Writes:
    """Ranges ``(start, end)`` in bytes, in order, of the process whose pagemap is `fd`.

    `private_file` says of each whether it is private memory of a file; `never` are categories of
    pages that nobody wrote. Methods raise OSError.
    """

    __slots__ = ("_count", "_kept", "_table")

    def __init__(
        self, fd: int, ranges: Sequence[tuple[int, int]], private_file: bytes, never: int
    ) -> None:
        bounds = ffi.from_buffer("uint64_t[]", array("Q", chain.from_iterable(ranges)))
        files = ffi.from_buffer("uint8_t[]", private_file)
        self._kept = (bounds, files, fd)  # for as long as the table points to them
        self._count = len(ranges)
        self._table = ffi.new(
            "struct pm_writes *",
            {
                "bounds": bounds,
                "private_file": files,
                "count": self._count,
                "never": never,
                "fd": fd,
            },
        )

    def untracked(self) -> bytes:
        """For each range 1 where it has populated pages that nobody tracks, else 0."""
        found = allocate("uint8_t[]", self._count)
        checked(lib.pm_writes_untracked(self._table, found))
        return bytes(ffi.buffer(found))

    def protect(self) -> None:
        """Protect what is populated, of what is tracked."""
        checked(lib.pm_writes_protect(self._table))

    def peek(self) -> array[int]:
        """What was written: a start, an end and the number of its range for each region.

        It stays written.
        """
        return self._found(lib.PM_WRITES_PEEK)

    def collect(self) -> array[int]:
        """The same; written then means after this call, and nothing between is lost."""
        return self._found(lib.PM_WRITES_COLLECT)

    def populated(self) -> array[int]:
        """The same of all that is there, tracked or not, and may have been written."""
        return self._found(lib.PM_WRITES_POPULATED)

    def _found(self, step: int) -> array[int]:
        words = array("Q")
        place = ffi.new("struct pm_writes_place *")
        regions = allocate("struct pm_region[]", _CAPACITY)
        view = view_of(regions, "B")
        while place.range < self._count:
            found = checked(lib.pm_writes_next(self._table, step, place, regions, _CAPACITY))
            words.frombytes(view[: _REGION * found])
        return words
