"""Whether this machine makes transparent huge pages at all, for memory of a kind."""

from __future__ import annotations

import contextlib

from pagemap._errors import Unsupported
from pagemap._kernel.thp import pmd_order
from pagemap._pytest.reasons import cannot_hold
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._pytest.areas import Area
    from pagemap._space.address_space import AddressSpace

__all__ = ["huge_page", "why_none"]

_THP = "/sys/kernel/mm/transparent_hugepage"
_OFF = ("never", "deny")


def huge_page() -> int:
    """The size of what a PMD maps, in bytes."""
    order = pmd_order()
    if order is None:
        cannot_hold(Unsupported("this kernel has no transparent huge pages (CONFIG_TRANSPARENT_*)"))
    return PAGE_SIZE << order


def why_none(process: AddressSpace, area: Area, folder: str = _THP) -> str | None:
    """Why there is no huge page in an area, if the machine makes none for any of its mappings.

    A setting of the size decides, unless it says "inherit" (Linux 6.8), else that of all sizes.
    """
    reasons = []
    for mapping in area.mappings(process):
        shared = mapping.perms.endswith("s")
        if mapping.inode and not shared:
            return None  # a file's: none of these settings is about it
        name = "shmem_enabled" if shared else "enabled"
        for path in (f"{folder}/hugepages-{huge_page() >> 10}kB/{name}", f"{folder}/{name}"):
            chosen = _chosen(path)
            if chosen in _OFF:
                reasons.append(f"{path} says {chosen!r}: no memory of this kind gets huge pages")
            if chosen not in (None, "inherit"):
                break
        else:
            return None
        if chosen not in _OFF:
            return None
    return reasons[0] if reasons else None


def _chosen(path: str) -> str | None:
    """The word in brackets; None where there is no such file."""
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().partition("[")[2].partition("]")[0]
    return None
