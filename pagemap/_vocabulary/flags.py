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
    "PAGE_FLAGS",
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

PAGE_FLAGS = (
    Flag("locked", 0, "L", "locked, for I/O or while it is changed", "2.6.25"),
    Flag("error", 1, "E", "an I/O error (no longer used)", "2.6.25"),
    Flag("referenced", 2, "R", "used since reclaim last looked", "2.6.25"),
    Flag("uptodate", 3, "U", "its content is valid", "2.6.25"),
    Flag("dirty", 4, "D", "written, and not yet stored", "2.6.25"),
    Flag("lru", 5, "l", "on one of the lists of reclaim", "2.6.25"),
    Flag("active", 6, "A", "on an active list of reclaim", "2.6.25"),
    Flag("slab", 7, "S", "of the kernel's slab allocator", "2.6.25"),
    Flag("writeback", 8, "W", "being written to its file or to swap", "2.6.25"),
    Flag("reclaim", 9, "I", "to be reclaimed soon; without writeback: read ahead", "2.6.25"),
    Flag("buddy", 10, "B", "free", "2.6.25"),
    Flag("mmap", 11, "M", "mapped by a process", "2.6.31"),
    Flag("anonymous", 12, "a", "mapped, and of no file", "2.6.31"),
    Flag("swapcache", 13, "s", "has a place in swap", "2.6.31"),
    Flag("swapbacked", 14, "b", "would go to swap: anonymous, or of shared memory", "2.6.31"),
    Flag("compound_head", 15, "H", "first of several frames allocated as one", "2.6.31"),
    Flag("compound_tail", 16, "T", "of several frames allocated as one, not the first", "2.6.31"),
    Flag("huge", 17, "G", "hugetlb", "2.6.31"),
    Flag("unevictable", 18, "u", "not to be reclaimed", "2.6.31"),
    Flag("hwpoison", 19, "X", "broken memory, not to be touched", "2.6.32"),
    Flag("nopage", 20, "n", "no frame has this number", "2.6.31"),
    Flag("ksm", 21, "x", "merged with others of the same content (KSM)", "2.6.32"),
    Flag("thp", 22, "t", "of a transparent huge page of any size", "3.4"),
    Flag("offline", 23, "o", "logically offline: ballooned, say", "5.1"),
    Flag("zero_page", 24, "z", "the page of zeros, huge or not", "4.0"),
    Flag("idle", 25, "i", "not used since it was marked idle", "4.3"),
    Flag("pgtable", 26, "g", "a page table", "4.18"),
    Flag("reserved", 32, "r", "not the allocator's (a hint: kernel-internal)", "2.6.31"),
    Flag("mlocked", 33, "m", "locked in memory by mlock (a hint)", "2.6.31"),
    Flag("owner_2", 34, "d", "its owner's own; anonymous: exclusive (a hint)", "2.6.31"),
    Flag("private", 35, "P", "its file system keeps data with it (a hint)", "2.6.31"),
    Flag("private_2", 36, "p", "its file system's, for a cache (a hint)", "2.6.31"),
    Flag("owner_private", 37, "O", "its owner's own (a hint)", "2.6.31"),
    Flag("arch", 38, "h", "the architecture's own (a hint)", "2.6.31"),
    Flag("uncached", 39, "c", "not cached by the processor (a hint; no longer used)", "2.6.31"),
    Flag("softdirty", 40, "f", "written since the last clear (a hint)", "3.11"),
    Flag("arch_2", 41, "H", "the architecture's own (a hint)", "5.10"),
    Flag("arch_3", 42, "J", "the architecture's own (a hint)", "6.2"),
    Flag("anon_exclusive", 47, "d", "owner_2 of an anonymous page: of one process", "5.19"),
    Flag("readahead", 48, "I", "reclaim without writeback: where reading ahead goes on", "2.6.31"),
    Flag("slub_frozen", 50, "A", "active of a slab", "2.6.31"),
    Flag("slub_debug", 51, "E", "error of a slab", "2.6.31"),
    Flag("file", 61, "F", "of the page table: page of a file, or shared memory", "3.5"),
    Flag("swap", 62, "w", "of the page table: in swap, or marked (a guard, say)", "2.6.31"),
    Flag("mmap_exclusive", 63, "1", "of the page table: mapped nowhere else", "4.2"),
)
"""The flags of a frame: KPF_* of include/uapi/linux/kernel-page-flags.h (bits 0..26, stable) and of
include/linux/kernel-page-flags.h (32..42: hints, which may change from kernel to kernel).

From bit 47 on no kernel's word has them: there the tool page-types puts a flag whose bit means
another thing in this place, and what it knows from the page table; bits and letters are its own.
"""


def entry_flag(name: str) -> Flag:
    """The flag of a pagemap entry called `name`. Raises KeyError for a name that no flag has."""
    for flag in ENTRY_FLAGS:
        if flag.name == name:
            return flag
    raise KeyError(name)
