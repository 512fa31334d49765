"""The flags of frames, as in /proc/kpageflags: each is named once, here."""

from __future__ import annotations

from enum import IntFlag

from pagemap._vocabulary.flags import Flag

__all__ = ["PAGE_FLAGS", "PageFlag"]


class PageFlag(IntFlag):
    """The flags of a frame, with the kernel's names and bits. Unknown bits are kept.

    Each flag has a `letter` (one character that stands for it), a `meaning`, and `since`, the
    version of Linux that first had it. They are KPF_* of include/uapi/linux/kernel-page-flags.h
    (bits 0..26, stable) and of include/linux/kernel-page-flags.h (32..42: hints, which may change
    from kernel to kernel).

    The kernel never sets bits from 47 on. The tool page-types uses them, with letters of its own,
    for flags whose meaning depends on other flags, and for what it reads in the page table;
    pagemap uses the same, and bits 52 to 56 for entries that are neither present nor in swap.

    >>> import pagemap
    >>> flags = pagemap.PageFlag(0x1028)  # as Frame.flags
    >>> pagemap.PageFlag.ANONYMOUS in flags, pagemap.PageFlag.ANONYMOUS.letter
    (True, 'a')
    """

    _value_: int
    letter: str
    meaning: str
    since: str

    def __new__(cls, value: int, letter: str = "", meaning: str = "", since: str = "") -> PageFlag:
        self = int.__new__(cls, value)
        self._value_ = value
        self.letter, self.meaning, self.since = letter, meaning, since
        return self

    LOCKED = 1 << 0, "L", "locked during I/O or while it is changed", "2.6.25"
    ERROR = 1 << 1, "E", "an I/O error (no longer used)", "2.6.25"
    REFERENCED = 1 << 2, "R", "accessed since reclaim last checked", "2.6.25"
    UPTODATE = 1 << 3, "U", "its contents are valid", "2.6.25"
    DIRTY = 1 << 4, "D", "modified and not yet written back", "2.6.25"
    LRU = 1 << 5, "l", "on an LRU list", "2.6.25"
    ACTIVE = 1 << 6, "A", "on an active LRU list", "2.6.25"
    SLAB = 1 << 7, "S", "used by the slab allocator", "2.6.25"
    WRITEBACK = 1 << 8, "W", "being written back to its file or to swap", "2.6.25"
    RECLAIM = 1 << 9, "I", "to be reclaimed soon; without writeback: readahead mark", "2.6.25"
    BUDDY = 1 << 10, "B", "free, in the buddy allocator", "2.6.25"
    MMAP = 1 << 11, "M", "mapped by a process", "2.6.31"
    ANONYMOUS = 1 << 12, "a", "mapped anonymous memory", "2.6.31"
    SWAPCACHE = 1 << 13, "s", "in the swap cache: it has a slot in a swap area", "2.6.31"
    SWAPBACKED = 1 << 14, "b", "backed by swap: anonymous or shared memory", "2.6.31"
    COMPOUND_HEAD = 1 << 15, "H", "first frame of a compound page", "2.6.31"
    COMPOUND_TAIL = 1 << 16, "T", "frame of a compound page, not the first", "2.6.31"
    HUGE = 1 << 17, "G", "hugetlb page", "2.6.31"
    UNEVICTABLE = 1 << 18, "u", "cannot be reclaimed", "2.6.31"
    HWPOISON = 1 << 19, "X", "hardware memory error: not to be accessed", "2.6.32"
    NOPAGE = 1 << 20, "n", "no frame has this number", "2.6.31"
    KSM = 1 << 21, "x", "merged with pages of equal contents (KSM)", "2.6.32"
    THP = 1 << 22, "t", "part of a transparent huge page of any size", "3.4"
    OFFLINE = 1 << 23, "o", "logically offline, as by a balloon driver", "5.1"
    ZERO_PAGE = 1 << 24, "z", "the zero page, small or huge", "4.0"
    IDLE = 1 << 25, "i", "not accessed since it was marked idle", "4.3"
    PGTABLE = 1 << 26, "g", "a page table", "4.18"
    RESERVED = 1 << 32, "r", "not managed by the page allocator (a hint)", "2.6.31"
    MLOCKED = 1 << 33, "m", "locked in memory by mlock (a hint)", "2.6.31"
    OWNER_2 = 1 << 34, "d", "depends on the owner; anonymous: exclusive (a hint)", "2.6.31"
    PRIVATE = 1 << 35, "P", "its file system attached data to it (a hint)", "2.6.31"
    PRIVATE_2 = 1 << 36, "p", "used by its file system for a cache (a hint)", "2.6.31"
    OWNER_PRIVATE = 1 << 37, "O", "depends on the owner (a hint)", "2.6.31"
    ARCH = 1 << 38, "h", "depends on the architecture (a hint)", "2.6.31"
    UNCACHED = 1 << 39, "c", "not cached by the processor (a hint; no longer used)", "2.6.31"
    SOFTDIRTY = 1 << 40, "f", "written since soft-dirty bits were cleared (a hint)", "3.11"
    ARCH_2 = 1 << 41, "H", "depends on the architecture (a hint)", "5.10"
    ARCH_3 = 1 << 42, "J", "depends on the architecture (a hint)", "6.2"
    ANON_EXCLUSIVE = 1 << 47, "d", "owner_2 of an anonymous page: of one process only", "5.19"
    READAHEAD = 1 << 48, "I", "reclaim without writeback: starts the next readahead", "2.6.31"
    SLUB_FROZEN = 1 << 50, "A", "active, on a slab page", "2.6.31"
    SLUB_DEBUG = 1 << 51, "E", "error, on a slab page", "2.6.31"
    GUARD = 1 << 52, "N", "from the page table: guard region", "6.13"
    MARKER = 1 << 53, "k", "from the page table: no page, write-protected by userfaultfd", "5.19"
    MIGRATING = 1 << 54, "v", "from the page table: being moved to another frame", "2.6.25"
    POISONED = 1 << 55, "Y", "from the page table: memory error", "2.6.32"
    DEVICE = 1 << 56, "V", "from the page table: in use by a device", "4.14"
    FILE = 1 << 61, "F", "from the page table: page of a file, or shared memory", "3.5"
    SWAP = 1 << 62, "w", "from the page table: in swap", "2.6.31"
    MMAP_EXCLUSIVE = 1 << 63, "1", "from the page table: mapped nowhere else", "4.2"


PAGE_FLAGS = tuple(
    Flag(name.lower(), each.bit_length() - 1, each.letter, each.meaning, each.since)
    for name, each in PageFlag.__members__.items()
)
"""The same flags as rows of a table, under the names that the command uses."""
