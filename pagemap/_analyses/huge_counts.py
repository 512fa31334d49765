"""Folios of several pages, and what is told of them: how many pages, of which size, mapped how.

A folio is a power of two of base pages that the kernel treats as one. /proc/kpageflags tells which
frames are of one (KPF_THP, of any size: stable_page_flags in fs/proc/page.c), and where it begins
(KPF_COMPOUND_HEAD). With the entries of the page table that says how it is mapped:

- *aligned*: all of it, in a row, at an address that is a multiple of its size. A page-table entry
  of the middle level (PMD) may then map it with one entry of a larger size, if it has that size;
  all others are mapped by an entry for each page (PTE). PAGEMAP_SCAN tells which (Linux 6.7).
- *unaligned*: all of it, in a row, at another address. Only PTEs can map that.
- *partial*: what is mapped of folios of which less is mapped, or not in a row.
- *cont*: blocks of a given size, in a row, aligned to that size both in memory and in the address
  space, of one folio each, mapped by PTEs. A processor may keep such a block as one entry of its
  TLB (contpte of arm64, say). A partial folio may have some, and a large folio many.

These are the definitions of the kernel's own tool thpmaps. It differs in small things: it leaves
out mappings that nobody may read, write or execute; it counts the huge page of zeros among those of
files, where here it is `zero`; and it takes what PMDs map from /proc/PID/smaps.
"""

from __future__ import annotations

import operator

from pagemap._errors import UsageError
from pagemap._native import huge as native
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "NOTHING",
    "ORDERS",
    "HugeKind",
    "HugeTally",
    "least_anon_order",
    "order_of",
    "pmd_order",
    "total",
]

ORDERS = native.ORDERS
"""How many orders are told apart; no kernel has larger folios than of order 13."""

_THP = "/sys/kernel/mm/transparent_hugepage"


class HugeKind(Record):
    """Pages in THPs of one kind: anonymous, or of files and shared memory.

    `aligned`, `unaligned` and `cont` have a count for each order: at index 4 stand the pages of
    folios, or blocks, of 16 pages. All of them are mapped by PTEs; where `pmd` is None, because the
    kernel does not tell, `aligned` and `cont` have those that PMDs map too.
    """

    pmd: int | None = field("pages", "mapped by PMDs; None where the kernel does not tell")
    partial: int = field("pages", "of folios that are mapped in part, or not in a row")
    aligned: tuple[int, ...] = field("pages", "of whole folios at multiples of their size")
    unaligned: tuple[int, ...] = field("pages", "of whole folios at other addresses")
    cont: tuple[int | None, ...] = field("pages", "in aligned blocks; None for an order not asked")


class HugeTally(Record):
    """Counts of pages of one mapping, or of several together."""

    pages: int = field("pages", "all of them, touched or not")
    present: int = field("pages", "in memory, zero pages and hugetlb too")
    rss: int = field("pages", "in memory, as Rss of smaps")
    anonymous: int = field("pages", "of rss: neither of a file nor shared")
    zero: int = field("pages", "the kernel's pages of zeros, small and huge")
    hugetlb: int = field("pages", "in memory, of hugetlb")
    anon: HugeKind = field("pages", "in anonymous THPs")
    file: HugeKind = field("pages", "in THPs of files and shared memory")

    @property
    def thp(self) -> int:
        """All pages in THPs, however they are mapped."""
        return sum(
            (kind.pmd or 0) + kind.partial + sum(kind.aligned) + sum(kind.unaligned)
            for kind in (self.anon, self.file)
        )

    @property
    def pmd(self) -> int | None:
        """Those mapped by PMDs; None where the kernel does not tell."""
        if self.anon.pmd is None or self.file.pmd is None:
            return None
        return self.anon.pmd + self.file.pmd

    @property
    def aligned(self) -> int:
        """Those of aligned folios that PTEs map."""
        return sum(self.anon.aligned) + sum(self.file.aligned)

    @property
    def unaligned(self) -> int:
        """Those of unaligned folios."""
        return sum(self.anon.unaligned) + sum(self.file.unaligned)

    @property
    def partial(self) -> int:
        """Those of folios that are mapped in part."""
        return self.anon.partial + self.file.partial

    def cont(self, order: int) -> int | None:
        """Those in blocks of 2**order pages, mapped by PTEs; None where it was not asked."""
        anon, file = self.anon.cont[order], self.file.cont[order]
        return None if anon is None or file is None else anon + file


def pmd_order(folder: str = _THP) -> int | None:
    """The order of what a PMD maps, as the kernel has it in `folder`; None for one without THP."""
    try:
        return (_number(f"{folder}/hpage_pmd_size") >> PAGE_SHIFT).bit_length() - 1
    except (OSError, ValueError):
        return None


def least_anon_order(folder: str = _THP) -> int | None:
    """The least order of all anonymous THPs that there are now, that of a PMD where there are none.

    The kernel counts them by size since Linux 6.12 (hugepages-*/stats/nr_anon in `folder`), each
    before it is mapped and until it is freed or split (folio_add_new_anon_rmap in mm/rmap.c). None
    where one of the sizes is not counted.
    """
    most = pmd_order(folder)
    if most is None:
        return None
    for order in range(1, most):
        try:
            if _number(f"{folder}/hugepages-{(PAGE_SIZE << order) >> 10}kB/stats/nr_anon"):
                return order
        except FileNotFoundError:
            if order > 1:  # of two pages there is memory of files alone
                return None
        except (OSError, ValueError):
            return None
    return most


def _number(path: str) -> int:
    with open(path, "rb", buffering=0) as file:
        return int(file.read())


def order_of(size: int) -> int:
    """The order of blocks of `size` bytes: how often one page is to be doubled.

    Raises UsageError for what is no power of two of pages, less than two pages, or more than a PMD
    maps.
    """
    order = size.bit_length() - 1 - PAGE_SHIFT
    most = pmd_order() or ORDERS - 1
    if order < 1 or order > most or size != PAGE_SIZE << order:
        raise UsageError(
            f"a block of {size} bytes cannot be: its size is a power of two, "
            f"from {format_size(2 * PAGE_SIZE)} to {format_size(PAGE_SIZE << most)}"
        )
    return order


def total(tallies: Iterable[HugeTally]) -> HugeTally:
    """The sum of tallies that were made alike; with nothing to add, of none."""
    sums: HugeTally | None = None
    for tally in tallies:
        if sums is None:
            sums = tally
            continue
        sums = HugeTally(
            sums.pages + tally.pages,
            sums.present + tally.present,
            sums.rss + tally.rss,
            sums.anonymous + tally.anonymous,
            sums.zero + tally.zero,
            sums.hugetlb + tally.hugetlb,
            _add(sums.anon, tally.anon),
            _add(sums.file, tally.file),
        )
    return NOTHING if sums is None else sums


def _add(first: HugeKind, second: HugeKind) -> HugeKind:
    if not (second.partial or second.pmd or any(second.aligned) or any(second.unaligned)):
        return first  # as that of most mappings
    return HugeKind(
        _sum(first.pmd, second.pmd),
        first.partial + second.partial,
        tuple(map(operator.add, first.aligned, second.aligned)),
        tuple(map(operator.add, first.unaligned, second.unaligned)),
        tuple(map(_sum, first.cont, second.cont)),
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


_NONE = (0,) * ORDERS
NOTHING = HugeTally(0, 0, 0, 0, 0, 0, *[HugeKind(0, 0, _NONE, _NONE, (None,) * ORDERS)] * 2)
"""The tally of no page at all."""
