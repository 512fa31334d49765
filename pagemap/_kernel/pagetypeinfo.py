"""/proc/pagetypeinfo: what the page allocator keeps its blocks for. Only root may read it."""

from __future__ import annotations

from pagemap._kernel.decimals import number
from pagemap._kernel.regular import open_told

__all__ = ["block_types", "total"]

_MOST = 1 << 24  # bytes; a zone has some 10 lines


def block_types(procfs: str = "/proc") -> dict[tuple[int, str], dict[str, int]]:
    """How many pageblocks of each zone are kept for which type: Unmovable, Movable, ...

    A pageblock is mostly as large as what a PMD maps. Empty where it may not be read.
    """
    try:
        with open(f"{procfs}/pagetypeinfo", "rb", opener=open_told) as file:
            lines = file.read(_MOST).decode("ascii", "replace").splitlines()
    except OSError:
        return {}
    found = {}
    types: list[str] = []
    for line in lines:
        if line.startswith("Number of "):  # those of mixed ones may follow (page_owner)
            name, there, rest = line.partition("blocks type")
            types = rest.split() if there else []
        elif types and line.startswith("Node ") and ", zone" in line and ", type" not in line:
            node, _, rest = line.removeprefix("Node ").partition(", zone")
            name, *counts = rest.split() or [""]
            on_node, blocks = number(node), [number(count) for count in counts]
            known = [count for count in blocks if count is not None]
            if on_node is not None and len(known) == len(blocks):
                found[on_node, name] = dict(zip(types, known, strict=False))
    return found


def total(procfs: str = "/proc") -> dict[str, int]:
    """How many pageblocks of all zones are kept for which type; empty where that is not told."""
    sums: dict[str, int] = {}
    for types in block_types(procfs).values():
        for name, count in types.items():
            sums[name] = sums.get(name, 0) + count
    return sums
