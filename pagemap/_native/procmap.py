"""What the kernel knows of mappings and of swap, besides what its text tells."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["swap_in_use", "vma_at"]


def vma_at(fd: int, address: int) -> Any:
    """The mapping that holds `address`, by the maps file `fd` (struct pm_vma).

    Raises OSError: ENOENT where nothing is mapped, ENOTTY before Linux 6.11.
    """
    vma = ffi.new("struct pm_vma *")
    checked(lib.pm_vma_at(fd, address, vma))
    return vma


def swap_in_use() -> bool:
    """Whether any page of the machine lies in swap now."""
    return checked(lib.pm_swap_in_use()) == 1
