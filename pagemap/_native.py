"""The only module that touches the compiled ``_core``: it owns allocation, sizes and errors.

Every function here is one call into C with the GIL released. Failures come back from C as
``-errno`` and leave here as `OSError`; which process it was, and what to do, only `Process` knows.
"""

from __future__ import annotations

import os
from errno import ENOSPC

from pagemap._core import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Protocol

    class Buffer(Protocol):
        """Anything with the buffer protocol (collections.abc.Buffer is younger than 3.10)."""

        def __len__(self) -> int: ...


__all__ = [
    "COUNTS",
    "NO_PFN",
    "NO_SWAP_TYPE",
    "RowPlan",
    "Rows",
    "addresses",
    "alive",
    "bits",
    "format_rows",
    "pfns",
    "probe_pfns",
    "probe_scan",
    "probe_soft_dirty",
    "probe_userfaultfd",
    "read",
    "read_into",
    "read_ranges",
    "row_bound",
    "swap_offsets",
    "swap_types",
    "tally",
    "translate",
]

NO_PFN = 2**64 - 1
NO_SWAP_TYPE: int = lib.PM_NO_SWAP_TYPE
READ_BLOCK: int = lib.PM_READ_BLOCK
ROW_SLACK: int = lib.PM_ROW_SLACK
FORMATS: dict[str, int] = {"text": lib.PM_TEXT, "csv": lib.PM_CSV, "jsonl": lib.PM_JSONL}
COUNTS = (
    "pages",
    "present",
    "swapped",
    "file_or_shared",
    "exclusive",
    "soft_dirty",
    "uffd_wp",
    "guard",
    "anonymous",
)

# C fills what it allocates, so clearing first would only cost page faults twice.
_allocate = ffi.new_allocator(should_clear_after_alloc=False)

# translate(fd, address, page_shift) -> physical address in bytes, or -errno. Bare, because a
# wrapper would cost as much as the call.
translate = lib.pm_translate


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _view(cdata: Any, form: str) -> memoryview:
    view: Any = memoryview(ffi.buffer(cdata))
    result: memoryview = view.cast(form)
    return result


def _entries(entries: memoryview) -> Any:
    return ffi.from_buffer("uint64_t[]", entries)


def read(fd: int, vpn: int, count: int) -> memoryview:
    """The entries of `count` pages from `vpn` on; fewer where the address space ends."""
    out = _allocate("uint64_t[]", count)
    got = _checked(lib.pm_read(fd, vpn, count, out))
    return _view(out, "Q")[:got].toreadonly()


def read_into(fd: int, view: memoryview, vpn: int, count: int) -> int:
    """Read `count` entries into the writable, contiguous `view`; returns how many there were.

    Raises ValueError when its memory is not aligned to the 8 bytes of an entry.
    """
    raw = ffi.from_buffer("uint8_t[]", view, require_writable=True)
    if int(ffi.cast("uintptr_t", raw)) % 8:
        raise ValueError("the buffer must be aligned to 8 bytes, the size of an entry")
    return _checked(lib.pm_read(fd, vpn, count, ffi.cast("uint64_t *", raw)))


def read_ranges(fd: int, ranges: Sequence[tuple[int, int]]) -> tuple[memoryview, list[int]]:
    """The entries of many ranges ``(vpn, count)`` in a row, and how many each range has."""
    capacity = sum(count for _, count in ranges)
    out = _allocate("uint64_t[]", capacity)
    stored = _allocate("uint64_t[]", len(ranges))
    table = ffi.new("struct pm_range[]", list(ranges))
    got = _checked(lib.pm_read_ranges(fd, table, len(ranges), out, capacity, stored))
    return _view(out, "Q")[:got].toreadonly(), ffi.unpack(stored, len(ranges)) if ranges else []


def alive(fd: int) -> bool:
    """Whether the address space behind this pagemap still exists."""
    return _checked(lib.pm_alive(fd)) == 1


def pfns(entries: memoryview) -> memoryview:
    """The PFN of each entry; `NO_PFN` where it is hidden or there is none."""
    out = _allocate("uint64_t[]", len(entries))
    lib.pm_pfns(_entries(entries), len(entries), out)
    return _view(out, "Q").toreadonly()


def addresses(start: int, page_size: int, count: int) -> memoryview:
    """The addresses, in bytes, of `count` pages from `start` on."""
    out = _allocate("uint64_t[]", count)
    lib.pm_addresses(start, page_size, count, out)
    return _view(out, "Q").toreadonly()


def bits(entries: memoryview, bit: int) -> memoryview:
    """1 for each entry that has `bit`, else 0; format B."""
    out = _allocate("uint8_t[]", len(entries))
    lib.pm_bits(_entries(entries), len(entries), bit, out)
    return _view(out, "B").toreadonly()


def swap_types(entries: memoryview, hidden: bool) -> memoryview:
    """The swap area of each entry; `NO_SWAP_TYPE` where it is hidden or there is none; format B."""
    out = _allocate("uint8_t[]", len(entries))
    lib.pm_swap_types(_entries(entries), len(entries), hidden, out)
    return _view(out, "B").toreadonly()


def swap_offsets(entries: memoryview, hidden: bool) -> memoryview:
    """The page in the swap area of each entry; `NO_PFN` where it is hidden or there is none."""
    out = _allocate("uint64_t[]", len(entries))
    lib.pm_swap_offsets(_entries(entries), len(entries), hidden, out)
    return _view(out, "Q").toreadonly()


def tally(entries: memoryview) -> tuple[int, ...]:
    """How many entries carry each flag, in the order of `COUNTS`."""
    counts = ffi.new("struct pm_tally *")
    lib.pm_tally(_entries(entries), len(entries), counts)
    return tuple(getattr(counts, name) for name in COUNTS)


def row_bound(form: str) -> int:
    """The most bytes that a row of this format can take, its label left out."""
    return int(lib.pm_row_bound(FORMATS[form]))


class RowPlan:
    """A piece of a dump, of `pages` pages, that surely fits in one output buffer."""

    __slots__ = ("_from", "_rows", "_to", "pages")

    def __init__(self, rows: Rows, start: Any, end: Any, pages: int) -> None:
        self._rows = rows
        self._from = start
        self._to = end
        self.pages = pages

    def write(self, out: RowBuffer) -> tuple[int, int]:
        """Read and format this piece: the bytes written, and the pages that had no entry."""
        missing = out.missing
        size = lib.pm_rows_dump(
            self._rows.table, self._from, self._to, out.scratch, out.rows, missing
        )
        return _checked(size), missing[0]


class RowBuffer:
    """What one thread needs: room for `size` bytes of rows, and for a block of entries."""

    __slots__ = ("missing", "rows", "scratch", "size", "view")

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows = _allocate("char[]", size)
        self.view = memoryview(ffi.buffer(self.rows)).toreadonly()
        self.scratch = _allocate("uint64_t[]", READ_BLOCK)
        self.missing = ffi.new("uint64_t *")


class Rows:
    """A batch of mappings to dump in one format.

    `spans` are ``(vpn, count, label_at, label_size)``; `labels` holds the labels, quoted and ended
    for the format.
    """

    __slots__ = ("_keep", "table")

    def __init__(
        self,
        fd: int,
        spans: Iterable[tuple[int, int, int, int]],
        labels: bytes,
        *,
        form: str,
        page_shift: int,
        hidden: bool,
    ) -> None:
        table = ffi.new("struct pm_rows *")
        span_table = ffi.new("struct pm_span[]", list(spans))
        label_bytes = ffi.from_buffer("char[]", labels + bytes(ROW_SLACK))
        table.spans = span_table
        table.spans_count = len(span_table)
        table.labels = label_bytes
        table.format = FORMATS[form]
        table.page_shift = page_shift
        table.hidden = hidden
        table.fd = fd
        self.table = table
        self._keep = (span_table, label_bytes)

    def plan(self, size: int) -> Iterable[RowPlan]:
        """The whole batch in pieces that each fit in `size` bytes of output."""
        at = ffi.new("struct pm_place *")
        while True:
            to = ffi.new("struct pm_place *")
            pages = lib.pm_rows_plan(self.table, at, size, to)
            if pages == -ENOSPC:
                raise ValueError(f"a row does not fit in {size} bytes")
            if not _checked(pages):
                return
            yield RowPlan(self, at, to, pages)
            at = to


def format_rows(
    entries: memoryview, vpn: int, label: bytes, *, form: str, page_shift: int, hidden: bool
) -> bytes:
    """Rows for entries in memory, each ended by `label`."""
    rows = Rows(-1, (), b"", form=form, page_shift=page_shift, hidden=hidden)
    count = len(entries)
    out = _allocate("char[]", count * (row_bound(form) + len(label)) + ROW_SLACK)
    label_bytes = ffi.from_buffer("char[]", label + bytes(ROW_SLACK))
    size = lib.pm_rows_format(
        rows.table, _entries(entries), count, vpn, label_bytes, len(label), out
    )
    return bytes(ffi.buffer(out, _checked(size)))


def probe_pfns(path: str = "/proc/self/pagemap") -> bool:
    """Whether a pagemap opened now shows PFNs; `path` is the caller's own. Raises OSError."""
    return _checked(lib.pm_probe_pfns(os.fsencode(path))) == 1


def probe_soft_dirty(path: str = "/proc/self/pagemap") -> bool:
    """Whether this kernel tracks soft-dirty pages; `path` is the caller's own pagemap."""
    return _checked(lib.pm_probe_soft_dirty(os.fsencode(path))) == 1


def probe_scan(fd: int, category: int) -> int:
    """0 when PAGEMAP_SCAN knows this bit, else the errno: ENOTTY no ioctl, EINVAL no such bit."""
    return -int(lib.pm_probe_scan(fd, category))


def probe_userfaultfd() -> int:
    """The feature bits of userfaultfd. Raises OSError where it cannot be used."""
    features = ffi.new("uint64_t *")
    _checked(lib.pm_probe_userfaultfd(features))
    return int(features[0])
