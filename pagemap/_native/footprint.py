"""Footprints out of pagemap and the kernel's words about frames, a step at a time."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._native.scan import Spans

__all__ = ["HELD", "Chunks", "Room", "Walk", "count_pages"]

HELD = (
    "rss",
    "pss",
    "shared_clean",
    "shared_dirty",
    "private_clean",
    "private_dirty",
    "swap",
    "shared_hugetlb",
    "private_hugetlb",
)
"""The fields of a sum, in pages but for pss, which is in 2^-12 bytes."""


class Chunks:
    """How often and how long the target's lock was held at most."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table = ffi.new("struct pm_chunks *")

    @property
    def count(self) -> int:
        """The number of calls that may have held it."""
        return int(self.table.count)

    @property
    def longest(self) -> float:
        """The longest of them, in seconds."""
        return float(self.table.longest_ns / 1e9)

    @property
    def total(self) -> float:
        """All of them together, in seconds."""
        return float(self.table.total_ns / 1e9)


class Room:
    """What one walk needs at a time: 0.4 MB."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table = allocate("struct pm_footprint_room *")


class Walk:
    """A walk over `spans`; `pagemap`, `counts` and `flags` are descriptors."""

    __slots__ = ("_at", "_fds", "_job", "_spans", "_sums", "_to")

    def __init__(
        self,
        spans: Spans,
        pagemap: int,
        counts: int,
        flags: int,
        page_shift: int,
        *,
        use_scan: bool,
    ) -> None:
        self._spans = spans
        self._fds = pagemap, counts, flags  # held for as long as C may read from them
        self._sums = ffi.new("struct pm_footprint[]", spans.count)
        self._at = ffi.new("struct pm_place *")
        self._to = ffi.new("struct pm_place *", (spans.count, 0))
        self._job = ffi.new(
            "struct pm_footprint_job *",
            {
                "spans": spans.table,
                "pagemap": pagemap,
                "counts": counts,
                "flags": flags,
                "use_scan": use_scan,
                "page_shift": page_shift,
            },
        )

    @property
    def done(self) -> bool:
        """Whether all spans were walked."""
        return bool(self._at.span >= self._to.span)

    def step(self, room: Room, chunks: Chunks) -> int:
        """Walk on for a step; returns how many present and swapped pages it found."""
        return checked(
            lib.pm_footprint_step(
                self._job, self._at, self._to, room.table, self._sums, chunks.table
            )
        )

    def sums(self) -> list[tuple[int, ...]]:
        """What each span holds, in the order of HELD."""
        words = memoryview(ffi.buffer(self._sums)).cast("Q").tolist() if self._spans.count else []
        return list(zip(*(words[i :: len(HELD)] for i in range(len(HELD))), strict=True))


def count_pages(pages: Sequence[tuple[int, int, int]], page_shift: int) -> tuple[int, ...]:
    """What pages hold, each given by its entry and its words of kpagecount and kpageflags."""
    total = ffi.new("struct pm_footprint *")
    for entry, mapcount, flags in pages:
        lib.pm_footprint_page(entry, mapcount, flags, page_shift, total)
    return tuple(int(getattr(total, name)) for name in HELD)
