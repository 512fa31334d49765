"""/proc/buddyinfo: how many free blocks of each size the page allocator has."""

from __future__ import annotations

from pagemap._kernel.decimals import number
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
        on_node, blocks = number(node), [number(count) for count in counts]
        known = [count for count in blocks if count is not None]
        if on_node is not None and len(known) == len(blocks):
            found[on_node, name] = known
    return found
