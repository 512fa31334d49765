"""Pages read as columns, a batch at a time, or as a stream of Arrow that reads on its own."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, entries_of, view_of
from pagemap._native.columns import SchemaTable, made
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pagemap._native.columns import Words
    from pagemap._native.scan import Spans
    from pagemap._native.source import Source
    from pagemap._vocabulary.schema import Schema

__all__ = ["PageReader", "entries_stream"]

_OWN = {
    "address": lib.PM_COLUMN_ADDRESS,
    "pfn": lib.PM_COLUMN_PFN,
    "swap_type": lib.PM_COLUMN_SWAP_TYPE,
    "swap_offset": lib.PM_COLUMN_SWAP_OFFSET,
    "mapping": lib.PM_COLUMN_MAPPING,
    "path": lib.PM_COLUMN_PATH,
    "kind": lib.PM_COLUMN_KIND,
}
_WORDS = ("flags", "mapcount", "cgroup")
_FORMS = {"int": ("int64_t[]", "q"), "bool": ("uint8_t[]", "?"), "text": ("int32_t[]", "i")}
_BITS = {"int": 65, "bool": 1, "text": 33}  # of a value in Arrow, one of them for null


def _numbers(schema: Schema[Any], bits: Mapping[str, int]) -> list[int]:
    """What the columns are in C; `bits` are of those that an entry has."""
    words = {name: int(lib.PM_COLUMN_WORDS) + number for number, name in enumerate(_WORDS)}
    known = {**bits, **_OWN, **words}
    return [known[name] for name in schema.names]


def _batch_rows(schema: Schema[Any]) -> int:
    """A power of two: PM_BATCH_ROWS, or what fits into PM_BATCH_BYTES."""
    row = sum(_BITS[column.type] for column in schema)
    rows = int(lib.PM_BATCH_ROWS)
    while rows * row > 8 * lib.PM_BATCH_BYTES:
        rows //= 2
    return rows


def entries_stream(
    schema: Schema[Any],
    bits: Mapping[str, int],
    entries: memoryview,
    words: Mapping[str, Words],
    about: Mapping[str, str],
    *,
    vpn: int,
    page_shift: int,
    hidden: bool,
    kinds: bytes,
    untold: int,
) -> int:
    """The address of a new struct ArrowArrayStream of entries from page `vpn` on, copied by C."""
    spans = ffi.new("struct pm_range[]", [(vpn, len(entries))])
    starts, paths = ffi.new("uint64_t *", vpn << page_shift), ffi.new("int32_t *")
    given, types = entries_of(entries), ffi.from_buffer("uint8_t[]", kinds)
    job = ffi.new(
        "struct pm_pages_job *",
        {
            "source": {"spans": spans, "spans_count": 1, "fd": -1, "page_shift": page_shift},
            "entries": given,
            "starts": starts,
            "paths": paths,
            "words": (-1, -1, -1),
            "hidden": hidden,
            "kinds": types,
            "kinds_wanted": (1 << lib.PM_ENTRY_KINDS) - 1,
            "mapcounts": -1,
            "untold": untold,
            "rows": _batch_rows(schema),
        },
    )
    columns = ffi.new("uint32_t[]", _numbers(schema, bits))
    ours = SchemaTable(schema, words, about)
    return made(lib.pm_arrow_pages(ours.struct, columns, job))


class PageReader:
    """Reads pages as columns, a batch at a time."""

    __slots__ = ("_columns", "_keep", "_rows", "job", "schema")

    def __init__(
        self,
        schema: Schema[Any],
        bits: Mapping[str, int],
        *,
        spans: Spans,
        starts: memoryview,
        paths: memoryview,
        pid: int,
        source: Source,
        frames: Mapping[str, int],
        page_shift: int,
        use_scan: bool,
        populated: bool,
        hidden: bool,
        all_of: int,
        none_of: int,
        kinds: bytes,
        kinds_wanted: int,
        untold: int,
        mapcounts: int,
        threads: int,
    ) -> None:
        self.schema = schema
        self._columns = _numbers(schema, bits)
        job = ffi.new("struct pm_pages_job *")
        job.source = spans.source(source, page_shift, use_scan=use_scan)
        job.starts = ffi.from_buffer("uint64_t[]", starts)
        job.paths = ffi.from_buffer("int32_t[]", paths)
        job.pid = pid
        for number, name in enumerate(_WORDS):
            job.words[number] = frames.get(name, -1)
        job.populated = populated
        job.hidden, job.all_of, job.none_of = hidden, all_of, none_of
        types = ffi.from_buffer("uint8_t[]", kinds)
        job.kinds, job.kinds_wanted, job.untold = types, kinds_wanted, untold
        job.counted, job.mapcounts = mapcounts >= 0, mapcounts
        job.rows, job.threads = _batch_rows(schema), min(threads, 2)
        # the descriptors too: they are open for as long as somebody holds them
        self._keep: list[object] = [spans, starts, paths, source, *frames.values(), kinds]
        scratch = Scratch()
        self._keep += (mapcounts, job, scratch)
        self.job = scratch.job_of(job, source)
        self._rows: Any = None

    def stream_address(self, words: Mapping[str, Words], about: Mapping[str, str]) -> int:
        """The address of a new struct ArrowArrayStream; it has descriptors of its own."""
        ours = SchemaTable(self.schema, words, about)
        columns = ffi.new("uint32_t[]", self._columns)
        return made(lib.pm_arrow_pages(ours.struct, columns, self.job))

    def batches(
        self,
    ) -> Iterator[tuple[int, dict[str, tuple[memoryview[Any], memoryview[bool] | None]]]]:
        """Yield ``(rows, {name: (values, valid)})``, each batch in buffers of its own."""
        at = ffi.new("struct pm_place *")
        while True:
            count = self.read(at)
            if not count:
                return
            yield (
                count,
                {
                    column.name: self._column(number, column.type, column.nullable)
                    for number, column in zip(self._columns, self.schema, strict=True)
                },
            )

    def read(self, at: Any) -> int:
        """Read a batch of rows on from a place; how many there are."""
        if self._rows is None:
            capacity = self.job.rows
            entries = allocate("uint64_t[]", capacity)
            runs = allocate("struct pm_range[]", capacity)
            spans = allocate("uint64_t[]", capacity)
            rows = ffi.new("struct pm_page_rows *")
            rows.entries, rows.runs, rows.spans = entries, runs, spans
            rows.capacity = capacity
            self._rows = rows
            self._keep += (entries, runs, spans)
        return checked(lib.pm_pages_read(self.job, at, self._rows))

    def _column(
        self, number: int, type: str, nullable: bool
    ) -> tuple[memoryview[Any], memoryview[bool] | None]:
        count = self._rows.count
        form, view = _FORMS[type]
        values = allocate(form, count)
        valid = allocate("uint8_t[]", count) if nullable else ffi.NULL
        scratch = ffi.NULL
        if number >= lib.PM_COLUMN_WORDS:
            scratch = allocate("uint64_t[]", 5 * count + lib.PM_READ_BLOCK)
        checked(lib.pm_pages_column(self.job, self._rows, number, 0, values, valid, scratch))
        known: Any = view_of(valid, "?").toreadonly() if nullable else None
        return view_of(values, view).toreadonly(), known
