"""Pages counted by mapping and NUMA node, in C."""

from __future__ import annotations

from itertools import chain

from pagemap._core import ffi, lib
from pagemap._native import checked, entries_of, range_table_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NodeCounts"]


class NodeCounts:
    """How many pages of each mapping ``(vpn, count)`` lie in which column.

    `parts` are ranges of frames ``(start, end, column)`` in order, without overlaps; frames of none
    of them are in the last of all `columns`.
    """

    __slots__ = ("_counts", "_kept", "_table", "columns")

    def __init__(
        self,
        mappings: Sequence[tuple[int, int]],
        parts: Sequence[tuple[int, int, int]],
        columns: int,
    ) -> None:
        self.columns = columns
        self._counts = ffi.new("uint64_t[]", len(mappings) * columns)
        fields = {
            "parts": ffi.new("struct pm_node_part[]", list(parts)),
            "mappings": range_table_of(list(chain.from_iterable(mappings))),
            "counts": self._counts,
        }
        self._kept = fields  # for as long as the table points to them
        sizes = {
            "parts_count": len(parts),
            "mappings_count": len(mappings),
            "columns": columns,
        }
        self._table = ffi.new("struct pm_node_table *", {**fields, **sizes})

    def add(self, entries: memoryview, runs: Sequence[int]) -> None:
        """Count the entries of ``[vpn, count, vpn, count, ...]``."""
        if runs:
            checked(
                lib.pm_nodes(entries_of(entries), range_table_of(runs), len(runs) // 2, self._table)
            )

    def rows(self) -> list[list[int]]:
        """For each mapping the pages in each column."""
        counts: list[int] = ffi.unpack(self._counts, len(self._counts)) if len(self._counts) else []
        return [
            counts[at : at + self.columns] for at in range(0, len(counts), max(self.columns, 1))
        ]
