"""The categories of pages: which are asked for, and what a scan must ask the kernel for them.

PAGEMAP_SCAN calls things by its page tables' words: PAGE_IS_SWAPPED is whatever has bit 62, and
PAGE_IS_HUGE is set for places in a hugetlb mapping where no page is. Here SWAP is in swap, and HUGE
is there.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOTTY

from pagemap._errors import Unsupported, UsageError
from pagemap._native import scan
from pagemap._vocabulary.filters import parse_filters, words_of
from pagemap._vocabulary.flags import SCAN_CATEGORIES, entry_flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._space.address_space import AddressSpace

__all__ = ["BITS", "Asked", "bits_of", "chosen", "require", "there"]

BITS = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
"""The bit of each category; they are the kernel's (PAGE_IS_* in include/uapi/linux/fs.h).

`swap` has the bit of PAGE_IS_SWAPPED, which the kernel says of markers, guard regions and pages
that migrate too (pagemap_page_category in fs/proc/task_mmu.c). Here it is what lies in swap.
"""


def bits_of(names: Iterable[str]) -> int:
    """The bits of these categories."""
    return sum(BITS[name] for name in set(names))


_READABLE = bits_of(("file", "present", "swap", "soft_dirty", "guard"))
"""The categories that an entry tells as well: what a kernel without PAGEMAP_SCAN can answer."""

_PRESENT, _SWAP, _HUGE = BITS["present"], BITS["swap"], BITS["huge"]


def chosen(
    only: Sequence[str], without: Sequence[str], names: tuple[str, str] = ("only", "without")
) -> tuple[int, int, int, int]:
    """What filters ask for (`pagemap._vocabulary.filters`): ``any_of``, ``all_of``, ``none_of``.

    The last are those that no page must have because others alone are wanted: nobody named them.
    A filter of nothing gives (0, 0, 0, 0). Raises UsageError for what cannot be understood, and for
    alternatives in more than one place: the kernel's scan takes one set of them.
    """
    any_of = all_of = none_of = others = 0
    for each in parse_filters(only, without, words_of(BITS), names=names):
        all_of |= bits_of(each.all_of)
        none_of |= bits_of(each.none_of)
        if each.exact:
            others |= sum(BITS.values()) & ~bits_of(each.all_of)
        for group in each.any_of:
            if any_of:
                raise UsageError(f"{names[0]}: only one group of categories with / is allowed")
            any_of = bits_of(group)
    return any_of, all_of, none_of, others


def there(process: AddressSpace) -> int:
    """The categories that pages can have here: some kernels have no soft-dirty bits, or guards."""
    young = {name: 1 << entry_flag(name).bit for name in ("soft_dirty", "guard")}
    known = process.machine.told(sum(young.values()))
    return sum(bit for name, bit in BITS.items() if name not in young or young[name] & known)


class Asked:
    """What pages are asked for, and what the kernel must be asked to find them among.

    Its scan says SWAPPED of guard regions, markers and others that are not in swap, and HUGE of
    places in a hugetlb mapping where nothing is. So it is asked for more, and to tell more.
    """

    __slots__ = ("all_of", "any_of", "by_huge", "by_swap", "mentioned", "none_of", "returned")

    def __init__(self, any_of: int, all_of: int, none_of: int, returned: int) -> None:
        self.any_of, self.all_of, self.none_of, self.returned = any_of, all_of, none_of, returned
        self.mentioned = any_of | all_of | none_of | returned
        self.by_swap = bool(self.mentioned & _SWAP)
        # who wants what is not present, and huge, gets what the kernel calls so
        self.by_huge = bool(self.mentioned & _HUGE) and not none_of & _PRESENT

    def query(self, limit: int | None, *, exactly: bool = True) -> scan.Query:
        """The query for that, or for a scan that is to find all such pages and perhaps others."""
        all_of, none_of, returned = self.all_of, self.none_of, self.returned
        if not exactly and (self.by_swap or self.by_huge):
            returned |= self.any_of | all_of
            if self.by_swap:
                none_of &= ~_SWAP
                returned |= _SWAP | none_of
            if self.by_huge:
                returned |= _PRESENT | _HUGE
                all_of |= _PRESENT if all_of & _HUGE else 0
                none_of &= ~_HUGE
        return scan.Query(
            any_of=self.any_of,
            all_of=all_of,
            none_of=none_of,
            returned=returned,
            max_pages=limit or 0,
        )

    def not_told(self, categories: int) -> int:
        """What a scan said of pages that it calls swapped, and that is true of them."""
        return categories & ~_HUGE if self.by_huge else categories

    def told(self, categories: int) -> int | None:
        """What to tell of pages of which a scan said this; None where they are not asked for."""
        if self.by_huge and categories & (_HUGE | _PRESENT) == _HUGE:
            categories &= ~_HUGE
        if categories & self.all_of != self.all_of or categories & self.none_of:
            return None
        if self.any_of and not categories & self.any_of:
            return None
        return categories & self.returned


def require(process: AddressSpace, wanted: int) -> None:
    """Raise Unsupported for a category that cannot be had here, and name the kernel that can."""
    for flag in SCAN_CATEGORIES:
        bit = 1 << flag.bit
        if not wanted & bit:
            continue
        error = 0 if _READABLE & bit else ENOTTY
        if process.can_scan:
            error = process.scan_error(bit)
        if error not in (0, EINVAL, ENOTTY):
            raise process.read_error(OSError(error, os.strerror(error)))
        if error:
            raise Unsupported(
                f"this kernel cannot find pages by the category {flag.name}: "
                f"PAGEMAP_SCAN has it since Linux {flag.since}",
                pid=process.pid,
                errno=error,
                operation="scan",
            )
        # these a kernel takes, or reads as never set, and finds none
        if flag.name == "soft_dirty" or (flag.name == "guard" and not process.can_scan):
            process.machine.require_told(1 << entry_flag(flag.name).bit, process.pid)
