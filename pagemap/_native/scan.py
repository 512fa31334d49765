"""Regions and populated entries: what is found without looking at every page."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, entries_of, range_table_of, view_of
from pagemap._native.source import Scratch, fd_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pagemap._native.source import Source

__all__ = [
    "Batch",
    "EntryBuffer",
    "Piece",
    "Query",
    "Spans",
    "address_space_end",
    "reached",
    "scan",
]


def address_space_end(fd: int, page_shift: int) -> int:
    """The first page number past the address space; 0 when it is gone."""
    return checked(lib.pm_end(fd, page_shift))


class Query:
    """Which pages to find, and what to tell of them, in bits of categories."""

    __slots__ = ("table",)

    def __init__(
        self, *, all_of: int, any_of: int, none_of: int, returned: int, max_pages: int = 0
    ) -> None:
        self.table = ffi.new(
            "struct pm_query *",
            {
                "all_of": all_of,
                "any_of": any_of,
                "none_of": none_of,
                "returned": returned,
                "max_pages": max_pages,
            },
        )


def scan(
    source: Source, query: Query, start: int, end: int, capacity: int
) -> tuple[list[tuple[int, int, int]], int]:
    """Up to `capacity` regions ``(start, end, categories)`` from `start` on, and where to go on."""
    out = allocate("struct pm_region[]", capacity)
    resume = ffi.new("uint64_t *")
    if isinstance(source, int):
        found = lib.pm_scan(source, query.table, start, end, out, capacity, resume)
    else:
        found = source.scan(query.table, start, end, out, capacity, resume)
    return _triples(out, checked(found)), resume[0]


class Batch:
    """The entries of ranges ``(vpn, count)``, one range after another, to find regions in.

    Swapped are those whose type is of swap by `kinds` (`pagemap._kernel.swap_types.kinds`); those
    without a type where `hidden_is_swap`. `scanned` are the categories that a scan told of each
    range.
    """

    __slots__ = ("_kept", "_page_shift", "_table")

    def __init__(
        self,
        entries: memoryview,
        ranges: Sequence[tuple[int, int]],
        page_shift: int,
        *,
        kinds: bytes,
        hidden_is_swap: bool,
        scanned: Sequence[int] | None = None,
    ) -> None:
        words = [word for each in ranges for word in each]
        fields = {
            "entries": entries_of(entries),
            "ranges": range_table_of(words),
            "kinds": ffi.from_buffer("uint8_t[]", kinds),
        }
        if scanned is not None:
            fields["scanned"] = ffi.new("uint64_t[]", list(scanned))
        self._kept = fields  # for as long as the table points to them
        self._page_shift = page_shift
        self._table = ffi.new(
            "struct pm_batch *",
            {**fields, "ranges_count": len(ranges), "hidden_is_swap": hidden_is_swap},
        )

    @property
    def done(self) -> bool:
        """Whether no entry is left."""
        return bool(self._table.range == self._table.ranges_count)

    @property
    def judged(self) -> int:
        """How many entries were looked at."""
        return int(self._table.entry)

    def regions(self, query: Query, capacity: int) -> list[tuple[int, int, int]]:
        """Up to `capacity` more regions ``(start, end, categories)``."""
        out = allocate("struct pm_region[]", capacity)
        return _triples(
            out, checked(lib.pm_classify(self._table, self._page_shift, query.table, out, capacity))
        )


def _triples(regions: Any, count: int) -> list[tuple[int, int, int]]:
    words = view_of(regions, "Q")[: 3 * count].tolist()
    return list(zip(words[::3], words[1::3], words[2::3], strict=True))


class EntryBuffer(Scratch):
    """What one step needs beside memory for its entries, which are given away."""

    __slots__ = ("_block", "runs", "stored", "words")

    size = 1 << 16
    most_runs = size // 2

    def __init__(self) -> None:
        super().__init__()
        self._block = allocate("uint64_t[]", 2 * self.most_runs)
        self.runs = ffi.cast("struct pm_range *", self._block)
        self.words = view_of(self._block, "Q")
        self.stored = ffi.new("uint64_t *")


_PLACE = ffi.typeof("struct pm_place *")


class Spans:
    """Ranges of pages ``(vpn, count)`` in order of address, to be walked in pieces.

    Raises OSError (EINVAL) for others, struct.error for what are no numbers of 64 bits.
    """

    __slots__ = ("count", "pages", "table")

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self.table = range_table_of([word for span in spans for word in span])
        self.count = len(spans)
        self.pages = checked(lib.pm_spans_pages(self.table, self.count))

    @classmethod
    def of_bounds(cls, bounds: memoryview, page_shift: int) -> Spans:
        """The same of two addresses each, the first and that past the last, in bytes; format Q."""
        self = cls.__new__(cls)
        self.count = len(bounds) // 2
        self.table = allocate("struct pm_range[]", self.count)
        self.pages = checked(
            lib.pm_spans_of(
                ffi.from_buffer("uint64_t[]", bounds), self.count, page_shift, self.table
            )
        )
        return self

    def stretches(self, pages: Callable[[], int]) -> Iterator[tuple[Any, Any, int]]:
        """Places from and to, and the pages between: `pages()` each time, fewer at the end."""
        new, advance = ffi.new, lib.pm_spans_advance
        at = new(_PLACE)
        while True:
            to = new(_PLACE)
            count = advance(self.table, self.count, at, pages(), to)
            if not count:
                return
            yield new(_PLACE, at[0]), to, count
            at = to

    def source(self, source: Source, page_shift: int, *, use_scan: bool) -> dict[str, object]:
        """A struct pm_source of them; it holds neither these nor `source`, and has no reader."""
        return {
            "spans": self.table,
            "spans_count": self.count,
            "fd": fd_of(source),
            "page_shift": page_shift,
            "use_scan": use_scan,
        }

    def populated(
        self, source: Source, page_shift: int, *, use_scan: bool, pages: Callable[[], int]
    ) -> Iterator[PopulatedPiece]:
        """Pieces of `pages()` pages each, to read the populated entries of."""
        table = ffi.new("struct pm_source *", self.source(source, page_shift, use_scan=use_scan))
        for at, to, count in self.stretches(pages):
            yield PopulatedPiece((table, source, self), at, to, count)


def reached(at: Any, to: Any) -> bool:
    """Whether a walk that is to end at place `to` is there."""
    return bool((at.span, at.page) >= (to.span, to.page))


class Piece:
    """What lies between two places of a walk over spans."""

    __slots__ = ("_at", "_spans", "_to", "pages", "work")

    def __init__(self, spans: Spans, at: Any, to: Any, pages: int) -> None:
        self._spans = spans
        self._at = at
        self._to = to
        self.pages = pages
        self.work = 0  # pages looked at

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        return reached(self._at, self._to)


class PopulatedPiece:
    """A stretch whose populated entries are to be read, perhaps in several runs.

    `work` is how many pages were looked at, about; `done` whether nothing is left.
    """

    __slots__ = ("_at", "_job", "_to", "done", "pages", "work")

    def __init__(self, job: tuple[Any, Source, Spans], at: Any, to: Any, pages: int) -> None:
        self._job = job  # and what it points to
        self._at = at
        self._to = to
        self.pages = pages
        self.work = 0
        self.done = False

    def run(self, out: EntryBuffer) -> tuple[memoryview, list[int]]:
        """Some more entries, in a buffer of their own, and ``[vpn, count, vpn, count, ...]``."""
        capacity = min(self.pages, out.size)
        entries = allocate("uint64_t[]", capacity)
        runs, stored = out.runs, out.stored
        got = checked(
            lib.pm_populated(
                out.job_of(*self._job[:2]),
                self._at,
                self._to,
                entries,
                capacity,
                runs,
                out.most_runs,
                stored,
            )
        )
        count = stored[0]
        self.work += got + 16 * count  # a run of its own costs as much as 16 pages
        self.done = reached(self._at, self._to)
        words = out.words[: 2 * count].tolist()
        return view_of(entries, "Q")[:got].toreadonly(), words
