"""Transparent huge pages of whole mappings, counted in C."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, view_of
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._native.scan import Spans
    from pagemap._native.source import Source

__all__ = [
    "COUNTS",
    "KINDS",
    "ORDERS",
    "WORDS",
    "HugeBuffer",
    "HugePiece",
    "HugeSums",
    "pieces",
    "place",
]

ORDERS: int = lib.PM_HUGE_ORDERS
COUNTS = ("present", "anonymous", "zero", "hugetlb", "thp", "unknown")
KINDS = ("pmd", "partial", "aligned", "unaligned", "cont")
WORDS = len(COUNTS) + 2 * (2 + 3 * ORDERS)
"""How many counts there are of a mapping: COUNTS, and KINDS of anonymous pages and of others."""

_BY_SIZE = KINDS[2:]


def place(kind: str, what: str, order: int = 0) -> int:
    """Which of the counts of a mapping this one is; `kind` is anon or file, `what` of KINDS."""
    first = len(COUNTS) + ("anon", "file").index(kind) * (2 + 3 * ORDERS)
    if what not in _BY_SIZE:
        return first + KINDS.index(what)
    return first + 2 + _BY_SIZE.index(what) * ORDERS + order


assert ffi.sizeof("struct pm_huge") == 8 * WORDS


class HugeBuffer(Scratch):
    """What one thread needs to count."""

    __slots__ = ("_keep", "table")

    def __init__(self) -> None:
        super().__init__()
        size: int = lib.PM_HUGE_BATCH
        parts = {name: allocate("uint64_t[]", size) for name in ("entries", "words", "pfns")}
        parts |= {name: allocate("struct pm_wish[]", size) for name in ("wishes", "spare")}
        parts["runs"] = allocate("struct pm_range[]", lib.PM_HUGE_RUNS)
        self._keep = parts
        self.table = ffi.new("struct pm_huge_scratch *", parts)


def pieces(
    spans: Spans,
    source: Source,
    flags_fd: int,
    page_shift: int,
    *,
    use_scan: bool,
    pmd_order: int,
    anon_order: int,
    shared: bytes,
    hugetlb: bytes | None,
    zeros: tuple[int, int],
    conts: int,
    frames_end: int,
    lossy: bool,
    pages: int,
) -> Iterator[HugePiece]:
    """Pieces of `pages` pages each, to count; `conts` has a bit for each order of blocks.

    `anon_order` is the least order of anonymous folios; 0: not known. `shared` has a 1 for each
    span of shared memory, `hugetlb` for each of hugetlb (None: there is none). `zeros` are the
    first of the small pages of zeros, and their number. Each frame below `frames_end` has a word in
    the file of flags, unless that is `lossy`.
    """
    kept = ffi.from_buffer("uint8_t[]", shared)
    marks = ffi.NULL if hugetlb is None else ffi.from_buffer("uint8_t[]", hugetlb)
    job = ffi.new(
        "struct pm_huge_job *",
        {
            "source": spans.source(source, page_shift, use_scan=use_scan),
            "flags_fd": flags_fd,
            "pmd_order": pmd_order,
            "anon_order": anon_order,
            "shared": kept,
            "hugetlb": marks,
            "zero_pfn": zeros[0],
            "zero_count": zeros[1],
            "conts": conts,
            "frames_end": frames_end,
            "lossy": lossy,
        },
    )
    for at, to, _ in spans.stretches(lambda: pages):
        yield HugePiece((job, source, (kept, marks, flags_fd)), at, to)


class HugePiece:
    """A stretch to count in one step; `first` is the span it begins in."""

    __slots__ = ("_at", "_first", "_job", "_kept", "_source", "_tallies", "_to", "work")

    done = True

    def __init__(self, job: tuple[Any, Source, Any], at: Any, to: Any) -> None:
        self._job, self._source, self._kept = job
        self._at = at
        self._to = to
        self._first: int = at.span
        self._tallies: Any = None
        self.work = 0

    def run(self, out: HugeBuffer) -> HugePiece:
        """Count, and give this piece back."""
        self._tallies = ffi.new("struct pm_huge[]", self._to.span - self._first + 1)
        self.work = 4 * checked(  # a frame's flags cost as much as four entries
            lib.pm_huge_spans(
                out.job_of(self._job, self._source), self._at, self._to, out.table, self._tallies
            )
        )
        return self

    def add_to(self, sums: HugeSums) -> None:
        """Add what was counted to the sums of all pieces."""
        count = min(len(self._tallies), sums.count - self._first)
        lib.pm_huge_add(self._tallies, count, sums.table + self._first)


class HugeSums:
    """The counts of `count` spans."""

    __slots__ = ("count", "table")

    def __init__(self, count: int) -> None:
        self.count = count
        self.table = ffi.new("struct pm_huge[]", count)

    def words(self) -> memoryview:
        """WORDS counts for each span, one after another."""
        return view_of(self.table, "Q").toreadonly()
