"""/sys/kernel/mm/transparent_hugepage: the sizes of transparent huge pages, and which there are."""

from __future__ import annotations

from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

__all__ = ["least_anon_order", "pmd_order"]

_THP = "/sys/kernel/mm/transparent_hugepage"


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
