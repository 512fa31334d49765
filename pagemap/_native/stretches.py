"""The frames of a process that others may map too, collected in stretches."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked
from pagemap._native.owners import VisitPiece
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["SharingPiece", "StretchBuffer"]

_STRETCHES = 1 << 14


class StretchBuffer(Scratch):
    """What one thread needs to collect the frames that may be shared.

    `exclusive` counts the pages that were left out, because one process alone maps them.
    """

    __slots__ = ("exclusive", "out", "scratch")

    def __init__(self) -> None:
        super().__init__()
        self.scratch = allocate("uint64_t[]", READ_BLOCK)
        self.out = allocate("struct pm_stretch[]", _STRETCHES)
        self.exclusive = ffi.new("uint64_t *")


class SharingPiece(VisitPiece):
    """A stretch of one process to collect frames from: those that others may map too."""

    __slots__ = ()

    def _exclusive(self, buffer: StretchBuffer) -> Any:
        """Where the pages that are left out are counted; a null pointer where none are to be."""
        buffer.exclusive[0] = 0
        return buffer.exclusive

    def run(self, buffer: StretchBuffer) -> tuple[StretchBuffer, int]:
        """Collect some more; the buffer, and how many stretches are in it."""
        try:
            stored = checked(
                lib.pm_sharing_collect(
                    self.visit.table_for(buffer),
                    self._at,
                    self._to,
                    buffer.scratch,
                    buffer.out,
                    _STRETCHES,
                    self._exclusive(buffer),
                    self._seen,
                )
            )
        except OSError as error:
            self.error = error
            return buffer, 0
        self.work += self._seen[0]
        return buffer, stored
