"""One page: its address and its entry, decoded."""

from __future__ import annotations

from pagemap._kernel import features
from pagemap._kernel.swap_types import kind_of
from pagemap._vocabulary.flags import ENTRY_FLAGS, PFN_BITS, SWAP_TYPE_BITS, entry_flag
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False

__all__ = ["MAYBE", "Page"]

_PLACE = (1 << PFN_BITS) - 1
_SWAP_TYPE = (1 << SWAP_TYPE_BITS) - 1

MAYBE = ("soft_dirty", "exclusive", "uffd_wp", "guard")
"""The flags that not every kernel tells: None, and no column, where it does not."""


def _bit(name: str) -> property:
    flag = entry_flag(name)

    def get(self: Page) -> bool | None:
        return bool(self.entry >> flag.bit & 1) if self.told >> flag.bit & 1 else None

    if flag.name not in MAYBE:
        return property(
            lambda self: bool(self.entry >> flag.bit & 1),
            doc=f"The flag {flag.name}: {flag.meaning} (bit {flag.bit}, since Linux {flag.since}).",
        )
    return property(
        get,
        doc=f"The flag {flag.name}: {flag.meaning} (bit {flag.bit}, since Linux {flag.since}). "
        "None where this kernel does not provide it.",
    )


class _PageFields(Record):
    address: int = field("bytes", "address of its first byte")
    entry: int = field("", "the 64-bit word that the kernel gave for it")
    page_size: int = field("bytes", "its size")
    pfns_visible: bool = field("", "whether the kernel shows PFNs and places in swap")
    told: int = field("", "the flags that this kernel tells at all, bits of an entry", features.ALL)


class Page(_PageFields):
    """One page: `address` in bytes, and the raw 64-bit `entry` that the kernel gave for it.

    `exclusive` is bit 56 of the entry. Where a PMD maps a huge page, Linux 6.15 and later give all
    of its pages the bit of the first (pagemap_pmd_range in fs/proc/task_mmu.c), so after a fork it
    can be wrong for the others. `Process.tally`, `Process.columns` and `dump` use the map count of
    each page, where that can be read (root).
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
