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
from pagemap._kernel import features
from pagemap._native import COUNTS, NO_PFN
from pagemap._space.page import MAYBE, Page
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.flags import ENTRY_FLAGS, entry_flag
from pagemap._vocabulary.names import unknown
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, overload

__all__ = ["COLUMNS", "NO_PFN", "Counts", "Pages"]

_MAYBE = sum(1 << entry_flag(name).bit for name in MAYBE)

COLUMNS = ("address", "pfn", *(flag.name for flag in ENTRY_FLAGS), "swap_type", "swap_offset")
"""The columns that `Pages.column` gives, in the order of the CSV dump."""


_NOT_TOLD = "None where this kernel does not tell"


class Counts(Record):
    """How many pages carry each flag: see `Pages.counts`."""

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


class Pages:
    """The pages of a range, a sequence of `Page` over one buffer.

    `entries` is a read-only memoryview of format ``Q``, one item for each page from address `start`
    on, of `page_size` bytes. Slices share it. ``numpy.asarray(pages)`` is an array of the entries,
    over the same buffer. `told` has the bits that this kernel tells, `pfns_visible` whether PFNs.

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
        told: int = features.ALL,
    ) -> None:
        if entries.format != "Q" or entries.ndim != 1:
            raise ValueError("entries must be a one-dimensional memoryview of format 'Q'")
        if not _native.aligned(entries):
            raise ValueError("entries must be aligned to 8 bytes, the size of one")
        self.entries: memoryview = entries.toreadonly()
        self.start: int = start
        self.page_size: int = page_size
        self.pfns_visible: bool = pfns_visible
        self.told: int = told

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
        """The page of a number, or the pages of a slice in steps of one."""
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
        check_int("start", start, 0, 1 << 64, address=True)
        check_int("end", end, 0, (1 << 64) + 1, address=True)
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
            raise UsageError(unknown("count", str(name), COUNTS))
        self._require(name)
        return int(getattr(self.counts(), name))

    def pfns(self) -> memoryview:
        """The page frame numbers (Q), with all bits set where none is known."""
        return _native.pfns(self.entries)

    def addresses(self) -> memoryview:
        """The addresses in bytes, format Q."""
        return _native.addresses(self.start, self.page_size, len(self.entries))

    def column(self, name: str) -> memoryview:
        """A field of `Page` as a read-only buffer with an item for each page.

        Flags are booleans (format ?), swap_type is 255 where there is none (B), address, pfn
        and swap_offset are numbers (Q), the latter two with all bits set where there is none.
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
            raise UsageError(unknown("column", str(name), COLUMNS))
        self._require(name)
        return _native.bits(self.entries, entry_flag(name).bit)

    def _require(self, name: str) -> None:
        if name in MAYBE and not self.told >> entry_flag(name).bit & 1:
            raise Unsupported(
                features.why_not(name), errno=ENOTSUP, operation="read the page table"
            )

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
    entries: bytes, start: int, page_size: int, pfns_visible: bool, told: int = features.ALL
) -> Pages:
    view = memoryview(entries).cast("Q")
    return Pages(view, start=start, page_size=page_size, pfns_visible=pfns_visible, told=told)
