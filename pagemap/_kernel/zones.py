"""/proc/zoneinfo: the zones of the page allocator, and where the machine's memory ends."""

from __future__ import annotations

from pagemap._kernel.decimals import number
from pagemap._kernel.regular import open_told
from pagemap._vocabulary.record import Record, field

__all__ = ["NO_END", "Zone", "memory_end", "zones"]

NO_END = 1 << 52  # frames: more than physical addresses of 64 bits have

_MOST = 1 << 24  # bytes; a zone has some 3 KiB
_DEVICES = "Device"  # memory that no process has as its own
_ADDED = ("count",)  # told for each processor


class Zone(Record):
    """A zone that has frames. Numbers are in frames; None is what this kernel does not tell."""

    node: int = field("", "the node it is on")
    name: str = field("", "its name: DMA, DMA32, Normal, Movable")
    start: int = field("pfn", "its first frame")
    spanned: int = field("frames", "from the first to the last, with holes")
    present: int = field("frames", "those that there are")
    managed: int = field("frames", "those that the page allocator has, or has given away")
    free: int | None = field("frames", "those that are free")
    on_lists: int | None = field("frames", "free ones that single processors keep")

    @property
    def end(self) -> int:
        """The first PFN past it."""
        return self.start + self.spanned


def zones(procfs: str = "/proc") -> list[Zone] | None:
    """All zones that have frames, but those of devices; None where the file does not tell."""
    try:
        with open(f"{procfs}/zoneinfo", "rb", opener=open_told) as file:
            text = file.read(_MOST).decode("ascii", "replace")
    except OSError:
        return None
    found = [_zone(part) for part in f"\n{text}".split("\nNode ")[1:]]
    return [zone for zone in found if zone is not None and zone.spanned]


def memory_end(procfs: str = "/proc") -> int:
    """The first PFN past all zones: /proc/kpage* have a word for each frame below.

    Past it lies what only drivers map. `NO_END` where the file does not tell: then any frame that a
    process maps is to have a word.
    """
    return max((zone.end for zone in zones(procfs) or ()), default=0) or NO_END


def _zone(text: str) -> Zone | None:
    """A zone: ``0, zone   Normal``, and below it a name and a number a line; None: it is none."""
    head, _, rest = text.partition("\n")
    node, _, name = head.partition(", zone")
    name = name.strip()
    on_node = number(node)
    if name == _DEVICES or on_node is None or not name:
        return None
    found: dict[str, int] = {}
    for line in rest.split("\n"):
        words = line.replace(":", " ").split()
        if words[:2] == ["pages", "free"]:
            words = words[1:]
        if len(words) == 2 and (count := number(words[1])) is not None:
            adds = words[0] in _ADDED
            found[words[0]] = count + (found.get(words[0], 0) if adds else 0)
    return Zone(
        on_node,
        name,
        found.get("start_pfn", 0),
        found.get("spanned", 0),
        found.get("present", 0),
        found.get("managed", 0),
        found.get("free"),
        found.get("count"),
    )
