"""The flags of page table entries and scans: each bit is named once, here.

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
    """A bit of an integer that the kernel gives."""

    name: str = field("", "its name, in Python's spelling")
    bit: int = field("", "its number, 0 for the lowest")
    letter: str = field("", "one character that stands for it")
    meaning: str = field("", "what it says about a page")
    since: str = field("", "the version of Linux that first had it")


class Kind(Record):
    """What an entry can be."""

    name: str = field("", "its name, in Python's spelling")
    number: int = field("", "its number in C")
    meaning: str = field("", "what it says about a page")


PFN_BITS = 55
"""Bits 0..54 of an entry: the PFN of a present page, or the place in swap of a swapped one."""

SWAP_TYPE_BITS = 5
"""The lowest of these bits are the number of the swap area; the others are the page within it."""

ENTRY_FLAGS = (
    Flag("soft_dirty", 55, "d", "written since the soft-dirty bits were last cleared", "3.11"),
    Flag("file_or_shared", 61, "f", "page of a file, or shared anonymous memory", "3.5"),
    Flag("swapped", 62, "s", "in swap; set for guard, marker, poisoned and the like too", "2.6.25"),
    Flag("present", 63, "p", "in memory and mapped", "2.6.25"),
    Flag("exclusive", 56, "x", "mapped by this page table only", "4.2"),
    Flag("uffd_wp", 57, "w", "write-protected through userfaultfd", "5.13"),
    Flag("guard", 58, "g", "guard region (MADV_GUARD_INSTALL)", "6.15"),
)
"""The flags of an entry (pagemap_read in fs/proc/task_mmu.c), in the dump's order."""

ENTRY_KINDS = (
    Kind("none", 0, "empty entry"),
    Kind("present", 1, "in memory and mapped"),
    Kind("swap", 2, "in a swap area"),
    Kind("guard", 3, "guard region (MADV_GUARD_INSTALL): every access faults"),
    Kind("marker", 4, "no page, but write-protected through userfaultfd"),
    Kind("migrating", 5, "in memory, being moved to another frame"),
    Kind("poisoned", 6, "hardware memory error, or declared one (UFFDIO_POISON)"),
    Kind("device", 7, "in use by a device, which holds the page"),
    Kind("hidden", 8, "any kind from swap to device: the kernel hides which"),
)
"""What an entry is, one kind for each (enum pm_entry_kind in csrc/kernel/entry_kinds.cdef.h).

Bit 62, which the kernel calls swapped, is set for all from swap on, but for hugetlb's markers.
"""

PAGE_WORDS = (
    *((flag.name, flag.meaning) for flag in ENTRY_FLAGS if flag.name not in ("swapped", "guard")),
    *((kind.name, kind.meaning) for kind in ENTRY_KINDS if 2 <= kind.number < 8),
)
"""The words by which a dump selects pages, and their meanings: the flags of an entry and, in place
of bit 62, the kinds of entries that have it set."""

SCAN_CATEGORIES = (
    Flag("wpallowed", 0, "a", "registered for asynchronous write-protection", "6.7"),
    Flag("written", 1, "w", "not write-protected (with wpallowed: written since then)", "6.7"),
    Flag("file", 2, "f", "page of a file, or shared anonymous memory", "6.7"),
    Flag("present", 3, "p", "in memory and mapped", "6.7"),
    Flag("swap", 4, "s", "in a swap area", "6.7"),
    Flag("pfnzero", 5, "z", "the zero page", "6.7"),
    Flag("huge", 6, "h", "present, mapped by a huge entry (THP or hugetlb)", "6.7"),
    Flag("soft_dirty", 7, "d", "written since the soft-dirty bits were last cleared", "6.7"),
    Flag("guard", 8, "g", "guard region (MADV_GUARD_INSTALL)", "6.15"),
)
"""The categories of the PAGEMAP_SCAN ioctl (PAGE_IS_* in include/uapi/linux/fs.h).

`swap` has only those pages of the kernel's PAGE_IS_SWAPPED that are in a swap area: see
`pagemap._analyses.categories`.
"""


def entry_flag(name: str) -> Flag:
    """The flag of a pagemap entry called `name`. Raises KeyError for a name that no flag has."""
    for flag in ENTRY_FLAGS:
        if flag.name == name:
            return flag
    raise KeyError(name)
