"""Which group of processes maps each frame of the machine: claimed in C, process by process."""

from __future__ import annotations

import mmap

from pagemap._core import ffi, lib
from pagemap._native.stretches import SharingPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._native.stretches import StretchBuffer

__all__ = ["FIRST_GROUP", "NO_GROUP", "SEVERAL_GROUPS", "ClaimingPiece", "FrameGroups"]

NO_GROUP: int = lib.PM_MEMORY_NO_GROUP
SEVERAL_GROUPS: int = lib.PM_MEMORY_SEVERAL
FIRST_GROUP: int = lib.PM_MEMORY_FIRST_GROUP
"""The numbers of groups: of frames that none maps, that several do, and from which on they are."""


class ClaimingPiece(SharingPiece):
    """A stretch of one process to collect all its frames from."""

    __slots__ = ()

    def _exclusive(self, buffer: StretchBuffer) -> Any:  # noqa: ARG002 - as of a SharingPiece
        return ffi.NULL


class FrameGroups:
    """Which group maps each of `count` frames from `first` on: 4 bytes a frame, where one does."""

    def __init__(self, first: int, count: int) -> None:
        self._memory = mmap.mmap(-1, max(4 * count, 1))  # not ffi.new, which would write to it
        self.first, self.count = first, count
        self.table = ffi.from_buffer("uint32_t[]", self._memory, require_writable=True)

    def claim(self, buffer: StretchBuffer, count: int, group: int) -> None:
        """The frames that were collected are mapped by this group, of a number from FIRST_GROUP."""
        lib.pm_memory_claim(self.table, self.first, self.count, buffer.out, count, group)
