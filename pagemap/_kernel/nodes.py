"""/sys/devices/system/node: what the kernel says of each node, and which memory is on it."""

from __future__ import annotations

import os

from pagemap._kernel import meminfo, number_lists
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.number_lists import Ranges

__all__ = ["amounts", "distances", "memory_of", "numbers", "processors"]

_MOST = 1 << 20  # bytes of a file


def amounts(sysfs: str = "/sys") -> dict[int, dict[str, int]]:
    """For each node the bytes that each line of its meminfo tells; empty where none is told."""
    found = {}
    for node in numbers(sysfs):
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
    for node in numbers(sysfs):
        try:
            names = os.listdir(_folder(sysfs, node))
        except OSError:
            continue
        texts = (name.removeprefix("memory") for name in names if name.startswith("memory"))
        blocks = sorted(int(text) for text in texts if text.isdecimal())
        found[node] = [(block * frames, (block + 1) * frames) for block in blocks]
    return found


def numbers(sysfs: str = "/sys") -> list[int]:
    """The nodes that are online, those without memory too; empty where none are told."""
    try:
        names = os.listdir(f"{sysfs}/devices/system/node")
    except OSError:
        return []
    texts = (name.removeprefix("node") for name in names if name.startswith("node"))
    return sorted(int(text) for text in texts if text.isdecimal())


def processors(sysfs: str = "/sys") -> dict[int, Ranges]:
    """The processors of each node, of those nodes where they are told."""
    found = {}
    for node in numbers(sysfs):
        text = _read(f"{_folder(sysfs, node)}/cpulist")
        ranges = None if text is None else number_lists.parse(text.decode("ascii", "replace"))
        if ranges is not None:
            found[node] = ranges
    return found


def distances(node: int, sysfs: str = "/sys") -> dict[int, int]:
    """How far it is from a node to each that is online; 10 to itself (ACPI's SLIT)."""
    words = (_read(f"{_folder(sysfs, node)}/distance") or b"").split()
    return {to: int(word) for to, word in zip(numbers(sysfs), words) if word.isdigit()}  # noqa: B905 - a node may come or go between


def _folder(sysfs: str, node: int) -> str:
    return f"{sysfs}/devices/system/node/node{node}"


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST)
    except OSError:
        return None
