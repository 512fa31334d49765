"""/proc/vmstat: the kernel's counters of memory."""

from __future__ import annotations

from pagemap._kernel.decimals import number
from pagemap._kernel.regular import open_told

__all__ = ["counts", "pinned"]

_MOST = 1 << 20  # bytes of the file, which has some 4 KiB


def counts(procfs: str = "/proc") -> dict[str, int]:
    """Each counter by its name; empty where there is no such file."""
    try:
        with open(f"{procfs}/vmstat", "rb", opener=open_told) as file:
            lines = file.read(_MOST).decode("ascii", "replace").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    told = {each[0]: number(each[1]) for each in words if len(each) == 2}
    return {name: count for name, count in told.items() if count is not None}


def pinned(procfs: str = "/proc") -> int | None:
    """How many pages are pinned for devices and other kernel users; None before Linux 5.7.

    Such pages cannot be moved, and nothing tells which frames they are.
    """
    found = counts(procfs)
    got, given_back = found.get("nr_foll_pin_acquired"), found.get("nr_foll_pin_released")
    return None if got is None or given_back is None else max(got - given_back, 0)
