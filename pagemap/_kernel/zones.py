"""/proc/zoneinfo: where the machine's memory ends, as the page allocator has it."""

from __future__ import annotations

__all__ = ["NO_END", "memory_end"]

NO_END = 1 << 52  # frames: more than physical addresses of 64 bits have

_MOST = 1 << 24  # bytes; a zone has some 3 KiB
_DEVICES = b"Device"  # memory that no process has as its own


def memory_end(procfs: str = "/proc") -> int:
    """The first PFN past all zones: /proc/kpage* have a word for each frame below.

    Past it lies what only drivers map. `NO_END` where the file does not tell: then any frame that a
    process maps is to have a word.
    """
    try:
        with open(f"{procfs}/zoneinfo", "rb") as file:
            zones = file.read(_MOST).split(b"\nNode ")
    except OSError:
        return NO_END
    ends = [_end(zone) for zone in zones]
    return max(ends, default=0) or NO_END


def _end(zone: bytes) -> int:
    """The end of one zone, or 0: ``0, zone   Normal``, and below it a number a line."""
    head, _, rest = zone.partition(b"\n")
    if head.split()[-1:] == [_DEVICES]:
        return 0
    found: dict[bytes, int] = {}
    for line in rest.split(b"\n"):
        words = line.replace(b":", b" ").split()
        if len(words) == 2 and words[0] in (b"spanned", b"start_pfn") and words[1].isdigit():
            found[words[0]] = int(words[1])
    spanned = found.get(b"spanned", 0)
    return found.get(b"start_pfn", 0) + spanned if spanned else 0
