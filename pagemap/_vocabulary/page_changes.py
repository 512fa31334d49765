"""What may become of a page, and of a mapping, between two looks: each kind of change in words."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field

__all__ = ["MAPPING_CHANGES", "PAGE_CHANGES", "STATES", "Change"]


class Change(Record):
    """A kind of change: its name and what it says."""

    name: str = field("", "as results have it")
    meaning: str = field("", "what it is, for help")


MAPPING_CHANGES = (
    Change("mapping added", "nothing of it was mapped before"),
    Change("mapping removed", "nothing of it is mapped now"),
    Change("mapping replaced", "another mapping is at its addresses now"),
    Change("mapping grew", "part of it is new"),
    Change("mapping shrank", "part of it is gone"),
    Change("mapping moved", "it is at another address (mremap): frames, or file and offset, agree"),
    Change("mapping split", "one of several parts of what was one mapping"),
    Change("mapping merged", "several mappings before, one now"),
    Change("rights changed", "its permissions differ (mprotect)"),
    Change("mapping renamed", "its path differs: the file was deleted or renamed, memory named"),
)
"""Changes of mappings, in the order in which the rows of one mapping stand."""

PAGE_CHANGES = (
    Change("unchanged", "nothing"),
    Change("faulted in", "nothing there before, in memory now"),
    Change("dropped", "in memory or swap before, nothing there now"),
    Change("swapped out", "in swap now"),
    Change("swapped in", "in swap before, anonymous memory now"),
    Change("copied from zero", "the zero page before, anonymous memory now: written"),
    Change("copied from file", "a private file's page before, anonymous memory now: written"),
    Change(
        "copied from shared",
        "a shared page before, another one now that is not: written after fork, or after KSM "
        "had merged it",
    ),
    Change("became shared", "mapped once before, more often now: by fork, KSM, or a shared file"),
    Change(
        "sole again",
        "mapped more often before, once now; without PFNs perhaps a copy, as copied from shared",
    ),
    Change("became huge", "mapped by a huge entry now, and not before"),
    Change("huge split", "mapped by a huge entry before, and not now"),
    Change(
        "moved",
        "in another frame or swap slot: migration, compaction, and dropping and touching anew "
        "look alike",
    ),
    Change("replaced", "a page of another kind: dropped, and another one faulted in"),
    Change("written", "marked as written (soft-dirty) now, and not before"),
    Change("guard set", "in a guard region now"),
    Change("guard cleared", "in a guard region before, and not now"),
    Change("marker set", "a userfaultfd marker now, or what the kernel hides; nothing before"),
    Change("marker cleared", "the same before, nothing now"),
    Change("migrating", "being moved to another frame at the second look"),
    Change("poisoned", "lost to a memory error, or declared so"),
    Change("to device", "held by a device now"),
    Change("from device", "held by a device before, in memory now"),
    Change(
        "marks changed",
        "only marks differ (soft-dirty, userfaultfd, exclusive in a huge page), which says "
        "nothing of the page",
    ),
)
"""Changes of pages by number (enum pm_change in csrc/history/diff.cdef.h)."""

STATES = (
    "none",
    "anon",
    "file",
    "zero",
    "hugetlb",
    "swap",
    "guard",
    "marker",
    "migrating",
    "poisoned",
    "device",
)
"""What a page is at one look, by number (enum pm_page_state); file has shared memory too,
which rows call shmem."""
