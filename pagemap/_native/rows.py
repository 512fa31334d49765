"""Entries into rows: a batch of mappings, cut into pieces that threads can take."""

from __future__ import annotations

from errno import ENOSPC

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, entries_of, range_table_of
from pagemap._native.descriptors import CLOSED
from pagemap._native.scan import reached
from pagemap._native.source import Scratch, fd_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pagemap._native.source import Source

__all__ = ["FORMATS", "RowBuffer", "RowPiece", "Rows", "format_rows", "row_bound"]

FORMATS: dict[str, int] = {
    "text": lib.PM_TEXT,
    "csv": lib.PM_CSV,
    "json": lib.PM_JSONL,  # their labels end in a comma
    "jsonl": lib.PM_JSONL,
}
ROW_SLACK: int = lib.PM_ROW_SLACK


def row_bound(form: str) -> int:
    """The most bytes that a row of this format can take, its label left out."""
    return int(lib.pm_row_bound(FORMATS[form]))


class RowBuffer(Scratch):
    """What one thread needs: room for `size` bytes of rows, and for a block of entries."""

    __slots__ = ("missing", "pages", "rows", "runs", "scratch", "size", "view")

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = 0
        self.hold(size)
        self.scratch = allocate("uint64_t[]", READ_BLOCK)
        self.runs = allocate("struct pm_range[]", READ_BLOCK)
        self.pages = ffi.new("uint64_t *")
        self.missing = ffi.new("uint64_t *")

    def hold(self, size: int) -> None:
        """Have room for `size` bytes at least. What was there is lost."""
        if self.size < size:
            self.size = size
            self.rows = allocate("char[]", size)
            self.view = memoryview(ffi.buffer(self.rows)).toreadonly()


class Rows:
    """A batch of mappings to dump in one format.

    `spans` is a table of struct pm_range, one for each mapping in turn, `labels` as many struct
    pm_label: where in `label_bytes` its label begins, quoted and ended for the format, and its
    size. Only entries with every bit of `all_of` and none of `none_of` get a row, and of these with
    `kinds`, what each type of swap entry is, only those whose kind has its bit in `kinds_wanted`.
    Bits of `untold` are not known. With `mapcounts`, /proc/kpagecount, huge pages are exclusive by
    their map counts (`pm_exclusive_by_count` in csrc/kernel/entry_frames.cdef.h).
    """

    __slots__ = ("_keep", "source", "table")

    def __init__(
        self,
        source: Source,
        spans: Any,
        labels: bytes,
        label_bytes: bytes,
        *,
        form: str,
        page_shift: int,
        hidden: bool,
        all_of: int = 0,
        none_of: int = 0,
        kinds: bytes | None = None,
        kinds_wanted: int = 0,
        untold: int = 0,
        use_scan: bool = False,
        mapcounts: int = CLOSED,
    ) -> None:
        table = ffi.new("struct pm_rows *")
        label_table = ffi.from_buffer("struct pm_label[]", labels)
        label_text = ffi.from_buffer("char[]", label_bytes + bytes(ROW_SLACK))
        table.source = {
            "spans": spans,
            "spans_count": len(spans),
            "fd": fd_of(source),
            "page_shift": page_shift,
            "use_scan": use_scan,
        }
        table.labels = label_table
        table.label_bytes = label_text
        table.format = FORMATS[form]
        table.hidden = hidden
        table.all_of = all_of
        table.none_of = none_of
        table.untold = untold
        table.counted = mapcounts != CLOSED
        table.mapcounts = mapcounts
        types = None
        if kinds is not None:
            types = ffi.from_buffer("uint8_t[]", kinds)
            table.kinds = types
            table.kinds_wanted = kinds_wanted
        self.table = table
        self.source = source
        self._keep = (spans, label_table, label_text, types, mapcounts)

    def plan(self, size: int) -> Iterator[RowPiece]:
        """The whole batch in pieces that surely fit in `size` bytes of output, or hold one row.

        A path may be of any length, and so may a row.
        """
        at = ffi.new("struct pm_place *")
        while True:
            to = ffi.new("struct pm_place *")
            pages = lib.pm_rows_plan(self.table, at, size, to)
            if pages == -ENOSPC:
                size *= 2
                continue
            if not checked(pages):
                return
            yield RowPiece(self, at, to, pages, size)
            at = to

    def stretches(self, pages: Callable[[], int]) -> Iterator[PopulatedRowPiece]:
        """The whole batch in pieces of `pages()` pages, whose populated ones are to be written."""
        source = self.table.source
        at = ffi.new("struct pm_place *")
        while True:
            to = ffi.new("struct pm_place *")
            count = lib.pm_spans_advance(source.spans, source.spans_count, at, pages(), to)
            if not count:
                return
            yield PopulatedRowPiece(self, ffi.new("struct pm_place *", at[0]), to, count)
            at = to


class RowPiece:
    """A piece of a dump, of `pages` pages, that surely fits in one output buffer."""

    __slots__ = ("_at", "_rows", "_size", "_to", "pages")

    def __init__(self, rows: Rows, at: Any, to: Any, pages: int, size: int = 0) -> None:
        self._rows = rows
        self._at = at
        self._to = to
        self._size = size
        self.pages = pages

    def run(self, out: RowBuffer) -> tuple[memoryview, int, int]:
        """The rows of this piece, their number, and the number of pages that had no entry."""
        out.hold(self._size)
        rows = out.job_of(self._rows.table, self._rows.source)
        size = lib.pm_rows_dump(
            rows, self._at, self._to, out.scratch, out.rows, out.pages, out.missing
        )
        return out.view[: checked(size)], out.pages[0], out.missing[0]

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        return True

    @property
    def work(self) -> int:
        """How many pages were looked at."""
        return self.pages


class PopulatedRowPiece(RowPiece):
    """A stretch of a dump whose populated pages are written, perhaps in several runs."""

    __slots__ = ("_shown",)

    def __init__(self, rows: Rows, at: Any, to: Any, pages: int) -> None:
        super().__init__(rows, at, to, pages)
        self._shown = 0

    @property
    def work(self) -> int:
        """How many pages were looked at: about those that had a row."""
        return self._shown

    def run(self, out: RowBuffer) -> tuple[memoryview, int, int]:
        """Some more rows of this piece, and their number; nothing is known to be missing."""
        rows = out.job_of(self._rows.table, self._rows.source)
        while True:
            size = lib.pm_rows_populated(
                rows,
                self._at,
                self._to,
                out.scratch,
                out.runs,
                out.rows,
                out.size,
                out.pages,
            )
            if size != -ENOSPC:
                break
            out.hold(2 * out.size)
        data = out.view[: checked(size)]
        self._shown += out.pages[0]
        return data, out.pages[0], 0

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        return reached(self._at, self._to)


def format_rows(
    entries: memoryview,
    vpn: int,
    label: bytes,
    *,
    form: str,
    page_shift: int,
    hidden: bool,
    untold: int = 0,
) -> bytes:
    """Rows for entries in memory, each ended by `label`."""
    none = range_table_of(())
    rows = Rows(-1, none, b"", b"", form=form, page_shift=page_shift, hidden=hidden, untold=untold)
    count = len(entries)
    out = allocate("char[]", count * (row_bound(form) + len(label)) + ROW_SLACK)
    label_bytes = ffi.from_buffer("char[]", label + bytes(ROW_SLACK))
    size = lib.pm_rows_format(
        rows.table, entries_of(entries), count, vpn, label_bytes, len(label), out
    )
    return bytes(ffi.buffer(out, checked(size)))
