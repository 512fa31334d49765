"""What mappings hold, in words of smaps: the truth that tallies are compared with.

Of each mapping smaps says rss, anonymous and swap; entries say the rest, one at a time. Nothing of
`pagemap` is imported.
"""

from __future__ import annotations

from tests import oracle

PAGE = oracle.PAGE

# Mappings whose pages smaps leaves out, by VmFlags: of devices and the like (vvar).
OF_DEVICES = {"io", "pf", "mm"}
HUGE = ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb")


def held(account: oracle.Smaps, entries: list[int]) -> dict[str, int]:
    """Counts of pages, by the names of a Tally; of what is not present only swap and guard."""
    bits = oracle.counts(entries)
    sizes = {name: size // PAGE for name, size in account.sizes.items()}
    hugetlb = bits["present"] if "ht" in account.flags else 0
    rss, anonymous = sizes["Rss"], sizes["Anonymous"]
    if account.flags & OF_DEVICES:
        rss, anonymous = bits["present"], bits["anonymous"]
    return {
        "pages": bits["pages"],
        "present": bits["present"],
        "rss": rss,
        "zero": bits["present"] - hugetlb - rss,
        "hugetlb": hugetlb,
        "swap": sizes["Swap"],
        "guard": bits["guard"],
        "file_or_shared": rss - anonymous,
        "anonymous": anonymous,
        "exclusive": 0 if hugetlb else bits["exclusive"],
        "uffd_wp": bits["uffd_wp"],
        "huge": sum(sizes.get(name, 0) for name in HUGE),
    }
