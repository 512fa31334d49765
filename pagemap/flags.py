"""The one vocabulary: each bit of the kernel's words, spelled once.

Help texts, column names, legends and `doctor` come from these tables, so a name means the same
everywhere. The names are the kernel's own (Documentation/admin-guide/mm/pagemap.rst), in Python's
spelling.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Flag(NamedTuple):
        """A bit of a word: its number, name, letter, meaning, and the kernel that first had it."""

        name: str
        bit: int
        letter: str
        meaning: str
        since: str
else:
    Flag = namedtuple("Flag", ("name", "bit", "letter", "meaning", "since"))

__all__ = ["ENTRY_FLAGS", "PFN_BITS", "SCAN_CATEGORIES", "SWAP_TYPE_BITS", "Flag", "entry_flag"]

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

SCAN_CATEGORIES = (
    Flag("wpallowed", 0, "a", "registered for asynchronous write-protection", "6.7"),
    Flag("written", 1, "w", "not write-protected (with wpallowed: written since)", "6.7"),
    Flag("file", 2, "f", "page of a file, or shared anonymous memory", "6.7"),
    Flag("present", 3, "p", "in memory, mapped here", "6.7"),
    Flag("swapped", 4, "s", "in swap", "6.7"),
    Flag("pfnzero", 5, "z", "the zero page", "6.7"),
    Flag("huge", 6, "h", "mapped by a huge page-table entry (THP or hugetlb)", "6.7"),
    Flag("soft_dirty", 7, "d", "written since the last clear of soft-dirty bits", "6.7"),
    Flag("guard", 8, "g", "guard region (MADV_GUARD_INSTALL)", "6.15"),
)
"""The categories of the PAGEMAP_SCAN ioctl (PAGE_IS_* in include/uapi/linux/fs.h)."""


def entry_flag(name: str) -> Flag:
    """The flag of a pagemap entry called `name`. Raises KeyError for a name that no flag has."""
    for flag in ENTRY_FLAGS:
        if flag.name == name:
            return flag
    raise KeyError(name)
