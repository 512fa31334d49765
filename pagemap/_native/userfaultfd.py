"""userfaultfd, to track writes."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Bounds = Sequence[tuple[int, int]]

__all__ = ["agree", "open_userfaultfd", "register", "unregister"]


def open_userfaultfd() -> int:
    """The number of a descriptor that tracks writes, closed on exec.

    Raises OSError: EINVAL where this kernel cannot, EPERM where it is forbidden.
    """
    return checked(lib.pm_uffd_open())


def agree(fd: int) -> None:
    """Agree with the kernel that a new userfaultfd, made by whomever, tracks writes.

    Raises OSError as `open_userfaultfd`; EINVAL also where that was done already.
    """
    checked(lib.pm_uffd_agree(fd))


def register(fd: int, maps: int, bounds: Bounds, mappings: Bounds) -> list[int]:
    """Register ranges ``(start, end)`` in bytes; 0 or the errno for each.

    `mappings` are the bounds of those that they lie in, and `maps` is the file, open. EBUSY:
    another userfaultfd has it; EPERM: a shared file opened to be read; EAGAIN: the mapping has
    other bounds by now; EINVAL: it cannot be tracked.
    """
    errors = ffi.new("int32_t[]", len(bounds))
    flat, whole = _flat(bounds), _flat(mappings)
    table = {"bounds": flat, "mappings": whole, "count": len(bounds), "maps": maps}
    lib.pm_uffd_register(fd, ffi.new("struct pm_uffd_ranges *", table), errors)
    return list(ffi.unpack(errors, len(bounds))) if bounds else []


def unregister(fd: int, bounds: Bounds) -> None:
    """Unregister those of the ranges that are ours still."""
    lib.pm_uffd_unregister(fd, _flat(bounds), len(bounds))


def _flat(bounds: Bounds) -> object:
    return ffi.new("uint64_t[]", [address for each in bounds for address in each])
