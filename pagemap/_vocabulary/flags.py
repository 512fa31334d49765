"""The one vocabulary: each bit of the kernel's words, spelled once.

Help texts, column names, legends and `doctor` come from these tables, so a name means the same
everywhere. The names are the kernel's own (Documentation/admin-guide/mm/pagemap.rst), in Python's
spelling.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field

__all__ = [
    "ENTRY_FLAGS",
    "ENTRY_KINDS",
    "PAGE_WORDS",
    "PFN_BITS",
    "SCAN_CATEGORIES",
    "SWAP_TYPE_BITS",
    "Flag",
    "Kind",
    "entry_flag",
]


class Flag(Record):
    """A bit of a word of the kernel's."""

    name: str = field("", "its name, in Python's spelling")
    bit: int = field("", "its number, 0 for the lowest")
    letter: str = field("", "the character that stands for it where room is scarce")
    meaning: str = field("", "what it says of a page")
    since: str = field("", "the version of Linux that first had it")


class Kind(Record):
    """What an entry can be."""

    name: str = field("", "its name, in Python's spelling")
    number: int = field("", "its number in C")
    meaning: str = field("", "what it says of a page")


PFN_BITS = 55
"""Bits 0..54 of an entry: the PFN of a present page, or the place in swap of a swapped one."""

SWAP_TYPE_BITS = 5
"""Of those, bits 0..4 number the swap area, the others the page in it."""

ENTRY_FLAGS = (
    Flag("soft_dirty", 55, "d", "written since the last clear of soft-dirty bits", "3.11"),
    Flag("file_or_shared", 61, "f", "page of a file, or shared anonymous memory", "3.5"),
    Flag("swapped", 62, "s", "in swap (also: under migration, poisoned, or a marker)", "2.6.25"),
    Flag("present", 63, "p", "in memory, mapped here", "2.6.25"),
    Flag("exclusive", 56, "x", "mapped by this page table alone", "4.2"),
    Flag("uffd_wp", 57, "w", "write-protected through userfaultfd", "5.13"),
    Flag("guard", 58, "g", "guard region (MADV_GUARD_INSTALL)", "6.15"),
)
"""The flags of an entry (pagemap_read in fs/proc/task_mmu.c), in the dump's order."""

ENTRY_KINDS = (
    Kind("none", 0, "nothing is there"),
    Kind("present", 1, "in memory, mapped here"),
    Kind("swap", 2, "in swap, truly: a place in a swap area"),
    Kind("guard", 3, "guard region (MADV_GUARD_INSTALL): no page can be there"),
    Kind("marker", 4, "protected through userfaultfd, and no page is there"),
    Kind("migrating", 5, "of memory, and being moved in this moment"),
    Kind("poisoned", 6, "broken memory, or declared to be (UFFDIO_POISON)"),
    Kind("device", 7, "held by a device"),
    Kind("hidden", 8, "in swap, or one of the others: the kernel hides which"),
)
"""What an entry is, one kind for each (enum pm_entry_kind in csrc/kernel/entry_kinds.cdef.h).

Bit 62, which the kernel calls swapped, is set for all from swap on, but for hugetlb's markers.
"""

PAGE_WORDS = (
    *((flag.name, flag.meaning) for flag in ENTRY_FLAGS if flag.name not in ("swapped", "guard")),
    *((kind.name, kind.meaning) for kind in ENTRY_KINDS if 2 <= kind.number < 8),
)
"""The words that pages of a dump may be chosen by, and what each means: flags but for the raw bit
62, and in its place the kinds of entries that have it."""

SCAN_CATEGORIES = (
    Flag("wpallowed", 0, "a", "registered for asynchronous write-protection", "6.7"),
    Flag("written", 1, "w", "not write-protected (with wpallowed: written since)", "6.7"),
    Flag("file", 2, "f", "page of a file, or shared anonymous memory", "6.7"),
    Flag("present", 3, "p", "in memory, mapped here", "6.7"),
    Flag("swap", 4, "s", "in swap, truly: a place in a swap area", "6.7"),
    Flag("pfnzero", 5, "z", "the zero page", "6.7"),
    Flag("huge", 6, "h", "present, by a huge page-table entry (THP or hugetlb)", "6.7"),
    Flag("soft_dirty", 7, "d", "written since the last clear of soft-dirty bits", "6.7"),
    Flag("guard", 8, "g", "guard region (MADV_GUARD_INSTALL)", "6.15"),
)
"""The categories of the PAGEMAP_SCAN ioctl (PAGE_IS_* in include/uapi/linux/fs.h).

`swap` is what of the kernel's PAGE_IS_SWAPPED is in swap: see `pagemap._analyses.categories`.
"""


def entry_flag(name: str) -> Flag:
    """The flag of a pagemap entry called `name`. Raises KeyError for a name that no flag has."""
    for flag in ENTRY_FLAGS:
        if flag.name == name:
            return flag
    raise KeyError(name)
