"""What a step that looks at the flags of frames needs, and what it finds."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["ALIKE", "BLOCK_PAGES", "COUNTS", "EACH", "HITS", "SHARES", "Block", "Blocks", "Found"]

COUNTS: int = lib.PM_TYPES_COUNTS
ALIKE: int = lib.PM_TYPES_ALIKE
EACH: int = lib.PM_TYPES_EACH
SHARES: int = lib.PM_TYPES_SHARES
HITS: int = lib.PM_TYPES_HITS
"""What a job is for: counts by flags, a list of pages alike in a row, or of each page. Of ranges of
files alone: how much of each is charged to which cgroup, or pages in frames that are sought."""

BLOCK_PAGES = 1 << 15
"""Pages of a step. The more, the more of their frames lie side by side; but memory new to us is
slow: its first touch takes 9 us a page on virtual machines."""


_FOUND = {
    COUNTS: ("types", "struct pm_type"),
    EACH: ("rows", "struct pm_types_run"),
    SHARES: ("shares", "struct pm_types_share"),
    HITS: ("hits", "struct pm_types_hit"),
}
"""The column of a block for what is found; of ALIKE it is that of EACH."""


class Blocks:
    """Blocks that threads take for a step, as many as there are steps at a time.

    What a step found is copied out of its block, so results may wait without one.
    """

    __slots__ = ("_cgroups", "_free", "_mapcounts", "_wanted")

    def __init__(self, wanted: int, *, mapcounts: bool, cgroups: bool) -> None:
        self._wanted, self._mapcounts, self._cgroups = wanted, mapcounts, cgroups
        self._free: list[Block] = []

    def found(self, call: Callable[[Any], int]) -> Found:
        """What a step finds, which is ``call(block)``."""
        try:
            block = self._free.pop()
        except IndexError:
            block = Block(self._wanted, mapcounts=self._mapcounts, cgroups=self._cgroups)
        checked(call(block))
        found = block.found(listed=self._wanted != COUNTS)
        self._free.append(block)
        return found


class Block(Scratch):
    """The columns of a step, and what it found."""

    __slots__ = ("_kept", "_listed", "table")

    def __init__(self, wanted: int, *, mapcounts: bool, cgroups: bool) -> None:
        super().__init__()
        size = BLOCK_PAGES
        columns: dict[str, Any] = {
            name: allocate("uint64_t[]", size) for name in ("entries", "flags")
        }
        # only a list tells PFNs; else they lie where the flags will, since each page untouched
        # before costs time
        columns["pfns"] = allocate("uint64_t[]", size) if wanted else columns["flags"]
        if mapcounts:
            columns["mapcounts"] = allocate("uint64_t[]", size)
        if cgroups:
            columns["cgroups"] = allocate("uint64_t[]", size)
        columns["runs"] = allocate("struct pm_range[]", size)
        columns["wishes"] = allocate("struct pm_wish[]", size)
        columns["spare"] = allocate("struct pm_wish[]", size)
        columns["scratch"] = allocate("uint64_t[]", READ_BLOCK)
        columns["slots"] = allocate("uint32_t[]", 2 * size)
        name, kind = _FOUND.get(wanted, _FOUND[EACH])
        columns[name] = allocate(f"{kind}[]", size)
        self._listed = columns[name], ffi.sizeof(kind)
        self._kept = columns  # the table holds bare pointers
        self.table = ffi.new(
            "struct pm_types_block *", {"capacity": size, "slots_count": 2 * size, **columns}
        )

    def found(self, *, listed: bool) -> Found:
        """What the last step found, copied out."""
        table = self.table
        looked, unknown = int(table.looked), (int(table.unknown), int(table.unknown_frames))
        if listed:
            rows, size = self._listed
            return Found((), ffi.buffer(rows)[: size * table.found], looked, unknown)
        words = view_of(self._kept["types"], "Q")[: 4 * table.found].tolist()
        types = zip(words[::4], words[1::4], words[2::4], strict=True)
        return Found(tuple(types), b"", looked, unknown)


class Found:
    """What a step found: `types`, ``(flags, pages, frames)`` each, or `rows` of a list, as in C.

    Of the pages `looked` at, `unknown` are those whose frames have no word, and these frames.
    """

    __slots__ = ("looked", "rows", "types", "unknown")

    def __init__(
        self,
        types: tuple[tuple[int, ...], ...],
        rows: bytes,
        looked: int,
        unknown: tuple[int, int],
    ) -> None:
        self.types = types
        self.rows = rows
        self.looked = looked
        self.unknown = unknown
