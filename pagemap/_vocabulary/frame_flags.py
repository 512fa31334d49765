"""The flags of a frame as Python has flags; `pagemap._vocabulary.flags` has what they mean."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["PageFlag"]


class PageFlag(IntFlag):
    """What a frame can be; names and bits are the kernel's. Unknown bits are kept.

    They are those of `pagemap._vocabulary.flags.PAGE_FLAGS`, spelled out for who reads types: a
    test holds the two together.
    """

    LOCKED = 1 << 0
    ERROR = 1 << 1
    REFERENCED = 1 << 2
    UPTODATE = 1 << 3
    DIRTY = 1 << 4
    LRU = 1 << 5
    ACTIVE = 1 << 6
    SLAB = 1 << 7
    WRITEBACK = 1 << 8
    RECLAIM = 1 << 9
    BUDDY = 1 << 10
    MMAP = 1 << 11
    ANONYMOUS = 1 << 12
    SWAPCACHE = 1 << 13
    SWAPBACKED = 1 << 14
    COMPOUND_HEAD = 1 << 15
    COMPOUND_TAIL = 1 << 16
    HUGE = 1 << 17
    UNEVICTABLE = 1 << 18
    HWPOISON = 1 << 19
    NOPAGE = 1 << 20
    KSM = 1 << 21
    THP = 1 << 22
    OFFLINE = 1 << 23
    ZERO_PAGE = 1 << 24
    IDLE = 1 << 25
    PGTABLE = 1 << 26
    RESERVED = 1 << 32
    MLOCKED = 1 << 33
    OWNER_2 = 1 << 34
    PRIVATE = 1 << 35
    PRIVATE_2 = 1 << 36
    OWNER_PRIVATE = 1 << 37
    ARCH = 1 << 38
    UNCACHED = 1 << 39
    SOFTDIRTY = 1 << 40
    ARCH_2 = 1 << 41
    ARCH_3 = 1 << 42
    ANON_EXCLUSIVE = 1 << 47
    READAHEAD = 1 << 48
    SLUB_FROZEN = 1 << 50
    SLUB_DEBUG = 1 << 51
    FILE = 1 << 61
    SWAP = 1 << 62
    MMAP_EXCLUSIVE = 1 << 63
