"""/proc/buddyinfo: how many free blocks of each size the page allocator has."""

from __future__ import annotations

from pagemap._kernel.regular import open_told

__all__ = ["free_blocks"]

_MOST = 1 << 20  # bytes; a zone has one line


def free_blocks(procfs: str = "/proc") -> dict[tuple[int, str], list[int]]:
    """For each zone, by node and name, the number of blocks of 2^k frames at place k.

    Empty where there is no such file.
    """
    try:
        with open(f"{procfs}/buddyinfo", "rb", opener=open_told) as file:
            text = file.read(_MOST).decode("ascii", "replace")
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        node, _, rest = line.removeprefix("Node ").partition(", zone ")
        name, *counts = rest.split() or [""]
        if node.isdecimal() and all(count.isdecimal() for count in counts):
            found[int(node), name] = [int(count) for count in counts]
    return found
