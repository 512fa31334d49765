"""The heaviest of many, as C finds them."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import view_of

__all__ = ["Heaviest"]


class Heaviest:
    """Room for the heaviest `most`."""

    __slots__ = ("count", "table")

    def __init__(self, most: int) -> None:
        self.table = ffi.new("struct pm_heavy[]", max(most, 1))
        self.count = ffi.new("uint64_t *")

    def items(self) -> list[tuple[int, int, int]]:
        """What was put: ``(weight, index, extra)``, from the heaviest on."""
        lib.pm_heaviest_sort(self.table, self.count[0])
        words = view_of(self.table, "Q")[: 3 * self.count[0]].tolist()
        return list(zip(words[::3], words[1::3], words[2::3], strict=True))
