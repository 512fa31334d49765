"""/proc/meminfo: how much memory the machine has, and how much of it can be had."""

from __future__ import annotations

__all__ = ["amount", "total"]


def amount(name: str, *, procfs: str = "/proc") -> int | None:
    """The bytes that the line `name` tells; None where there is no such file, or line, or size.

    A /proc mounted with subset=pid has no such file (Linux 5.8), containers may have one of their
    own making, and MemAvailable is of Linux 3.14.

    >>> amount("MemTotal") > 1 << 20
    True
    """
    try:
        with open(f"{procfs}/meminfo", "rb") as file:
            for line in file:
                key, _, rest = line.partition(b":")
                if key == name.encode("ascii"):
                    return int(rest.split()[0]) << 10
    except (OSError, ValueError, IndexError):
        return None
    return None


def total(*, procfs: str = "/proc") -> int | None:
    """The bytes of memory that the machine has; None where that is not told, or as 0."""
    return amount("MemTotal", procfs=procfs) or None
