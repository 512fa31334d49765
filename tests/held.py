"""What mappings hold, in bytes and words of smaps: the truth that tallies are compared with.

Of each mapping smaps says rss, anonymous and swap; entries say the rest, one at a time. Nothing of
`pagemap` is imported.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests import oracle

PAGE = oracle.PAGE

# Mappings whose pages smaps leaves out, by VmFlags: of devices and the like (vvar).
OF_DEVICES = {"io", "pf", "mm"}
HUGE = ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb")


def held(account: oracle.Smaps, entries: list[int]) -> dict[str, int]:
    """Bytes by the names of a TallyRow; of what is not present only swap and guard.

    `file_or_shared` is file and shmem together.
    """
    bits = {name: count * PAGE for name, count in oracle.counts(entries).items()}
    sizes = account.sizes
    hugetlb = bits["present"] if "ht" in account.flags else 0
    rss, anonymous = sizes["Rss"], sizes["Anonymous"]
    if account.flags & OF_DEVICES:
        rss, anonymous = bits["present"], bits["anonymous"]
    return {
        "size": bits["pages"],
        "present": bits["present"],
        "rss": rss,
        "zero": bits["present"] - hugetlb - rss,
        "hugetlb": hugetlb,
        "swap": sizes["Swap"],
        "guard": bits["guard"],
        "file_or_shared": rss - anonymous,
        "anon": anonymous,
        "uss": 0 if hugetlb else bits["exclusive"],
        "uffd_wp": bits["uffd_wp"],
        "huge": sum(sizes.get(name, 0) for name in HUGE),
    }


def shmem_devices() -> set[str]:
    """The devices of memfds and of mounted tmpfs, as maps writes them."""
    fd = os.memfd_create("held")
    device = os.fstat(fd).st_dev
    os.close(fd)
    found = {f"{os.major(device):02x}:{os.minor(device):02x}"}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - tmpfs " in line:
            major, minor = map(int, line.split()[2].split(":"))
            found.add(f"{major:02x}:{minor:02x}")
    return found


def overlays() -> set[str]:
    """The devices of overlays, whose files may lie on a disk or in a tmpfs, as maps writes them."""
    found = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - overlay " in line:
            major, minor = map(int, line.split()[2].split(":"))
            found.add(f"{major:02x}:{minor:02x}")
    return found


def parted(counts: dict[str, int], line: oracle.MapsLine, shmem: set[str]) -> dict[str, int | None]:
    """The same with file and shmem in place of their sum; of an overlay nobody tells which."""
    others = counts["file_or_shared"]
    if others and line.dev in overlays():
        return {**counts, "shmem": None, "file": None}
    of_shmem = others if line.dev in shmem else 0
    return {**counts, "shmem": of_shmem, "file": others - of_shmem}
