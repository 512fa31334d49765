"""Two looks at an address space compared page by page, in C."""

from __future__ import annotations

import struct
from itertools import chain

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, range_table_of, view_of
from pagemap._native.descriptors import CLOSED
from pagemap._native.scan import Piece, Spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

__all__ = ["SUM_FIELDS", "DiffBuffer", "DiffPiece", "Look", "Pairs"]

SUM_FIELDS = (*(name for name, _ in ffi.typeof("struct pm_change_sum").fields),)
REGION_FIELDS = (*(name for name, _ in ffi.typeof("struct pm_change_region").fields),)

_SUMS = 1 << 12  # rows of sums that a step may give
_REGIONS = 1 << 14


class Look:
    """How one of both looks is read: fields of struct pm_look, but for its spans.

    `source` is a descriptor of pagemap, or what makes a reader of saved entries for each thread.
    """

    def __init__(
        self,
        *,
        source: Any,
        page_shift: int,
        use_scan: bool,
        kinds: bytes,
        end: int,
        any_of: int,
        zero_frames: tuple[int, int],
        mapcounts: int = CLOSED,
        counted: bool,
        tells_zero: bool,
        hidden_is_swap: bool,
    ) -> None:
        self.source = source
        self.mapcounts = mapcounts
        self.page_shift = page_shift
        self._kinds = ffi.from_buffer("uint8_t[]", kinds)
        self._fields = {
            "kinds": self._kinds,
            "end": end,
            "any_of": any_of,
            "zero_from": zero_frames[0],
            "zero_count": zero_frames[1],
            "mapcounts": mapcounts,
            "counted": counted,
            "tells_zero": tells_zero,
            "hidden_is_swap": hidden_is_swap,
        }
        self._use_scan = use_scan

    def table(self, spans: Any, count: int, hugetlb: Any) -> tuple[dict[str, object], object]:
        """A struct pm_look, and what it points to."""
        live = isinstance(self.source, int)
        readers = [] if live else [self.source.make(), self.source.make()]
        source = {
            "spans": spans,
            "spans_count": count,
            "reader": ffi.NULL if live else readers[0].table,
            "fd": self.source if live else CLOSED,
            "page_shift": self.page_shift,
            "use_scan": self._use_scan,
        }
        scanner = ffi.NULL if live else readers[1].table
        look = {"source": source, "scanner": scanner, "hugetlb": hugetlb, **self._fields}
        return look, readers


class Pairs:
    """Spans ``(page before or None, page now or None, pages)`` of two looks.

    `hugetlb` has 1 for each that hugetlb backs, before and now; `compared` are the bits of entries
    that mean the same in both.
    """

    def __init__(
        self,
        spans: Sequence[tuple[int | None, int | None, int]],
        hugetlb: tuple[bytes, bytes],
        looks: tuple[Look, Look],
        compared: int,
    ) -> None:
        self.count = len(spans)
        self.compared = compared
        self.looks = looks
        self.hugetlb = tuple(ffi.from_buffer("uint8_t[]", each) for each in hugetlb)
        self.tables = tuple(
            range_table_of(list(chain.from_iterable(_ranges(spans, side)))) for side in (0, 1)
        )
        # places count pages of pairs, wherever these lie
        self.places = Spans(list(_in_a_row(spans)))

    def job(self) -> Any:
        """A struct pm_diff_job for one thread."""
        tables = [
            look.table(table, self.count, hugetlb)
            for look, table, hugetlb in zip(self.looks, self.tables, self.hugetlb, strict=True)
        ]
        job = ffi.new(
            "struct pm_diff_job *",
            {"before": tables[0][0], "after": tables[1][0], "compared": self.compared},
        )
        return job, tables

    def pieces(self, pages: Callable[[], int]) -> Iterator[DiffPiece]:
        """Pieces of `pages()` pages each."""
        for at, to, count in self.places.stretches(pages):
            yield DiffPiece(self.places, at, to, count)


def _ranges(
    spans: Sequence[tuple[int | None, int | None, int]], side: int
) -> Iterator[tuple[int, int]]:
    last = 0
    for span in spans:
        vpn = span[side]
        if vpn is None:
            yield last, 0  # where the last ended: neighbours share a read over it
        else:
            yield vpn, span[2]
            last = vpn + span[2]


def _in_a_row(spans: Sequence[tuple[int | None, int | None, int]]) -> Iterator[tuple[int, int]]:
    at = 0
    for _, _, pages in spans:
        yield at, pages
        at += pages


class DiffBuffer:
    """What one thread needs, and where its results are."""

    def __init__(self, pairs: Pairs, *, regions: bool) -> None:
        self.job, self._kept = pairs.job()
        self.sums = allocate("struct pm_change_sum[]", _SUMS)
        self.regions_capacity = _REGIONS if regions else 0
        self.regions = allocate("struct pm_change_region[]", _REGIONS if regions else 1)
        self.stored = ffi.new("uint64_t *")


class DiffPiece(Piece):
    """A stretch of pairs to compare, perhaps in several steps."""

    __slots__ = ("_walk",)

    def __init__(self, spans: Spans, at: Any, to: Any, pages: int) -> None:
        super().__init__(spans, at, to, pages)
        self._walk: Any = None

    def run(self, out: DiffBuffer) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Some more of it: rows of SUM_FIELDS, and of REGION_FIELDS."""
        if self._walk is None:
            self._walk = ffi.new("struct pm_diff_walk *")
            lib.pm_diff_begin(self._walk, self._at, self._to)
        got = checked(
            lib.pm_diff_step(
                out.job,
                self._walk,
                out.sums,
                len(out.sums),
                out.regions,
                out.regions_capacity,
                out.stored,
            )
        )
        self._at.span, self._at.page = self._walk.at.span, self._walk.at.page
        self.work = self._walk.seen
        return _rows(out.sums, got, SUM_FIELDS), _rows(out.regions, out.stored[0], REGION_FIELDS)


def _rows(table: Any, count: int, fields: Sequence[str]) -> list[tuple[int, ...]]:
    return list(
        struct.iter_unpack(f"={len(fields)}q", view_of(table, "B")[: 8 * len(fields) * count])
    )
