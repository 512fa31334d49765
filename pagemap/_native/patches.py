"""What changed in a live page table since it was saved, as blocks."""

from __future__ import annotations

from array import array

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, view_of
from pagemap._native.snapshot import BLOCK_WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._native.snapshot import SavedTable, Taking

__all__ = ["Patching"]

_PLACE = ffi.typeof("struct pm_place *")


class Patching:
    """One look at a page table, and at what `before` has of it; None: at nothing.

    `windows` are what an earlier look gave as its own, empty where `before` is None; afterwards
    those of this one. `ended` is the page where entries ended too early, if they did.
    """

    def __init__(self, taking: Taking, before: SavedTable | None, windows: array[int]) -> None:
        self._taking = taking
        self._reader = None if before is None else before.reader()
        self._before = windows
        self.windows: array[int] = array("Q")
        self.ended: int | None = None

    def steps(self) -> Iterator[tuple[memoryview, memoryview]]:
        """Blocks as bytes, and BLOCK_WORDS numbers for each, offsets from the first."""
        scratch = ffi.new("uint64_t[]", (lib.pm_patch_scratch() + 7) // 8)
        out = allocate("uint8_t[]", lib.PM_TAKE_BYTES)
        blocks = allocate("struct pm_saved_block[]", lib.PM_TAKE_BLOCKS)
        found = allocate("struct pm_window[]", lib.PM_PATCH_WINDOWS)
        stored, ended = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        done = ffi.new("uint32_t *")
        patch = ffi.new("struct pm_patch *")
        before = ffi.from_buffer("struct pm_window[]", self._before)
        patch.saved = self._reader or ffi.NULL
        patch.before, patch.before_count = before, len(self._before) // 2
        patch.windows = found
        at, to = ffi.new(_PLACE), ffi.new(_PLACE)
        to.span = self._taking.table.spans_count
        while not done[0]:
            size = checked(
                lib.pm_patch_step(
                    self._taking.table,
                    patch,
                    at,
                    to,
                    ffi.cast("uint8_t *", scratch),
                    out,
                    blocks,
                    stored,
                    ended,
                    done,
                )
            )
            self.windows.frombytes(view_of(found, "B")[: 16 * patch.windows_count])
            self.ended = int(ended[0]) or None
            yield view_of(out, "B")[:size], view_of(blocks, "Q")[: BLOCK_WORDS * stored[0]]
            if self.ended:
                return
