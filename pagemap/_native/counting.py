"""Tallies: how many pages of each mapping, or of all, are this and that, counted in C."""

from __future__ import annotations

import time

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of
from pagemap._native.descriptors import CLOSED
from pagemap._native.scan import Piece, Spans
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._native.lines import Lines
    from pagemap._native.source import Source

__all__ = [
    "ABSENT",
    "BACKINGS",
    "BY_ENTRIES",
    "BY_SCAN",
    "EITHER",
    "FILE",
    "HUGETLB",
    "NONE",
    "NO_FILE",
    "PARTED",
    "SHMEM",
    "UNTOUCHED",
    "ZEROS",
    "Job",
    "Sums",
    "TallyBuffer",
    "TallyPiece",
    "Way",
    "backing_of",
    "exclusive_by_count",
    "zero_pages",
]

BY_SCAN: int = lib.PM_BY_SCAN
BY_ENTRIES: int = lib.PM_BY_ENTRIES
UNTOUCHED: int = lib.PM_UNTOUCHED
ABSENT: int = lib.PM_ABSENT
ZEROS: int = lib.PM_ZEROS

PARTED: int = lib.PM_PARTED

NONE: int = lib.PM_BACKED_BY_NONE
FILE: int = lib.PM_BACKED_BY_FILE
SHMEM: int = lib.PM_BACKED_BY_SHMEM
EITHER: int = lib.PM_BACKED_BY_EITHER
HUGETLB: int = lib.PM_BACKED_BY_HUGETLB
NO_FILE: int = lib.PM_BACKED_BY_PATH
BACKINGS: int = lib.PM_BACKINGS

_COLUMNS = (*(name for name, _ in ffi.typeof("struct pm_counts").fields), "file", "shmem")
# what the kernel may hide of each, and what is of either kind
_KINDS = ("swap", "marker", "migrating", "poisoned", "device")
_PARTS = ("file", "shmem")


class Way:
    """How pages are counted, as struct pm_tally_job has it; `mapcounts` and `flags` are open files.

    `kinds` says what the types of swap entries are (`pagemap._kernel.swap_types.kinds`).
    """

    __slots__ = ("any_of", "flags", "kinds", "mapcounts", "returned", "use_scan", "ways")

    def __init__(self, *, use_scan: bool) -> None:
        self.use_scan = use_scan
        self.ways = self.any_of = self.returned = 0
        self.mapcounts: int = CLOSED
        self.flags: int = CLOSED
        self.kinds = bytes(lib.PM_TYPES_OF_SWAP)


class TallyBuffer(Scratch):
    """What one thread needs to count."""

    __slots__ = ("scratch",)

    def __init__(self) -> None:
        super().__init__()
        self.scratch = allocate("uint64_t[]", READ_BLOCK)


class Job:
    """How to count the pages of `spans`; what is found is the sum of its pieces.

    `backing` says of each span what stands behind it (`backing_of`). `end` is the first page past
    the address space.
    """

    __slots__ = ("_kept", "source", "spans", "table")

    def __init__(
        self,
        spans: Spans,
        source: Source,
        page_shift: int,
        way: Way,
        *,
        end: int,
        backing: bytearray,
    ) -> None:
        self.spans = spans
        self.source = source
        marks = ffi.from_buffer("uint8_t[]", backing)
        kinds = ffi.from_buffer("uint8_t[]", way.kinds)
        # the job has their addresses and numbers alone
        self._kept = marks, kinds, way.mapcounts, way.flags
        self.table = ffi.new(
            "struct pm_tally_job *",
            {
                "source": spans.source(source, page_shift, use_scan=way.use_scan),
                "backing": marks,
                "kinds": kinds,
                "mapcounts": way.mapcounts,
                "flags": way.flags,
                "ways": way.ways | (lib.PM_OF_HUGETLB if HUGETLB in backing else 0),
                "end": end,
                "any_of": way.any_of,
                "returned": way.returned,
            },
        )

    def pieces(self, pages: int) -> Iterator[TallyPiece]:
        """Pieces of `pages` pages each, to count."""
        for at, to, count in self.spans.stretches(lambda: pages):
            yield TallyPiece(self, at, to, count)


_PAGE_NS = 35  # of an entry


class TallyPiece(Piece):
    """A stretch to count."""

    __slots__ = ("_first", "_tallies", "job")

    def __init__(self, job: Job, at: Any, to: Any, pages: int) -> None:
        super().__init__(job.spans, at, to, pages)
        self.job = job
        self._first: int = at.span
        self._tallies = ffi.new("struct pm_counts[]", to.span - at.span + 1)

    def run(self, out: TallyBuffer) -> TallyPiece:
        """Count, and give this piece back."""
        began = time.perf_counter_ns()
        job = out.job_of(self.job.table, self.job.source)
        checked(lib.pm_tally_spans(job, self._at, self._to, out.scratch, self._tallies))
        # huge pages cost a scan next to nothing, however many they are
        self.work = (time.perf_counter_ns() - began) // _PAGE_NS
        return self

    def add_to(self, sums: Sums) -> None:
        """Add what was counted to the sums of all pieces."""
        count = min(len(self._tallies), sums.count - self._first)
        lib.pm_counts_add(self._tallies, count, sums.table + self._first)


class Sums:
    """A tally for each of `count` spans."""

    __slots__ = ("count", "table")

    def __init__(self, count: int) -> None:
        self.count = count
        self.table = ffi.new("struct pm_counts[]", count)

    def columns(
        self, backing: bytearray, page_shift: int
    ) -> tuple[dict[str, memoryview], dict[str, memoryview[bool]]]:
        """Each count of all spans in bytes, format q, and which are known, where some are not."""
        count = self.count
        values = allocate("int64_t[]", count * lib.PM_COUNTS_COLUMNS)
        parts, kinds = allocate("uint8_t[]", count), allocate("uint8_t[]", count)
        unknown = lib.pm_counts_columns(
            self.table,
            ffi.from_buffer("uint8_t[]", backing),
            count,
            page_shift,
            values,
            parts,
            kinds,
        )
        view = view_of(values, "q").toreadonly()
        columns = {
            name: view[number * count : (number + 1) * count]
            for number, name in enumerate(_COLUMNS)
        }
        known: dict[str, Any] = {}
        if unknown & lib.PM_UNKNOWN_PARTS:
            known.update(dict.fromkeys(_PARTS, view_of(parts, "?").toreadonly()))
        if unknown & lib.PM_UNKNOWN_KINDS:
            known.update(dict.fromkeys(_KINDS, view_of(kinds, "?").toreadonly()))
        return columns, known


def backing_of(lines: Lines, is_private: bytes, of_device: bytes, of_path: bytes) -> bytearray:
    """What stands behind each mapping, by its words: of NO_FILE by its path, else by its device."""
    out = bytearray(len(lines))
    if out:
        lib.pm_backing_of(
            ffi.from_buffer("int32_t[]", lines.perms.codes),
            ffi.from_buffer("int32_t[]", lines.devices.codes),
            ffi.from_buffer("int32_t[]", lines.paths.codes),
            len(out),
            ffi.from_buffer("uint8_t[]", is_private),
            ffi.from_buffer("uint8_t[]", of_device),
            ffi.from_buffer("uint8_t[]", of_path),
            ffi.from_buffer("uint8_t[]", out),
        )
    return out


def exclusive_by_count(
    mapcounts: int, vpn: int, entries: Sequence[int], page_shift: int
) -> list[int]:
    """Entries of pages from `vpn` on, with bit 56 by kpagecount where a PMD may map many."""
    table = ffi.new("uint64_t[]", entries)
    checked(lib.pm_exclusive_by_count(mapcounts, vpn, table, len(entries), page_shift))
    return list(table)


def zero_pages(flags: int, vpn: int, entries: Sequence[int], page_shift: int) -> tuple[int, int]:
    """How many are of zeros by kpageflags, and how many of those have the mark of a file."""
    marked = ffi.new("uint64_t *")
    table = ffi.new("uint64_t[]", entries)
    found = lib.pm_zero_pages(flags, vpn, table, len(entries), page_shift, marked)
    return checked(found), int(marked[0])
