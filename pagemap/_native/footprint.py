"""Footprints from pagemap, kpagecount and kpageflags, one step at a time."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._native.scan import Spans

__all__ = ["HELD", "Chunks", "Room", "Walk"]

HELD = (
    "rss",
    "pss",
    "shared_clean",
    "shared_dirty",
    "private_clean",
    "private_dirty",
    "shared_untold",
    "private_untold",
    "anon",
    "shmem",
    "swap",
    "swap_untold",
    "shared_hugetlb",
    "private_hugetlb",
    "hugetlb_pss",
    "hugetlb_untold",
)
"""The fields of a sum, in pages but for pss and hugetlb_pss, which are in 2^-12 bytes."""


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
    """A walk over `spans`; `pagemap`, `counts` and `flags` are descriptors.

    `shared` has a 1 for each span of shared memory; `kinds` are of `pagemap._kernel.swap_types`.
    Each frame below `frames_end` has a word in both files; `came_back` says that some page of the
    machine may have come back from swap.
    """

    __slots__ = ("_at", "_fds", "_job", "_kept", "_spans", "_sums", "_to")

    def __init__(
        self,
        spans: Spans,
        pagemap: int,
        counts: int,
        flags: int,
        page_shift: int,
        *,
        use_scan: bool,
        frames_end: int,
        shared: bytes,
        kinds: bytes,
        came_back: bool,
    ) -> None:
        self._spans = spans
        self._fds = pagemap, counts, flags  # held for as long as C may read from them
        self._sums = ffi.new("struct pm_footprint[]", spans.count)
        self._at = ffi.new("struct pm_place *")
        self._to = ffi.new("struct pm_place *", (spans.count, 0))
        self._kept = [ffi.from_buffer("uint8_t[]", each) for each in (shared, kinds)]
        self._job = ffi.new(
            "struct pm_footprint_job *",
            {
                "source": spans.source(pagemap, page_shift, use_scan=use_scan),
                "counts": counts,
                "flags": flags,
                "frames_end": frames_end,
                "shared": self._kept[0],
                "kinds": self._kept[1],
                "came_back": came_back,
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
