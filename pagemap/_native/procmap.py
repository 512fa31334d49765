"""Facts about mappings and swap that are not in the text of maps."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["name_at", "swap_in_use", "swapped_shmem", "vma_at"]

_MOST_NAME = 4096 + 16  # PATH_MAX, and " (deleted)"


def vma_at(fd: int, address: int) -> Any:
    """The mapping that holds `address`, by the maps file `fd` (struct pm_vma).

    Raises OSError: ENOENT where nothing is mapped, ENOTTY before Linux 6.11.
    """
    vma = ffi.new("struct pm_vma *")
    checked(lib.pm_vma_at(fd, address, vma))
    return vma


def name_at(fd: int, address: int) -> bytes:
    """The name of the mapping that holds `address`, as it is; empty where it has none.

    Raises OSError as `vma_at`, and ENAMETOOLONG.
    """
    out = ffi.new("char[]", _MOST_NAME)
    size = checked(lib.pm_vma_name(fd, address, out, _MOST_NAME))
    return bytes(ffi.buffer(out, max(0, size - 1)))


def swapped_shmem(fd: int, page: int, count: int, page_shift: int) -> int:
    """How many of `count` pages of an open file of shared memory, from `page` on, lie in swap.

    Raises OSError: ENOTSUP for another file system than tmpfs, ENOSYS before Linux 6.5, EPERM.
    """
    return checked(lib.pm_swapped_shmem(fd, page, count, page_shift))


def swap_in_use() -> bool:
    """Whether any page of the machine lies in swap now."""
    return checked(lib.pm_swap_in_use()) == 1
