"""/proc/meminfo: how much memory the machine has, and how much of it can be had."""

from __future__ import annotations

from pagemap._kernel.decimals import number
from pagemap._kernel.regular import open_told

__all__ = ["amount", "amounts", "parse", "total"]

_MOST = 1 << 20  # bytes of the file, which has some 1.5 KiB


def amounts(*, procfs: str = "/proc") -> dict[str, int]:
    """The bytes that each line tells, by its name; empty where there is no such file.

    Numbers of pages, which are those of huge pages, are left out. A /proc mounted with subset=pid
    has no such file (Linux 5.8), and containers may have one of their own making.

    >>> amounts()["MemTotal"] > 1 << 20
    True
    """
    try:
        with open(f"{procfs}/meminfo", "rb", opener=open_told) as file:
            return parse(file.read(_MOST))
    except OSError:
        return {}


def parse(text: bytes) -> dict[str, int]:
    r"""The bytes that each line of such a file tells, those of a node too.

    >>> parse(b"MemFree:    20 kB\nHugePages_Free:    3\nNode 0 Shmem:    4 kB\n")
    {'MemFree': 20480, 'Shmem': 4096}
    """
    found = {}
    for line in text.decode("ascii", "replace").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB" and (size := number(words[0])) is not None:
            found[name.rpartition(" ")[2]] = size << 10
    return found


def amount(name: str, *, procfs: str = "/proc") -> int | None:
    """The bytes that the line `name` tells; None where there is no such file, or line, or size.

    MemAvailable is of Linux 3.14.

    >>> amount("MemTotal") > 1 << 20
    True
    """
    return amounts(procfs=procfs).get(name)


def total(*, procfs: str = "/proc") -> int | None:
    """The bytes of memory that the machine has; None where that is not told, or as 0."""
    return amount("MemTotal", procfs=procfs) or None
