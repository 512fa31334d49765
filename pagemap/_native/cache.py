"""What is in the page cache, of many files: a call into C for the files of one folder."""

from __future__ import annotations

import os

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = [
    "CACHESTAT",
    "FIELDS",
    "MINCORE",
    "NO_PART",
    "PARTS",
    "RECORD",
    "UNTOLD",
    "CachedFiles",
    "column",
    "numbers",
]

UNTOLD: int = lib.PM_CACHE_UNTOLD
CACHESTAT: int = lib.PM_CACHE_CACHESTAT
MINCORE: int = lib.PM_CACHE_MINCORE
"""Who told, as enum pm_cache_told has it."""

PARTS: int = lib.PM_CACHE_PARTS
NO_PART: int = lib.PM_CACHE_NO_PART
"""How many parts of a file are looked at, each a byte of percents; and the byte of no part."""

FIELDS = (
    *("size", "device", "inode", "links"),
    *("cached", "dirty", "writeback", "evicted", "recently_evicted", "share"),
)
"""The words of struct pm_cache_file, in order; one more follows, of `error` and `told`."""

_WORDS = len(FIELDS) + 1
RECORD = 8 * _WORDS
"""The bytes of a file's."""

_HALVES = {"error": 2 * _WORDS - 2, "told": 2 * _WORDS - 1}


class CachedFiles:
    """What was found of the files of one call, in `records` of RECORD bytes each.

    With `in_parts`, `parts` has PARTS bytes of each; else it is empty.
    """

    def __init__(self, most: int, *, in_parts: bool = False) -> None:
        self._most = most
        self._files = allocate("struct pm_cache_file[]", most)
        self._bytes = memoryview(ffi.buffer(self._files))
        self._parts = allocate("uint8_t[]", most * PARTS) if in_parts else ffi.NULL
        self.records = self.parts = b""

    def _copy(self, count: int) -> None:
        self.records = self._bytes[: count * RECORD].tobytes()
        if self._parts != ffi.NULL:
            self.parts = ffi.buffer(self._parts)[: count * PARTS]

    def below(self, folder: int, names: Sequence[str]) -> None:
        """Look at the files of these names in a folder, no more than there is memory for."""
        assert len(names) <= self._most
        text = os.fsencode("\0".join(names)) + b"\0"
        call = lib.pm_cache_below
        checked(call(folder, text, len(names), PAGE_SHIFT, self._parts, self._files))
        self._copy(len(names))

    def of(self, fd: int, *, owned: bool) -> None:
        """Look at one open file; `owned` where it was opened with O_NOATIME."""
        checked(lib.pm_cache_of(fd, PAGE_SHIFT, owned, self._parts, self._files))
        self._copy(1)


def column(records: bytes | bytearray, name: str) -> memoryview[Any]:
    """The column of a field, of integers of 64 bits, or of floats: a copy."""
    words = memoryview(records).cast("Q")[FIELDS.index(name) :: _WORDS].tobytes()
    return memoryview(words).cast("d" if name == "share" else "q")


def numbers(records: bytes | bytearray, name: str) -> memoryview[int]:
    """The column `error`, or `told`, of integers of 32 bits: a copy."""
    return memoryview(memoryview(records).cast("i")[_HALVES[name] :: 2 * _WORDS].tobytes()).cast(
        "i"
    )
