"""Rows of a list of pages, as C makes them, until they are columns of a table."""

from __future__ import annotations

import struct

from pagemap._core import ffi, lib
from pagemap._native import allocate, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # A column, and which of its cells are known: None for all.
    Column = tuple[memoryview, memoryview | None]

__all__ = ["ROW_BYTES", "Runs"]

_NUMBERS = ("place", "pfn", "swap_offset", "pages", "mapcount", "cgroup", "flags")
_KNOWN = {
    "pfn": "has_pfn",
    "swap_offset": "in_swap",
    "mapcount": "has_mapcount",
    "cgroup": "has_cgroup",
    "flags": "has_flags",
}
_ROW = struct.Struct("=7Q")
ROW_BYTES = _ROW.size


class Runs:
    """Rows of a list: what steps found, one after another, until they are taken as columns.

    Where they are joined, neighbours alike are one, also where one step ended and another began.
    """

    __slots__ = ("_join", "_part", "_rows")

    def __init__(self, *, join: bool) -> None:
        self._join = join
        self._part = 0  # where the last part begins
        self._rows = bytearray()

    def __len__(self) -> int:
        return len(self._rows) // ROW_BYTES

    def part(self) -> None:
        """Rows to come are of another place: none of them is joined with those that there are."""
        self._part = len(self._rows)

    def add(self, rows: bytes) -> None:
        """Put the rows of a step behind those that there are."""
        before = self._rows
        if self._join and len(before) > self._part and rows:
            place, pfn, swapped, pages, *alike = _ROW.unpack_from(before, len(before) - ROW_BYTES)
            row = _ROW.unpack_from(rows)
            if row[:3] == (place + pages, pfn + pages, swapped) and list(row[4:]) == alike:
                joined = _ROW.pack(place, pfn, swapped, pages + row[3], *alike)
                before[-ROW_BYTES:] = joined
                rows = rows[ROW_BYTES:]
        before += rows

    def take(self, count: int, unit: int) -> tuple[dict[str, Column], list[int]]:
        """The first `count` rows as columns, and the different flags that their numbers mean.

        `unit` is the bytes between two places, or 1.
        """
        taken = bytes(self._rows[: count * ROW_BYTES])
        del self._rows[: count * ROW_BYTES]
        self._part = max(self._part - count * ROW_BYTES, 0)
        made: dict[str, Any] = {name: allocate("uint64_t[]", count) for name in _NUMBERS}
        made["numbers"] = allocate("int32_t[]", count)
        made.update((name, allocate("uint8_t[]", count)) for name in _KNOWN.values())
        words = allocate("uint64_t[]", count)
        slots_count = 1 << count.bit_length()
        slots = ffi.new("uint32_t[]", slots_count)
        columns = ffi.new(
            "struct pm_types_columns *",
            {**made, "words": words, "slots": slots, "slots_count": slots_count},
        )
        table = ffi.from_buffer("struct pm_types_run[]", taken)
        lib.pm_types_split(table, count, unit, columns)
        views: dict[str, Column] = {
            name: (
                view_of(made[name], "q").toreadonly(),
                view_of(made[_KNOWN[name]], "?").toreadonly() if name in _KNOWN else None,
            )
            for name in _NUMBERS
        }
        views["numbers"] = view_of(made["numbers"], "i").toreadonly(), None
        return views, view_of(words, "Q")[: columns.words_count].tolist()
