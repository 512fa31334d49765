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

__all__ = ["CACHESTAT", "FIELDS", "MINCORE", "RECORD", "UNTOLD", "CachedFiles", "column", "numbers"]

UNTOLD: int = lib.PM_CACHE_UNTOLD
CACHESTAT: int = lib.PM_CACHE_CACHESTAT
MINCORE: int = lib.PM_CACHE_MINCORE
"""Who told, as enum pm_cache_told has it."""

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
    """What was found of the files of one call, in `records` of RECORD bytes each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._files = allocate("struct pm_cache_file[]", most)
        self._bytes = memoryview(ffi.buffer(self._files))
        self.records = b""

    def below(self, folder: int, names: Sequence[str]) -> None:
        """Look at the files of these names in a folder, no more than there is memory for."""
        assert len(names) <= self._most
        text = os.fsencode("\0".join(names)) + b"\0"
        checked(lib.pm_cache_below(folder, text, len(names), PAGE_SHIFT, self._files))
        self.records = self._bytes[: len(names) * RECORD].tobytes()

    def of(self, fd: int, *, owned: bool) -> None:
        """Look at one open file; `owned` where it was opened with O_NOATIME."""
        checked(lib.pm_cache_of(fd, PAGE_SHIFT, owned, self._files))
        self.records = self._bytes[:RECORD].tobytes()


def column(records: bytes | bytearray, name: str) -> memoryview[Any]:
    """The column of a field, of integers of 64 bits, or of floats: a copy."""
    words = memoryview(records).cast("Q")[FIELDS.index(name) :: _WORDS].tobytes()
    return memoryview(words).cast("d" if name == "share" else "q")


def numbers(records: bytes | bytearray, name: str) -> memoryview[int]:
    """The column `error`, or `told`, of integers of 32 bits: a copy."""
    return memoryview(memoryview(records).cast("i")[_HALVES[name] :: 2 * _WORDS].tobytes()).cast(
        "i"
    )
