"""Cells of the matrix that are not equal to the kernel's word, each with the reason.

A reason says what the cell is instead: the sum of other words of the kernel's, exactly, or not
known. So a cell whose reason no longer holds fails, and is to be struck from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["REASONS", "Reason", "reason_for"]


class Reason(NamedTuple):
    """Why a door says something else of these kinds (all, where none is named)."""

    door: str
    word: str
    kinds: tuple[str, ...]
    instead: tuple[str, ...] | None
    """The kernel's words whose sum it is; None: that it is not known, of one mapping at least."""
    why: str
    when: str = "always"
    """Or "frames", where PFNs and the files about frames can be read, or "hidden", where not; or
    "no guards", where entries tell nothing of guard regions, "no scan" without PAGEMAP_SCAN,
    "came back" where any page of this machine came back from swap."""


_HUGETLB = ("hugetlb", "hugetlb shared", "hugetlb untouched", "hugetlb protected")
_FORKED_THP = ("thp child writes", "thp child keeps")

REASONS = (
    Reason(
        "regions",
        "huge",
        ("zero huge", "folios PMD"),
        ("huge", "zero"),
        "the huge page of zeros is mapped by a huge entry too: a category tells how, not what",
    ),
    Reason(
        "regions",
        "swap",
        ("swapped shmem",),
        ("swap_entries",),
        "swapped shared memory has no entry: there is no page to name, only smaps to count it",
    ),
    Reason(
        "dump",
        "swap",
        ("swapped shmem",),
        ("swap_entries",),
        "swapped shared memory has no entry: there is no page to name, only smaps to count it",
    ),
    Reason(
        "dump",
        "uss",
        _HUGETLB,
        ("uss", "private_hugetlb"),
        "rows are of pages, hugetlb's too: `exclusive` there is that nobody else maps this page",
    ),
    Reason(
        "types",
        "anon",
        _HUGETLB,
        ("flag_anon",),
        "flags are of frames: private hugetlb's have the one of anonymous memory",
    ),
    *(
        Reason(
            "gentle",
            word,
            ("lazyfree", "lazyfree rewritten", "droppable", "swap cache"),
            None,
            "what was freed lazily, or has a copy in swap, may have been written since: the page "
            "table's dirty bit tells, which is in no interface",
        )
        for word in ("clean", "dirty")
    ),
    *(
        Reason(
            "gentle",
            word,
            (),
            None,
            "a page that came back from swap is clean, and its frame looks as that of one which "
            "was never there: where any came back, the page table alone knows which are dirty",
            "came back",
        )
        for word in ("clean", "dirty")
    ),
    *(
        Reason(
            door,
            "huge",
            (),
            None,
            "only PAGEMAP_SCAN tells what a huge entry maps (Linux 6.7)",
            "no scan",
        )
        for door in ("maps", "sample")
    ),
    *(
        Reason(
            door,
            "guard",
            (),
            None,
            "no entry tells of guard regions before Linux 6.15 (bit 58)",
            "no guards",
        )
        for door in ("maps", "dump")
    ),
    Reason(
        "dump",
        "marker",
        (),
        None,
        "the kernel hides types of entries, so that the filter is refused (PfnsHidden)",
        "hidden",
    ),
    *(
        Reason(
            door,
            "uss",
            _FORKED_THP,
            ("bit_exclusive",),
            "map counts are hidden, and the page table's word is that of the first page (6.15 on): "
            "exclusive_by and uss_by say so",
            "hidden",
        )
        for door in ("maps", "sample", "dump")
    ),
)


def reason_for(kind: str, door: str, word: str, here: Collection[str]) -> Reason | None:
    """The reason for a cell, where it has one; `here` is what holds on this machine."""
    for reason in REASONS:
        if (
            (reason.door, reason.word) == (door, word)
            and (not reason.kinds or kind in reason.kinds)
            and reason.when in here
        ):
            return reason
    return None
