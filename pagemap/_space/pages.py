"""The entries of a range of pages, and one page at a time where somebody asks.

The data stay in one read-only buffer of 64-bit entries; columns and counts are made from it in C,
and a `Page` only when it is indexed or iterated. The bits are those of pagemap_read in the kernel's
fs/proc/task_mmu.c.
"""

from __future__ import annotations

import sys
from errno import ENOTSUP

from pagemap import _native
from pagemap._errors import Unsupported, UsageError
from pagemap._kernel import told
from pagemap._kernel.swap_types import kind_of
from pagemap._native import COUNTS, NO_PFN
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.flags import ENTRY_FLAGS, PFN_BITS, SWAP_TYPE_BITS, entry_flag
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.words import choices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, overload

__all__ = ["COLUMNS", "NO_PFN", "Counts", "Page", "Pages"]

_PLACE = (1 << PFN_BITS) - 1
_SWAP_TYPE = (1 << SWAP_TYPE_BITS) - 1

MAYBE = ("soft_dirty", "exclusive", "uffd_wp", "guard")
"""The flags that not every kernel tells: None, and no column, where it does not."""

_MAYBE = sum(1 << entry_flag(name).bit for name in MAYBE)

COLUMNS = ("address", "pfn", *(flag.name for flag in ENTRY_FLAGS), "swap_type", "swap_offset")
"""The columns that `Pages.column` gives, in the order of the CSV dump."""


def _bit(name: str) -> property:
    flag = entry_flag(name)

    def get(self: Page) -> bool | None:
        return bool(self.entry >> flag.bit & 1) if self.told >> flag.bit & 1 else None

    if flag.name not in MAYBE:
        return property(
            lambda self: bool(self.entry >> flag.bit & 1),
            doc=f"Whether the page is {flag.meaning} (bit {flag.bit}, since {flag.since}).",
        )
    return property(
        get,
        doc=f"Whether the page is {flag.meaning} (bit {flag.bit}, since {flag.since}). None where "
        "this kernel does not tell.",
    )


_NOT_TOLD = "None where this kernel does not tell"


class Counts(Record):
    """How many pages carry each flag."""

    pages: int = field("pages", "all of them, touched or not")
    present: int = field("pages", "those that an entry marks as present")
    swapped: int = field("pages", "those with bit 62: swap, migration, markers and guards alike")
    file_or_shared: int = field("pages", "present, of a file or of shared anonymous memory")
    exclusive: int | None = field(
        "pages",
        f"present, and mapped nowhere else by the page table's word (see Page); {_NOT_TOLD}",
    )
    soft_dirty: int | None = field("pages", f"written since bits were cleared; {_NOT_TOLD}")
    uffd_wp: int | None = field("pages", f"write-protected by userfaultfd; {_NOT_TOLD}")
    guard: int | None = field("pages", f"in a guard region; {_NOT_TOLD}")
    anonymous: int = field("pages", "present, neither of a file nor shared")


class _PageFields(Record):
    address: int = field("bytes", "address of its first byte")
    entry: int = field("", "the 64-bit word that the kernel gave for it")
    page_size: int = field("bytes", "its size")
    pfns_visible: bool = field("", "whether the kernel shows PFNs and places in swap")
    told: int = field("", "the flags that this kernel tells at all, bits of an entry", told.ALL)


class Page(_PageFields):
    """One page: `address` in bytes, and the raw 64-bit `entry` that the kernel gave for it.

    `exclusive` is the page table's word, bit 56. Where a PMD maps a huge page, Linux 6.15 and later
    give all of its pages the word of the first (pagemap_pmd_range in fs/proc/task_mmu.c), so that
    after a fork it can be wrong of all others. By the map count of each page, where that can be
    read (root), go `Process.tally`, `Process.columns` and `dump`.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        present: bool
        swapped: bool
        file_or_shared: bool
        soft_dirty: bool | None
        exclusive: bool | None
        uffd_wp: bool | None
        guard: bool | None
    else:
        present = _bit("present")
        swapped = _bit("swapped")
        file_or_shared = _bit("file_or_shared")
        soft_dirty = _bit("soft_dirty")
        exclusive = _bit("exclusive")
        uffd_wp = _bit("uffd_wp")
        guard = _bit("guard")

    @property
    def pfn(self) -> int | None:
        """The page frame number; None when the page is not present, or the kernel hides it."""
        place = self.entry & _PLACE
        return place if place and self.present else None

    @property
    def physical_address(self) -> int | None:
        """The physical address of the page's first byte; None where `pfn` is."""
        pfn = self.pfn
        return None if pfn is None else pfn * self.page_size

    @property
    def kind(self) -> str:
        """What the entry is: none, present, swap, guard, marker, migrating, poisoned, device.

        Those from swap on have bit 62, but for markers in hugetlb mappings. Without CAP_SYS_ADMIN
        the kernel tells guards alone, and all others of them are hidden.
        """
        return kind_of(self.entry)

    @property
    def swap_type(self) -> int | None:
        """The type of an entry with bit 62: a swap area only where `kind` is swap.

        None without, or hidden.
        """
        return self.entry & _SWAP_TYPE if self.swapped and self.pfns_visible else None

    @property
    def swap_offset(self) -> int | None:
        """The page within the swap area; None when not swapped, or hidden."""
        if not (self.swapped and self.pfns_visible):
            return None
        return (self.entry & _PLACE) >> SWAP_TYPE_BITS

    def __repr__(self) -> str:
        pfn = "-" if self.pfn is None else f"{self.pfn:#x}"
        flags = " ".join(flag.name for flag in ENTRY_FLAGS if self.entry >> flag.bit & 1)
        return f"<Page {self.address:#x} pfn={pfn} {flags or 'untouched'}>"


class Pages:
    """The pages of a range, a sequence of `Page` over one buffer.

    `entries` is a read-only memoryview of format ``Q``, one item for each page from address `start`
    on. Slices share it. ``numpy.asarray(pages)`` is an array of the entries, over the same buffer.

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     mapping = process.maps()[0]
    ...     pages = process.pages(mapping)
    >>> len(pages) * pages.page_size == mapping.size
    True
    """

    __slots__ = ("entries", "page_size", "pfns_visible", "start", "told")

    def __init__(
        self,
        entries: memoryview,
        *,
        start: int,
        page_size: int,
        pfns_visible: bool,
        told: int = told.ALL,
    ) -> None:
        if entries.format != "Q" or entries.ndim != 1:
            raise ValueError("entries must be a one-dimensional memoryview of format 'Q'")
        if not _native.aligned(entries):
            raise ValueError("entries must be aligned to 8 bytes, the size of one")
        self.entries = entries.toreadonly()
        self.start = start
        self.page_size = page_size
        self.pfns_visible = pfns_visible
        self.told = told

    @classmethod
    def over(
        cls, entries: memoryview, start: int, page_size: int, pfns_visible: bool, told: int
    ) -> Pages:
        """The same for entries known to be read-only and of format Q, without looking again."""
        self = cls.__new__(cls)
        self.entries = entries
        self.start = start
        self.page_size = page_size
        self.pfns_visible = pfns_visible
        self.told = told
        return self

    @property
    def end(self) -> int:
        """The address, in bytes, past the last page."""
        return self.start + len(self.entries) * self.page_size

    def __len__(self) -> int:
        return len(self.entries)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> Page: ...
        @overload
        def __getitem__(self, index: slice) -> Pages: ...

    # typing, which has overload, costs more to import than all of this: hence the two blocks
    def __getitem__(self, index: int | slice) -> Page | Pages:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self.entries))
            if step != 1:
                raise ValueError("pages are sliced in steps of one; use entries for others")
            return self._part(first, max(first, last))
        if index < 0:
            index += len(self.entries)
        if not 0 <= index < len(self.entries):
            raise IndexError(f"page {index} of {len(self.entries)}")
        return self._page(index)

    def __iter__(self) -> Iterator[Page]:
        return map(self._page, range(len(self.entries)))

    def __reversed__(self) -> Iterator[Page]:
        return map(self._page, reversed(range(len(self.entries))))

    def _page(self, index: int) -> Page:
        address = self.start + index * self.page_size
        return Page(address, self.entries[index], self.page_size, self.pfns_visible, self.told)

    def _part(self, first: int, last: int) -> Pages:
        return Pages(
            self.entries[first:last],
            start=self.start + first * self.page_size,
            page_size=self.page_size,
            pfns_visible=self.pfns_visible,
            told=self.told,
        )

    def at(self, address: int) -> Page:
        """The page that holds the byte at `address`. Raises IndexError outside these pages."""
        if not self.start <= address < self.end:
            raise IndexError(f"address {address:#x} is not in {self.start:#x}-{self.end:#x}")
        return self._page((address - self.start) // self.page_size)

    def between(self, start: int, end: int) -> Pages:
        """Those pages that hold any byte from `start` up to, without, `end`; perhaps none."""
        count = len(self.entries)
        check_int("start", start, 0, 1 << 64)
        check_int("end", end, 0, (1 << 64) + 1)
        if start >= end:  # no byte, even where both lie inside a page
            return self._part(0, 0)
        first = min(max(0, (start - self.start) // self.page_size), count)
        last = min(max(first, -((self.start - end) // self.page_size)), count)
        return self._part(first, last)

    def counts(self) -> Counts:
        """How many pages carry each flag, all counted in one pass.

        A count is None where this kernel does not tell the flag. That of `exclusive` is of the
        entries as they are: see `Page` for huge pages, and `Process.tally` for what holds of them.
        """
        counts = Counts(*_native.tally(self.entries))
        if self.told & _MAYBE == _MAYBE:
            return counts
        known: Any = counts._asdict()
        known.update((name, None) for name in MAYBE if not self.told >> entry_flag(name).bit & 1)
        return Counts(**known)

    def count(self, name: str) -> int:
        """How many pages carry the flag `name`, one of the fields of `counts()`.

        Raises UsageError for another name, Unsupported for a flag that this kernel does not tell.
        """
        if name not in COUNTS:
            raise UsageError(f"no count is called {name!r}. {choices(str(name), COUNTS)}")
        self._require(name)
        return int(getattr(self.counts(), name))

    def pfns(self) -> memoryview:
        """The page frame numbers (Q); `NO_PFN`, all bits set, where none is known."""
        return _native.pfns(self.entries)

    def addresses(self) -> memoryview:
        """The addresses in bytes, format Q."""
        return _native.addresses(self.start, self.page_size, len(self.entries))

    def column(self, name: str) -> memoryview:
        """One of `COLUMNS` as a read-only buffer with an item for each page.

        Flags are booleans (format ?), `swap_type` is 255 where there is none (B), `address`, `pfn`
        and `swap_offset` are numbers (Q), the latter two with all bits set where there is none.
        Raises UsageError for another name, Unsupported for a flag that this kernel does not tell.

        ``numpy.asarray`` sees these types, and a column of flags masks. ``numpy.frombuffer`` does
        not ask for them: it takes every buffer for floats unless it is given a dtype.
        """
        if name == "address":
            return self.addresses()
        if name == "pfn":
            return self.pfns()
        if name == "swap_type":
            return _native.swap_types(self.entries, not self.pfns_visible)
        if name == "swap_offset":
            return _native.swap_offsets(self.entries, not self.pfns_visible)
        if name not in COLUMNS:
            raise UsageError(f"no column is called {name!r}. {choices(str(name), COLUMNS)}")
        self._require(name)
        return _native.bits(self.entries, entry_flag(name).bit)

    def _require(self, name: str) -> None:
        if name in MAYBE and not self.told >> entry_flag(name).bit & 1:
            raise Unsupported(told.why_not(name), errno=ENOTSUP, operation="read the page table")

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """What numpy asks for, in whose eyes this would be a sequence of tuples of floats."""
        order = "<" if sys.byteorder == "little" else ">"
        return {
            "version": 3,
            "shape": (len(self.entries),),
            "typestr": f"{order}u8",
            "data": self.entries,
        }

    def __arrow_c_schema__(self) -> object:
        """The schema, for consumers of Arrow: the columns of `Process.columns`, as entries tell."""
        from pagemap._space.page_arrow import schema_of

        return schema_of(self.page_size, self.pfns_visible)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """These pages, for consumers of Arrow; in our schema, whichever is asked for.

        They are copied, and made columns of batch by batch, as the consumer takes them. Raises
        UsageError where `start` is no multiple of `page_size`, or that is no power of two.
        """
        from pagemap._space.page_arrow import stream_of

        return stream_of(self.entries, self.start, self.page_size, self.pfns_visible, self.told)

    def __repr__(self) -> str:
        return f"<Pages {self.start:#x}-{self.end:#x} {len(self.entries)} pages>"

    def __reduce__(self) -> tuple[Callable[..., Pages], tuple[bytes, int, int, bool, int]]:
        state = self.entries.tobytes(), self.start, self.page_size, self.pfns_visible, self.told
        return _restore, state


def _restore(
    entries: bytes, start: int, page_size: int, pfns_visible: bool, told: int = told.ALL
) -> Pages:
    view = memoryview(entries).cast("Q")
    return Pages(view, start=start, page_size=page_size, pfns_visible=pfns_visible, told=told)
