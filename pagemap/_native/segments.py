"""Pages joined to physically contiguous segments, in C."""

from __future__ import annotations

from array import array

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, entries_of, range_table_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COLUMNS", "Joiner"]

COLUMNS = ("start", "end", "size", "physical", "transfers")


class Joiner:
    """Joins the pages that it is given, in order of address; `columns` has what is complete."""

    __slots__ = ("_kept", "_open", "_page_shift", "_table", "columns")

    def __init__(self, page_shift: int, transfer: int | None, entries: int) -> None:
        self._page_shift = page_shift
        self._kept = {name: allocate("uint64_t[]", entries + 1) for name in COLUMNS}
        self._table = ffi.new(
            "struct pm_segment_columns *",
            {**self._kept, "capacity": entries + 1, "most": transfer or 0},
        )
        self._open = ffi.new("struct pm_joined *")
        self.columns = {name: array("Q") for name in COLUMNS}

    def __len__(self) -> int:
        return len(self.columns["start"])

    def add(self, entries: memoryview, runs: Sequence[int]) -> None:
        """The entries of ``[vpn, count, vpn, count, ...]``, at most as many as was said."""
        if runs:
            self._join(entries_of(entries), range_table_of(runs), len(runs) // 2)

    def close(self) -> None:
        """No page follows: the last segment is complete."""
        self._join(ffi.NULL, ffi.NULL, 0)

    def _join(self, entries: object, runs: object, count: int) -> None:
        rows = checked(
            lib.pm_segments(entries, runs, count, self._page_shift, self._open, self._table)
        )
        for name, column in self.columns.items():
            column.frombytes(ffi.buffer(self._kept[name], 8 * rows))

    def take(self) -> dict[str, array[int]]:
        """The columns, which are empty then."""
        columns, self.columns = self.columns, {name: array("Q") for name in COLUMNS}
        return columns
