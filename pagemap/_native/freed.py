"""The table from frames to the groups of processes that map them: its memory, and its sums."""

from __future__ import annotations

import mmap

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked
from pagemap._native.owners import VisitPiece
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

__all__ = [
    "ANON",
    "AREAS",
    "ELSEWHERE",
    "FILE",
    "HUGETLB",
    "OTHER",
    "SLOT",
    "Holders",
    "HoldingBuffer",
    "HoldingPiece",
    "Search",
]

ANON: int = lib.PM_HOLDING_ANON
FILE: int = lib.PM_HOLDING_FILE
OTHER: int = lib.PM_HOLDING_OTHER
HUGETLB: int = lib.PM_HOLDING_HUGETLB
SLOT: int = lib.PM_HOLDING_SLOT
ELSEWHERE: int = lib.PM_HOLDING_ELSEWHERE
"""What pages are, as enum pm_holding_kind."""

AREAS: int = lib.PM_FREED_AREAS
"""How many swap areas there may be."""

_HOLDINGS = 1 << 14
_TOUCHED: int = lib.PM_FREED_TOUCHED
_SETTLED_AT_ONCE = 1 << 22  # frames of the table that one call goes through


class Search:
    """What is looked for in all processes.

    `swap_kinds` has the kind of each swap type, `zero` the first small page of zeros and how many
    there are. `no_small_folios` says that no anonymous folio is smaller than what a PMD maps,
    `slots_alone` that only swap is looked for.
    """

    __slots__ = ("no_small_folios", "slots_alone", "swap_kinds", "zero")

    def __init__(
        self,
        swap_kinds: bytes,
        zero: tuple[int, int],
        *,
        no_small_folios: bool,
        slots_alone: bool = False,
    ) -> None:
        self.swap_kinds = swap_kinds
        self.zero = zero
        self.no_small_folios = no_small_folios
        self.slots_alone = slots_alone


class HoldingBuffer(Scratch):
    """What one thread needs to collect what a process holds."""

    __slots__ = ("out", "scratch")

    def __init__(self) -> None:
        super().__init__()
        self.scratch = allocate("uint64_t[]", READ_BLOCK)
        self.out = allocate("struct pm_holding[]", _HOLDINGS)


class HoldingPiece(VisitPiece):
    """A stretch of one process to collect from. The note of its `Seen` is the kind of each span."""

    __slots__ = ("_kept", "_search")

    def __init__(self, visit: Any, at: Any, to: Any, pages: int, search: Search) -> None:
        super().__init__(visit, at, to, pages)
        kinds = ffi.from_buffer("uint8_t[]", visit.tag.note)
        swap_kinds = ffi.from_buffer("uint8_t[]", search.swap_kinds)
        self._kept = kinds, swap_kinds
        first, count = search.zero
        self._search = ffi.new(
            "struct pm_holding_search *",
            {
                "kinds": kinds,
                "swap_kinds": swap_kinds,
                "zero_first": first,
                "zero_count": count,
                "no_small_folios": search.no_small_folios,
                "slots_alone": search.slots_alone,
            },
        )

    def run(self, buffer: HoldingBuffer) -> tuple[HoldingBuffer, int]:
        """Collect some more; the buffer, and how many holdings are in it."""
        try:
            stored = checked(
                lib.pm_freed_collect(
                    self.visit.table_for(buffer),
                    self._search,
                    self._at,
                    self._to,
                    buffer.scratch,
                    buffer.out,
                    _HOLDINGS,
                    self._seen,
                )
            )
        except OSError as error:
            self.error = error
            return buffer, 0
        self.work += self._seen[0]
        return buffer, stored


class Holders:
    """What each of `count` holders has, and of each frame of a window and slot who holds it.

    The window takes 8 bytes for each frame, a slot of the swap areas 4; the kernel gives what is
    touched of it. `areas` are the slots of the area of each swap type; a PMD maps 2^`pmd_order`
    pages.
    """

    def __init__(self, count: int, areas: Sequence[int], pmd_order: int) -> None:
        self._state = ffi.new("struct pm_freed *")
        self._holders = ffi.new("struct pm_holder[]", count)
        self._window: Any = None
        self._touched: Any = None
        self._state.holders = self._holders
        self._state.pmd_order = pmd_order
        total = 0
        for number, size in enumerate(areas):
            self._state.areas[number] = total
            total += size
        for number in range(len(areas), AREAS + 1):
            self._state.areas[number] = total
        self._slots = _zeros("uint32_t[]", 4 * total)
        self._slots_touched = _zeros("uint8_t[]", total // _TOUCHED + 1)
        self._state.slots = self._slots
        self._state.slots_touched = self._slots_touched

    def open_window(self, first: int, count: int, end: int) -> None:
        """Begin with the frames from PFN `first` on, which nobody holds yet.

        `end` is the first that the kernel tells nothing of.
        """
        state = self._state
        state.again = bool(first)
        self._window = self._touched = None
        self._window = _zeros("uint64_t[]", 8 * count)
        self._touched = _zeros("uint8_t[]", count // _TOUCHED + 1)
        state.table, state.touched = self._window, self._touched
        state.first, state.count, state.end = first, count, end

    def add(self, buffer: HoldingBuffer, count: int, holder: int, flags: int) -> None:
        """Let holder number `holder` have what was collected; `flags` is /proc/kpageflags.

        All of a holder is added before that of the next one. Raises OSError.
        """
        checked(lib.pm_freed_add(self._state, buffer.out, count, holder, flags))

    def settle(self, flags: int, counts: int) -> Iterator[int]:
        """Count what one holder alone has in the window; how many were looked at, some at a time.

        `flags` is /proc/kpageflags, `counts` /proc/kpagecount. Raises OSError, ENODATA where one of
        the files ends too early.
        """
        scratch = allocate("uint64_t[]", 4 * READ_BLOCK)
        for first in range(0, self._state.count, _SETTLED_AT_ONCE):
            end = min(first + _SETTLED_AT_ONCE, self._state.count)
            yield checked(lib.pm_freed_settle(self._state, flags, counts, first, end, scratch))

    def close(self) -> None:
        """Count the slots that one holder alone has, and give the memory of all tables back."""
        lib.pm_freed_slots(self._state)
        self._state.table = self._state.touched = ffi.NULL
        self._state.slots = self._state.slots_touched = ffi.NULL
        self._window = self._touched = self._slots = self._slots_touched = None

    @property
    def beyond(self) -> int:
        """Pages of frames, and slots, that the kernel tells nothing of."""
        return int(self._state.beyond)

    def slots(self, holder: int) -> int:
        """The slots of swap areas that a holder has, with others or alone."""
        return int(self._holders[holder].slots)

    def sums(self, holder: int) -> dict[str, list[int]]:
        """In pages: what it maps by kind, of these what comes back, and the same of slots.

        `unmapped` are frames of folios that come back, though nobody maps them.
        """
        sums = self._holders[holder]
        return {
            "mapped": [*map(int, sums.mapped), int(sums.slots)],
            "sole": [*map(int, sums.sole), int(sums.sole_slots)],
            "unmapped": [int(sums.unmapped)],
        }


def _zeros(kind: str, size: int) -> Any:
    # not ffi.new, which would write to it, and so have all of it
    return ffi.from_buffer(kind, mmap.mmap(-1, max(size, 8)), require_writable=True)
