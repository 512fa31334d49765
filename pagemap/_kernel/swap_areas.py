"""/proc/swaps: the swap areas, and how much is in each."""

from __future__ import annotations

import os

from pagemap._kernel.regular import open_told
from pagemap._vocabulary.record import Record, field

__all__ = ["Area", "areas"]

_MOST = 1 << 20  # bytes; there are at most 32 areas


class Area(Record):
    """A swap area; amounts in bytes."""

    path: str = field("", "the device or file")
    kind: str = field("", "partition or file")
    size: int = field("bytes", "what fits into it")
    used: int = field("bytes", "what is in it")
    priority: int = field("", "areas of higher ones are filled first")


def areas(procfs: str = "/proc") -> list[Area] | None:
    """The swap areas; None where that is not told (a kernel without CONFIG_SWAP)."""
    try:
        with open(f"{procfs}/swaps", "rb", opener=open_told) as file:
            lines = os.fsdecode(file.read(_MOST)).split("\n")[1:]
    except OSError:
        return None
    found = []
    for line in lines:
        words = line.split()
        try:
            *name, kind, size, used, priority = words
            amounts = int(size) << 10, int(used) << 10, int(priority)
        except ValueError:
            continue
        found.append(Area(_plain(" ".join(name)), kind, *amounts))
    return found


def _plain(path: str) -> str:
    # seq_file_path in mm/swapfile.c writes these in octal
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        path = path.replace(f"\\{code}", character)
    return path
