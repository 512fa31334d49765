"""/sys/block/zramN/mm_stat: what is in a compressed RAM disk, and the memory that it takes."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field

__all__ = ["Stored", "stored"]


class Stored(Record):
    """What a device holds; amounts in bytes (Documentation/admin-guide/blockdev/zram.rst)."""

    original: int = field("bytes", "the pages in it, before compression")
    compressed: int = field("bytes", "the same, compressed")
    memory: int = field("bytes", "the memory that it takes, with what the allocator loses")


def stored(path: str, sysfs: str = "/sys") -> Stored | None:
    """What the device at this path holds; None where it is no zram device, or does not tell.

    >>> stored("/dev/sda1") is None
    True
    """
    name = path.removeprefix("/dev/")
    if not name.startswith("zram") or not name.removeprefix("zram").isdecimal():
        return None
    try:
        with open(f"{sysfs}/block/{name}/mm_stat", "rb", buffering=0) as file:
            numbers = [int(word) for word in file.read().split()[:3]]
    except (OSError, ValueError):
        return None
    return Stored(*numbers) if len(numbers) == 3 else None
