"""What a gentle walk counted, as the words of a footprint; and which of these it cannot tell."""

from __future__ import annotations

from pagemap._native import footprint as native
from pagemap._vocabulary.rows.footprint import FootprintSums
from pagemap._vocabulary.units import PAGE_SHIFT

__all__ = ["UNTOLD", "sums_of"]

_PSS_SHIFT = 12


def sums_of(held: tuple[int, ...]) -> FootprintSums:
    """The sums, in bytes; None for what only the kernel's own tell."""
    pages = dict(zip(native.HELD, held, strict=True))

    def size(*names: str, known: bool = True) -> int | None:
        return sum(pages[name] for name in names) << PAGE_SHIFT if known else None

    shared, private = not pages["shared_untold"], not pages["private_untold"]
    told = {
        "rss": size("rss"),
        "anon": size("anon"),
        "file": (pages["rss"] - pages["anon"] - pages["shmem"]) << PAGE_SHIFT,
        "shmem": size("shmem"),
        "pss": pages["pss"] >> _PSS_SHIFT,
        "uss": size("private_clean", "private_dirty", "private_untold"),
        "swap": size("swap", known=not pages["swap_untold"]),
        "shared": size("shared_clean", "shared_dirty", "shared_untold"),
        "dirty": size("shared_dirty", "private_dirty", known=shared and private),
        "clean": size("shared_clean", "private_clean", known=shared and private),
        "shared_clean": size("shared_clean", known=shared),
        "shared_dirty": size("shared_dirty", known=shared),
        "private_clean": size("private_clean", known=private),
        "private_dirty": size("private_dirty", known=private),
        "hugetlb": size("shared_hugetlb", "private_hugetlb"),
        "shared_hugetlb": size("shared_hugetlb"),
        "private_hugetlb": size("private_hugetlb"),
        "hugetlb_pss": None if pages["hugetlb_untold"] else pages["hugetlb_pss"] >> _PSS_SHIFT,
    }
    return FootprintSums._make(map(told.get, FootprintSums._fields))


UNTOLD = tuple(
    name
    for name, size in sums_of((0,) * len(native.HELD))._asdict().items()
    if size is None and name not in ("share", "size")
)
"""What no gentle walk can tell: only the kernel's own sums have it."""
