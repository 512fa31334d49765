"""The only module that touches the compiled ``_core``: it owns allocation, sizes and errors.

Every function here is one call into C with the GIL released. Failures come back from C as
``-errno`` and leave here as `OSError`; which process it was, and what to do, only `Process` knows.
"""

from __future__ import annotations

import _thread
import os
import struct

# cffi would refuse itself, and in Python 3.12 leave behind what ends the process when another
# interpreter imports it later. Where threads must be joined is where modules must be isolated.
if not getattr(_thread, "daemon_threads_allowed", lambda: True)():
    raise ImportError(
        "pagemap cannot be imported in an isolated subinterpreter: cffi, which calls its C core, "
        "has one state for all interpreters; import it in the main interpreter, in a legacy "
        "subinterpreter (one that shares the GIL), or in a process of its own"
    )

from pagemap._core import ffi, lib
from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from pagemap._native.source import Source

    class Buffer(Protocol):
        """Anything with the buffer protocol (collections.abc.Buffer is younger than 3.10)."""

        def __len__(self) -> int: ...


__all__ = [
    "COUNTS",
    "NO_PFN",
    "NO_SWAP_TYPE",
    "address_of",
    "addresses",
    "aligned",
    "alive",
    "bits",
    "kind_counts",
    "kinds",
    "pfns",
    "read",
    "read_into",
    "read_ranges",
    "read_text",
    "swap_offsets",
    "swap_types",
    "tally",
    "translate",
]

NO_PFN = 2**64 - 1
NO_SWAP_TYPE: int = lib.PM_NO_SWAP_TYPE
READ_BLOCK: int = lib.PM_READ_BLOCK
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
allocate = ffi.new_allocator(should_clear_after_alloc=False)

# translate(fd, address, page_shift) -> physical address in bytes, or -errno. Bare, because a
# wrapper would cost as much as the call.
translate = lib.pm_translate


def checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def view_of(cdata: Any, form: str) -> memoryview:
    view: Any = memoryview(ffi.buffer(cdata))
    result: memoryview = view.cast(form)
    return result


def entries_of(entries: memoryview) -> Any:
    return ffi.from_buffer("uint64_t[]", entries)


def aligned(view: memoryview) -> bool:
    """Whether the memory of `view` begins at a multiple of 8 bytes, as an entry must."""
    return len(view) == 0 or address_of(view) % 8 == 0


def address_of(buffer: Any) -> int:
    """Where the memory of a buffer begins."""
    return int(ffi.cast("uintptr_t", ffi.from_buffer(buffer)))


def range_table_of(words: Sequence[int]) -> Any:
    """A table of struct pm_range out of two numbers for each: for less than out of tuples."""
    return ffi.from_buffer("struct pm_range[]", struct.pack(f"={len(words)}Q", *words))


def read(source: Source, vpn: int, count: int) -> memoryview:
    """The entries of `count` pages from `vpn` on; fewer where the address space ends."""
    out = allocate("uint64_t[]", count)
    got = checked(_read(source, vpn, count, out))
    return view_of(out, "Q")[:got].toreadonly()


def _read(source: Source, vpn: int, count: int, out: Any) -> int:
    if isinstance(source, int):
        return int(lib.pm_read(source, vpn, count, out))
    return source.read(vpn, count, out)


def read_into(source: Source, view: memoryview, vpn: int, count: int) -> int:
    """Read `count` entries into the writable, contiguous `view`; returns how many there were.

    Raises ValueError when its memory is not aligned to the 8 bytes of an entry.
    """
    raw = ffi.from_buffer("uint8_t[]", view, require_writable=True)
    if int(ffi.cast("uintptr_t", raw)) % 8:
        raise UsageError("the buffer must be aligned to 8 bytes, the size of an entry")
    return checked(_read(source, vpn, count, ffi.cast("uint64_t *", raw)))


def read_text(fd: int, view: memoryview, offset: int) -> int:
    """Read text into the writable `view` until it is full or the file ends; returns the bytes."""
    with ffi.from_buffer("char[]", view, require_writable=True) as out:
        got = lib.pm_read_text(fd, offset, len(view), out)
    return checked(got)


def read_ranges(source: Source, ranges: Sequence[tuple[int, int]]) -> tuple[memoryview, list[int]]:
    """The entries of many ranges ``(vpn, count)`` in a row, and how many each range has."""
    capacity = sum(count for _, count in ranges)
    out = allocate("uint64_t[]", capacity)
    stored = allocate("uint64_t[]", len(ranges))
    table = ffi.new("struct pm_range[]", list(ranges))
    if isinstance(source, int):
        got = lib.pm_read_ranges(source, table, len(ranges), out, capacity, stored)
    else:
        got = source.read_ranges(table, out, stored)
    checked(got)
    return view_of(out, "Q")[:got].toreadonly(), ffi.unpack(stored, len(ranges)) if ranges else []


def alive(fd: int) -> bool:
    """Whether the address space behind this pagemap still exists."""
    return checked(lib.pm_alive(fd)) == 1


def pfns(entries: memoryview) -> memoryview:
    """The PFN of each entry; `NO_PFN` where it is hidden or there is none."""
    out = allocate("uint64_t[]", len(entries))
    lib.pm_pfns(entries_of(entries), len(entries), out)
    return view_of(out, "Q").toreadonly()


def addresses(start: int, page_size: int, count: int) -> memoryview:
    """The addresses, in bytes, of `count` pages from `start` on."""
    out = allocate("uint64_t[]", count)
    lib.pm_addresses(start, page_size, count, out)
    return view_of(out, "Q").toreadonly()


def bits(entries: memoryview, bit: int) -> memoryview:
    """Whether each entry has `bit`; format ?, which numpy masks with."""
    out = allocate("uint8_t[]", len(entries))
    lib.pm_bits(entries_of(entries), len(entries), bit, out)
    return view_of(out, "?").toreadonly()


def swap_types(entries: memoryview, hidden: bool) -> memoryview:
    """The swap area of each entry; `NO_SWAP_TYPE` where it is hidden or there is none; format B."""
    out = allocate("uint8_t[]", len(entries))
    lib.pm_swap_types(entries_of(entries), len(entries), hidden, out)
    return view_of(out, "B").toreadonly()


def swap_offsets(entries: memoryview, hidden: bool) -> memoryview:
    """The page in the swap area of each entry; `NO_PFN` where it is hidden or there is none."""
    out = allocate("uint64_t[]", len(entries))
    lib.pm_swap_offsets(entries_of(entries), len(entries), hidden, out)
    return view_of(out, "Q").toreadonly()


def kinds(entries: memoryview, table: bytes) -> memoryview:
    """The kind of each entry (flags.ENTRY_KINDS), format B; `table` has that of each type.

    `table` is what `pagemap._kernel.swap_types.kinds` gives.
    """
    out = allocate("uint8_t[]", len(entries))
    types = ffi.from_buffer("uint8_t[]", table)
    lib.pm_entry_kinds_of(entries_of(entries), len(entries), types, out)
    return view_of(out, "B").toreadonly()


def kind_counts(entries: memoryview, table: bytes) -> list[int]:
    """How many entries there are of each kind, by its number."""
    out = ffi.new("uint64_t[]", lib.PM_ENTRY_KINDS)
    types = ffi.from_buffer("uint8_t[]", table)
    lib.pm_entry_kinds_count(entries_of(entries), len(entries), types, out)
    return list(out)


def tally(entries: memoryview) -> tuple[int, ...]:
    """How many entries carry each flag, in the order of `COUNTS`."""
    counts = ffi.new("struct pm_tally *")
    lib.pm_tally_add(entries_of(entries), len(entries), counts)
    return tuple(getattr(counts, name) for name in COUNTS)
