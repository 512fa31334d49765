"""The flags of a frame as Python has flags; `pagemap.flags` has what they mean."""

from __future__ import annotations

from enum import IntFlag

from pagemap.flags import PAGE_FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:

    class PageFlag(IntFlag):
        """What a frame can be; names and bits are the kernel's. Unknown bits are kept."""

        LOCKED = 1 << 0
        REFERENCED = 1 << 2
        UPTODATE = 1 << 3
        DIRTY = 1 << 4
        LRU = 1 << 5
        ACTIVE = 1 << 6
        SLAB = 1 << 7
        WRITEBACK = 1 << 8
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

else:
    PageFlag = IntFlag("PageFlag", {flag.name.upper(): 1 << flag.bit for flag in PAGE_FLAGS})
    PageFlag.__doc__ = (
        "What a frame can be; names and bits are the kernel's. Unknown bits are kept."
    )

__all__ = ["PageFlag"]
