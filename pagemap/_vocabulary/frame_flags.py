"""What a frame can be: the flags of /proc/kpageflags, each spelled once."""

from __future__ import annotations

from enum import IntFlag

from pagemap._vocabulary.flags import Flag

__all__ = ["PAGE_FLAGS", "PageFlag"]


class PageFlag(IntFlag):
    """What a frame can be; names and bits are the kernel's. Unknown bits are kept.

    Each has a `letter`, which stands for it where room is scarce, its `meaning`, and `since`, the
    version of Linux that first had it. They are KPF_* of include/uapi/linux/kernel-page-flags.h
    (bits 0..26, stable) and of include/linux/kernel-page-flags.h (32..42: hints, which may change
    from kernel to kernel).

    From bit 47 on no kernel's word has them: there the tool page-types puts a flag whose bit means
    another thing in this place, and what it knows from the page table; bits and letters are its
    own.

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

    LOCKED = 1 << 0, "L", "locked, for I/O or while it is changed", "2.6.25"
    ERROR = 1 << 1, "E", "an I/O error (no longer used)", "2.6.25"
    REFERENCED = 1 << 2, "R", "used since reclaim last looked", "2.6.25"
    UPTODATE = 1 << 3, "U", "its content is valid", "2.6.25"
    DIRTY = 1 << 4, "D", "written, and not yet stored", "2.6.25"
    LRU = 1 << 5, "l", "on one of the lists of reclaim", "2.6.25"
    ACTIVE = 1 << 6, "A", "on an active list of reclaim", "2.6.25"
    SLAB = 1 << 7, "S", "of the kernel's slab allocator", "2.6.25"
    WRITEBACK = 1 << 8, "W", "being written to its file or to swap", "2.6.25"
    RECLAIM = 1 << 9, "I", "to be reclaimed soon; without writeback: read ahead", "2.6.25"
    BUDDY = 1 << 10, "B", "free", "2.6.25"
    MMAP = 1 << 11, "M", "mapped by a process", "2.6.31"
    ANONYMOUS = 1 << 12, "a", "mapped, and of no file", "2.6.31"
    SWAPCACHE = 1 << 13, "s", "has a place in swap", "2.6.31"
    SWAPBACKED = 1 << 14, "b", "would go to swap: anonymous, or of shared memory", "2.6.31"
    COMPOUND_HEAD = 1 << 15, "H", "first of several frames allocated as one", "2.6.31"
    COMPOUND_TAIL = 1 << 16, "T", "of several frames allocated as one, not the first", "2.6.31"
    HUGE = 1 << 17, "G", "hugetlb", "2.6.31"
    UNEVICTABLE = 1 << 18, "u", "not to be reclaimed", "2.6.31"
    HWPOISON = 1 << 19, "X", "broken memory, not to be touched", "2.6.32"
    NOPAGE = 1 << 20, "n", "no frame has this number", "2.6.31"
    KSM = 1 << 21, "x", "merged with others of the same content (KSM)", "2.6.32"
    THP = 1 << 22, "t", "of a transparent huge page of any size", "3.4"
    OFFLINE = 1 << 23, "o", "logically offline: ballooned, say", "5.1"
    ZERO_PAGE = 1 << 24, "z", "the page of zeros, huge or not", "4.0"
    IDLE = 1 << 25, "i", "not used since it was marked idle", "4.3"
    PGTABLE = 1 << 26, "g", "a page table", "4.18"
    RESERVED = 1 << 32, "r", "not the allocator's (a hint: kernel-internal)", "2.6.31"
    MLOCKED = 1 << 33, "m", "locked in memory by mlock (a hint)", "2.6.31"
    OWNER_2 = 1 << 34, "d", "its owner's own; anonymous: exclusive (a hint)", "2.6.31"
    PRIVATE = 1 << 35, "P", "its file system keeps data with it (a hint)", "2.6.31"
    PRIVATE_2 = 1 << 36, "p", "its file system's, for a cache (a hint)", "2.6.31"
    OWNER_PRIVATE = 1 << 37, "O", "its owner's own (a hint)", "2.6.31"
    ARCH = 1 << 38, "h", "the architecture's own (a hint)", "2.6.31"
    UNCACHED = 1 << 39, "c", "not cached by the processor (a hint; no longer used)", "2.6.31"
    SOFTDIRTY = 1 << 40, "f", "written since the last clear (a hint)", "3.11"
    ARCH_2 = 1 << 41, "H", "the architecture's own (a hint)", "5.10"
    ARCH_3 = 1 << 42, "J", "the architecture's own (a hint)", "6.2"
    ANON_EXCLUSIVE = 1 << 47, "d", "owner_2 of an anonymous page: of one process", "5.19"
    READAHEAD = 1 << 48, "I", "reclaim without writeback: where reading ahead goes on", "2.6.31"
    SLUB_FROZEN = 1 << 50, "A", "active of a slab", "2.6.31"
    SLUB_DEBUG = 1 << 51, "E", "error of a slab", "2.6.31"
    FILE = 1 << 61, "F", "of the page table: page of a file, or shared memory", "3.5"
    SWAP = 1 << 62, "w", "of the page table: in swap, or marked (a guard, say)", "2.6.31"
    MMAP_EXCLUSIVE = 1 << 63, "1", "of the page table: mapped nowhere else", "4.2"


PAGE_FLAGS = tuple(
    Flag(name.lower(), each.bit_length() - 1, each.letter, each.meaning, each.since)
    for name, each in PageFlag.__members__.items()
)
"""The same as rows of a table, under the names that the command has for them."""
