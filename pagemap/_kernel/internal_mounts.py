"""The mounts that the kernel has for itself, which no mountinfo lists: of memfds and their like."""

from __future__ import annotations

import os

from pagemap._kernel.mounts import mount_of

__all__ = ["device_name", "internal_mounts"]

_HUGETLB_SIZES = "/sys/kernel/mm/hugepages"
_SHIFT_FROM = 26  # of the size in the flags of memfd_create


def internal_mounts() -> dict[int, tuple[str, bool]]:
    """Those of shared memory: by mount the device, and whether it is of hugetlb."""
    mounts: dict[int, tuple[str, bool]] = {}
    for hugetlb, flags in ((False, 0), *((True, each) for each in _huge_flags())):
        try:
            fd = os.memfd_create("mount", os.MFD_CLOEXEC | flags)
        except OSError:
            continue
        try:
            mount = mount_of(fd)
            if mount is not None:
                mounts[mount] = device_name(os.fstat(fd).st_dev), hugetlb
        finally:
            os.close(fd)
    return mounts


def device_name(number: int) -> str:
    """A device as maps writes it."""
    return f"{os.major(number):02x}:{os.minor(number):02x}"


def _huge_flags() -> list[int]:
    """The flags of memfd_create for each size of huge pages."""
    try:
        names = os.listdir(_HUGETLB_SIZES)
    except OSError:
        return []
    sizes = [int(each.removeprefix("hugepages-").removesuffix("kB")) << 10 for each in names]
    return [os.MFD_HUGETLB | (size.bit_length() - 1) << _SHIFT_FROM for size in sizes]
