"""/sys/kernel/mm/hugepages: the pools of hugetlb pages, by size."""

from __future__ import annotations

import os

from pagemap._vocabulary.record import Record, field

__all__ = ["Pool", "pools"]


class Pool(Record):
    """The hugetlb pages of one size."""

    size: int = field("bytes", "of one page")
    total: int = field("", "pages that there are")
    free: int = field("", "pages that nobody has been given")
    reserved: int = field("", "free pages that are promised to mappings")
    surplus: int = field("", "pages beyond those that were asked to be kept")

    @property
    def used(self) -> int:
        """The bytes that are given away."""
        return (self.total - self.free) * self.size


def pools(sysfs: str = "/sys") -> list[Pool] | None:
    """The pools, the smallest pages first; None where sysfs does not tell of any.

    A kernel without CONFIG_HUGETLBFS has none.
    """
    folder = f"{sysfs}/kernel/mm/hugepages"
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    found = []
    for name in names:
        kilobytes = name.removeprefix("hugepages-").removesuffix("kB")
        if not kilobytes.isdecimal():
            continue
        try:
            counts = [
                _number(f"{folder}/{name}/{each}_hugepages")
                for each in ("nr", "free", "resv", "surplus")
            ]
        except (OSError, ValueError):
            continue
        found.append(Pool(int(kilobytes) << 10, *counts))
    return sorted(found)


def _number(path: str) -> int:
    with open(path, "rb", buffering=0) as file:
        return int(file.read())
