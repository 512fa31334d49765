"""/sys/devices/system/node: what the kernel says of each node, and which memory is on it."""

from __future__ import annotations

import os

from pagemap._kernel import meminfo
from pagemap._vocabulary.units import PAGE_SHIFT

__all__ = ["amounts", "memory_of"]

_MOST = 1 << 20  # bytes of a file


def amounts(sysfs: str = "/sys") -> dict[int, dict[str, int]]:
    """For each node the bytes that each line of its meminfo tells; empty where none is told."""
    found = {}
    for node in _nodes(sysfs):
        text = _read(f"{_folder(sysfs, node)}/meminfo")
        if text is not None:
            found[node] = meminfo.parse(text)
    return found


def memory_of(sysfs: str = "/sys") -> dict[int, list[tuple[int, int]]]:
    """The frames on each node, as ranges of PFNs ``(start, end)``: those of its memory blocks.

    Empty without CONFIG_MEMORY_HOTPLUG, or where sysfs is not mounted.
    """
    size = _read(f"{sysfs}/devices/system/memory/block_size_bytes")
    try:
        frames = int(size or b"0", 16) >> PAGE_SHIFT
    except ValueError:
        frames = 0
    if not frames:
        return {}
    found = {}
    for node in _nodes(sysfs):
        try:
            names = os.listdir(_folder(sysfs, node))
        except OSError:
            continue
        numbers = (name.removeprefix("memory") for name in names if name.startswith("memory"))
        blocks = sorted(int(number) for number in numbers if number.isdecimal())
        found[node] = [(block * frames, (block + 1) * frames) for block in blocks]
    return found


def _folder(sysfs: str, node: int) -> str:
    return f"{sysfs}/devices/system/node/node{node}"


def _nodes(sysfs: str) -> list[int]:
    try:
        names = os.listdir(f"{sysfs}/devices/system/node")
    except OSError:
        return []
    numbers = (name.removeprefix("node") for name in names if name.startswith("node"))
    return sorted(int(number) for number in numbers if number.isdecimal())


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST)
    except OSError:
        return None
